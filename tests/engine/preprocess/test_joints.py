"""A knee film's negative is turned over, and the joint's band framed with an exact way back; other films are left as they are."""

from __future__ import annotations

import numpy as np
import pytest

from engine.imaging.radiograph import Radiograph
from engine.imaging.windowing import Window
from engine.models.card import Preprocessing
from engine.preprocess import Steps, prepare
from engine.preprocess.negatives import is_negative
from engine.preprocess.planar import JOINT_ROWS
from engine.preprocess.prepared import Map

TURN = Preprocessing(name="chest", options={"negative": "turn"})
JOINT = Preprocessing(name="chest", options={"part": "joint"})


@pytest.fixture(scope="module")
def knee() -> Map:
    """Bone in the middle, flesh and air beside it, a dark joint space."""
    rows, columns = np.mgrid[:200, :160].astype(np.float32)
    bone = 0.75 - 0.3 * (np.abs(rows - 112) < 5)
    return np.where(np.abs(columns - 80) < 55, bone, 0.25).astype(np.float32)


def film(grey: Map, **changes: object) -> Radiograph:
    return Radiograph(np.rint(grey * 4000).astype(np.uint16), None, Window(2000.5, 4001), **changes)  # type: ignore[arg-type]


def test_a_negative_is_seen_as_the_film_that_it_was_made_from_and_the_reader_is_told(knee: Map) -> None:
    steps: Steps = []
    turned = prepare(film(1 - knee), TURN, (64, 64), steps)
    plain = prepare(film(knee), TURN, (64, 64))
    np.testing.assert_allclose(turned.tensor, plain.tensor, atol=1e-3)
    assert steps[1][0] == "negative turned over" and any("negative" in warning for warning in turned.warnings)
    assert not plain.warnings


def test_a_negative_is_left_alone_unless_asked(knee: Map) -> None:
    asked, plain = (prepare(film(1 - knee), how, (64, 64)).tensor for how in (TURN, Preprocessing(name="chest")))
    np.testing.assert_allclose(asked, -plain, atol=1e-3)


def test_padding_says_nothing_about_a_negative_and_stays_black(knee: Map) -> None:
    padded = np.pad(knee, ((0, 0), (30, 30)))
    valid = np.pad(np.ones(knee.shape, bool), ((0, 0), (30, 30)))
    white = np.where(valid, 1 - padded, np.float32(1))
    assert not is_negative(np.where(valid, padded, np.float32(1)), valid) and is_negative(white, valid)
    assert not is_negative(np.zeros((40, 40), np.float32), np.zeros((40, 40), bool))


def test_the_joints_band_fills_the_square_and_its_map_returns_to_its_rows(knee: Map) -> None:
    steps: Steps = []
    prepared = prepare(film(knee), JOINT, (108, 160), steps)
    top, bottom = (round(share * 200) for share in JOINT_ROWS)
    assert steps[1][0] == "joint framed" and steps[1][1].shape == (bottom - top, 160)
    back = prepared.to_original(prepared.tensor[0])
    assert np.isnan(back[: top - 1]).all() and np.isnan(back[bottom + 1 :]).all()
    inner = np.s_[top + 2 : bottom - 2]
    np.testing.assert_allclose((back[inner] + 1) / 2, knee[inner], atol=0.05)


def test_a_film_too_small_to_cut_is_seen_whole() -> None:
    grey = np.linspace(0, 1, 100, dtype=np.float32).reshape(10, 10)
    prepared = prepare(film(grey), JOINT, (32, 32))
    assert np.isfinite(prepared.to_original(prepared.tensor[0])).all()
