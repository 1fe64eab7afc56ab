"""Films exposed, sharpened or stored differently look alike after local normalisation, and what is not shown takes no part in it."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from engine.imaging.radiograph import Radiograph
from engine.imaging.windowing import Window
from engine.models.card import Preprocessing
from engine.preprocess import Steps, prepare
from engine.preprocess.local_contrast import locally_normalised
from engine.preprocess.prepared import Map


@pytest.fixture(scope="module")
def picture() -> Map:
    rows, columns = np.mgrid[:200, :160].astype(np.float32)
    texture = 0.1 * np.sin(rows / 5) * np.cos(columns / 4)
    return np.asarray(0.45 + texture + 0.2 * (np.abs(rows - 100) < 6), np.float32)


def test_a_film_with_a_brightness_ramp_and_less_contrast_looks_the_same(picture: Map) -> None:
    ramp = np.linspace(-0.15, 0.15, 160, dtype=np.float32)
    faint = 0.5 * picture + 0.25 + ramp
    ours, other = locally_normalised(picture), locally_normalised(faint)
    assert np.corrcoef(picture.ravel(), faint.ravel())[0, 1] < 0.6
    assert np.corrcoef(ours.ravel(), other.ravel())[0, 1] > 0.97


def test_a_film_stored_three_times_as_large_looks_the_same(picture: Map) -> None:
    large = np.asarray(Image.fromarray(picture).resize((480, 600), Image.Resampling.BICUBIC), np.float32)
    back = np.asarray(Image.fromarray(locally_normalised(large)).resize((160, 200), Image.Resampling.BOX), np.float32)
    np.testing.assert_allclose(back, locally_normalised(picture), atol=0.05)


def test_what_is_not_shown_takes_no_part_and_stays_black(picture: Map) -> None:
    valid = np.ones(picture.shape, bool)
    valid[:, :40] = False
    black, white = picture.copy(), picture.copy()
    black[~valid], white[~valid] = 0, 1
    first, second = locally_normalised(black, valid), locally_normalised(white, valid)
    np.testing.assert_allclose(first, second, atol=1e-5)
    assert not first[:, :40].any()


def test_an_empty_place_keeps_its_noise_small() -> None:
    noise = 0.5 + 0.002 * np.random.default_rng(0).standard_normal((128, 128)).astype(np.float32)
    assert locally_normalised(noise).std() < 0.03


def test_the_step_leaves_its_picture(picture: Map) -> None:
    film = Radiograph(np.rint(picture * 4000).astype(np.uint16), None, Window(2000.5, 4001))
    steps: Steps = []
    prepared = prepare(film, Preprocessing(name="chest", options={"grey": "local"}), (200, 160), steps)
    assert steps[-1][0] == "contrast evened out locally"
    np.testing.assert_allclose((prepared.tensor[0] + 1) / 2, steps[-1][1], atol=1e-5)
