"""Every combination of a film's steps keeps places: what is dotted on the film comes back to its pixel, and what was not looked at is NaN."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.transform import SimilarityTransform, warp

from engine.errors import ImplausibleImage
from engine.imaging.radiograph import Radiograph
from engine.imaging.windowing import Window
from engine.models.card import Preprocessing
from engine.preprocess import Steps, default_options, prepare

Grey = np.ndarray
SWITCHES = {
    "carrier": ("keep", "crop"),
    "markers": ("keep", "paint"),
    "part": ("whole", "largest"),
    "foreground": ("keep", "segment"),
    "lungs": ("keep", "remove"),
    "fit": ("stretch", "pad"),
}


@dataclass
class Scene:
    """A scan with a turned film, two arms of soft tissue and bone, a letter and two dots: one in the larger arm, one in the air."""

    grey: Grey
    in_arm: tuple[int, int] = (75, 55)
    in_air: tuple[int, int] = (75, 15)


def arm(rows: Grey, columns: Grey, centre: float, width: float) -> Grey:
    across = np.abs(columns - centre)
    tapering = width * (1 - 0.15 * np.cos(rows / 20))
    flesh = np.clip(1 - (across / tapering) ** 2, 0, None) ** 0.5 * 0.4
    bone = np.where(across < tapering * 0.35, 0.35 + 0.05 * np.sin(rows / 3.5), 0)
    return np.where((rows > 15) & (rows < 145), flesh + bone, 0)


def scene(tilt_degrees: float = 0.0, margin: int = 0) -> Scene:
    rows, columns = np.mgrid[:160, :140].astype(float)
    film = 0.15 + arm(rows, columns, 45, 21) + arm(rows, columns, 107, 17)
    film[4:15, 4:6] = film[4:15, 10:12] = film[8:10, 4:12] = 0.98  # H
    if not margin:
        return Scene(film.astype(np.float32))
    shape = (160 + 2 * margin, 140 + 2 * margin)
    centre = np.array([70.0, 80.0])
    move = (
        SimilarityTransform(translation=-centre)
        + SimilarityTransform(rotation=np.radians(tilt_degrees))
        + SimilarityTransform(translation=centre + margin)
    )
    scan = warp(film, move.inverse, output_shape=shape, order=1, cval=0.02).astype(np.float32)
    in_arm, in_air = (move([[column, row]])[0][::-1] for row, column in (Scene.in_arm, Scene.in_air))
    return Scene(scan, tuple(np.rint(in_arm).astype(int)), tuple(np.rint(in_air).astype(int)))


def radiograph(grey: Grey, **changes: object) -> Radiograph:
    return Radiograph(np.rint(np.asarray(grey) * 4000).astype(np.uint16), None, Window(2000.5, 4001), **changes)


def dotted(grey: Grey, place: tuple[int, int]) -> Grey:
    """With a disc of two pixels' radius."""
    rows, columns = np.ogrid[: grey.shape[0], : grey.shape[1]]
    return np.clip(grey + 0.2 * ((rows - place[0]) ** 2 + (columns - place[1]) ** 2 <= 4), 0, 1)


def found(without: Grey, back: Grey, near: tuple[int, int]) -> tuple[float, float]:
    """Centre of the disc among the 15 x 15 pixels around a place of the way back."""
    around = np.s_[near[0] - 7 : near[0] + 8, near[1] - 7 : near[1] + 8]
    change = (back - without)[around]
    assert change.max() > 0.1, "the dot is not here"
    change = np.where(change > 0.5 * change.max(), change, 0)
    rows, columns = np.indices(change.shape)
    total = change.sum()
    return (rows * change).sum() / total + near[0] - 7, (columns * change).sum() / total + near[1] - 7


@pytest.mark.parametrize("switches", list(product(*SWITCHES.values())), ids="-".join)
def test_a_dot_comes_back_to_its_pixel_through_every_combination_of_steps(switches: tuple[str, ...]) -> None:
    options = dict(zip(SWITCHES, switches, strict=True))
    picture = scene(5.0, 20) if options["carrier"] == "crop" else scene()
    place = picture.in_arm
    asked = Preprocessing(name="chest", options=options)
    prepared = prepare(radiograph(dotted(picture.grey, place)), asked, (160, 160))
    back = (prepared.to_original(prepared.tensor[0]) + 1) / 2
    assert back.shape == picture.grey.shape
    if np.isnan(back[place]):
        assert options["lungs"] == "remove", "only the lung step may take the arm away"
        return
    assert found(picture.grey, np.nan_to_num(back), place) == pytest.approx(place, abs=0.8)


def test_what_was_cut_away_or_blacked_out_is_not_a_number_on_the_way_back() -> None:
    picture = scene(5.0, 20)
    asked = Preprocessing(name="hand")
    prepared = prepare(radiograph(picture.grey), asked, (160, 160))
    back = prepared.to_original(np.ones((160, 160), np.float32))
    assert np.isnan(back[3, 3]) and np.isnan(back[picture.in_air]), "the scan's rim, the air beside the arm"
    assert back[picture.in_arm] == 1
    assert 0.05 < np.isfinite(back).mean() < 0.35
    small = prepared.to_field(np.ones((160, 160), np.float32), 64)
    assert max(small.shape) == 64 and np.isfinite(small).mean() == pytest.approx(np.isfinite(back).mean(), abs=0.02)


def test_a_map_stored_smaller_than_the_model_sees_averages_instead_of_skipping() -> None:
    prepared = prepare(radiograph(scene(5.0, 20).grey), Preprocessing(name="hand"), (160, 160))
    stripes = np.tile(np.array([0.0, 1.0], np.float32), (160, 80))
    small = prepared.to_field(stripes, 32)
    assert np.nanmean(small) == pytest.approx(0.5, abs=0.05) and np.nanstd(small) < 0.2


def test_the_turned_film_is_set_upright() -> None:
    picture = scene(5.0, 20)
    steps: Steps = []
    asked = Preprocessing(name="chest", options={"carrier": "crop"})
    prepare(radiograph(picture.grey), asked, (64, 64), steps)
    upright = steps[1][1]
    assert upright.shape == pytest.approx((160, 140), abs=5)
    straight = scene().grey
    rows, columns = min(upright.shape[0], 160), min(upright.shape[1], 140)
    inner = np.s_[20 : rows - 20, 20 : columns - 20]
    assert np.corrcoef(upright[inner].ravel(), straight[inner].ravel())[0, 1] > 0.97


@pytest.mark.parametrize(("part", "column"), [("largest", 45), ("left", 45), ("right", 107)])
def test_of_two_arms_the_one_asked_for_is_seen_and_the_reader_is_told(part: str, column: int) -> None:
    prepared = prepare(radiograph(scene().grey), Preprocessing(name="chest", options={"part": part}), (64, 64))
    seen = np.isfinite(prepared.to_original(prepared.tensor[0])[75])
    assert seen[column] and not seen[152 - column]
    assert any("two limbs" in warning for warning in prepared.warnings)


def test_one_arm_stays_one() -> None:
    rows, columns = np.mgrid[:160, :140].astype(float)
    alone = 0.15 + arm(rows, columns, 60, 21)
    prepared = prepare(radiograph(alone), Preprocessing(name="chest", options={"part": "largest"}), (64, 64))
    assert not prepared.warnings
    assert np.isfinite(prepared.to_original(prepared.tensor[0])[75, 60])


def test_what_is_blacked_out_can_be_told_from_dark_tissue_even_in_bytes() -> None:
    grey = scene().grey
    grey[60:65, 42:48] = 0
    prepared = prepare(radiograph(grey), Preprocessing(name="chest", options={"foreground": "segment"}), (128, 128))
    kept_as_bytes = np.rint((prepared.tensor[0] + 1) * 127.5)
    assert prepared.mask is not None
    np.testing.assert_array_equal(kept_as_bytes > 0, prepared.mask)


def test_the_mask_leaves_out_padding_and_is_none_where_all_is_seen() -> None:
    film = radiograph(scene().grey)
    assert prepare(film, Preprocessing(name="chest"), (64, 64)).mask is None
    padded = prepare(film, Preprocessing(name="musculoskeletal"), (64, 64)).mask
    assert padded is not None and padded.mean() == pytest.approx(140 / 160, abs=0.02)


def test_painted_letters_leave_the_mask_and_the_picture() -> None:
    asked = Preprocessing(name="chest", options={"markers": "paint"})
    prepared = prepare(radiograph(scene().grey), asked, (160, 140))
    assert prepared.mask is not None and not prepared.mask[9, 5] and prepared.mask[75, 45]
    assert prepared.tensor[0, 4:15, 4:12].max() < -0.5, "the letter is as dark as the air around it"


def test_every_step_leaves_its_picture_in_the_documented_order() -> None:
    steps: Steps = []
    options = {"markers": "paint", "lungs": "remove"}
    prepare(radiograph(scene(5.0, 20).grey), Preprocessing(name="hand", options=options), (64, 64), steps)
    assert [what for what, _ in steps] == [
        "the image as its file asks to be shown",
        "film cut from its scan",
        "markers painted over",
        "one limb framed",
        "background blacked out",
        "lung fields taken out",
        "histogram equalised",
    ]


def test_the_same_film_gives_the_same_bytes_twice() -> None:
    film = radiograph(scene(5.0, 20).grey)
    first, second = (prepare(film, Preprocessing(name="hand"), (64, 64)) for _ in range(2))
    assert first.tensor.tobytes() == second.tensor.tobytes()


def test_cards_written_before_the_steps_mean_what_they_meant() -> None:
    old = {"fit": "pad", "grey": "percentile"}
    film = radiograph(scene().grey)
    before = prepare(film, Preprocessing(name="musculoskeletal", options=old), (64, 64))
    after = prepare(film, Preprocessing(name="musculoskeletal", options=default_options("musculoskeletal")), (64, 64))
    assert before.tensor.tobytes() == after.tensor.tobytes() and not after.warnings


ODD = {
    "black": lambda rows, columns: np.zeros((rows, columns)),
    "white": lambda rows, columns: np.ones((rows, columns)),
    "one dot": lambda rows, columns: np.eye(1, rows * columns, 3 % (rows * columns)).reshape(rows, columns),
    "noise": lambda rows, columns: np.random.default_rng(0).random((rows, columns)),
    "ramp": lambda rows, columns: np.linspace(0, 1, rows * columns).reshape(rows, columns),
    "inverted": lambda rows, columns: 1 - np.resize(scene().grey, (rows, columns)),
    "two greys": lambda rows, columns: (np.indices((rows, columns)).sum(0) % 2).astype(float),
}


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    kind=st.sampled_from(sorted(ODD)),
    shape=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    switches=st.tuples(*(st.sampled_from(values) for values in SWITCHES.values())),
    grey=st.sampled_from(["presentation", "percentile", "equalised", "local"]),
)
def test_odd_images_are_refused_in_words_or_pass_through(kind, shape, switches, grey) -> None:
    film = radiograph(ODD[kind](*shape))
    options = {**dict(zip(SWITCHES, switches, strict=True)), "grey": grey}
    try:
        prepared = prepare(film, Preprocessing(name="chest", options=options), (32, 32))
    except ImplausibleImage:
        return
    assert np.isfinite(prepared.tensor).all() and np.abs(prepared.tensor).max() <= 1
    assert prepared.to_original(prepared.tensor[0]).shape == shape


def test_an_inverted_film_is_left_as_it_is() -> None:
    film = radiograph(1 - scene().grey)
    plain = prepare(film, Preprocessing(name="chest"), (64, 64))
    asked = prepare(film, Preprocessing(name="chest", options={"foreground": "segment", "part": "largest"}), (64, 64))
    assert asked.mask is None
    np.testing.assert_allclose(
        asked.tensor, plain.tensor, atol=0.01
    )  # shown is never black where background was looked for
