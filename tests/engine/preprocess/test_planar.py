"""What a network sees of a radiograph: right way up, right proportions, and maps that land on the pixels they came from."""

from __future__ import annotations

import numpy as np
import pytest

from engine.errors import ImplausibleImage, NotApplicable
from engine.imaging.radiograph import Radiograph
from engine.imaging.windowing import Window
from engine.models.card import Preprocessing
from engine.preprocess import prepare


def film(rows: int = 300, columns: int = 200, **changes) -> Radiograph:
    pixels = np.full((rows, columns), 400, np.uint16)
    pixels[rows // 10 : rows // 4, columns // 2 : columns // 2 + columns // 5] = 3600
    return Radiograph(pixels, changes.pop("spacing", None), Window(2048, 4096), **changes)


@pytest.mark.parametrize("name", ["chest", "musculoskeletal"])
def test_a_map_returns_to_the_pixels_it_came_from(name: str) -> None:
    image = film()
    prepared = prepare(image, Preprocessing(name=name), (128, 128))
    assert prepared.tensor.shape == (1, 128, 128)
    assert prepared.tensor.dtype == np.float32
    assert prepared.tensor.min() >= -1 and prepared.tensor.max() <= 1
    back = prepared.to_original(prepared.tensor[0])
    bright = back > 0
    truth = image.pixels > 2000
    assert (bright & truth).sum() / (bright | truth).sum() > 0.93


@pytest.mark.parametrize(
    ("shape", "spacing", "words"),
    [
        ((12, 12), None, ["has 12 x 12 pixels"]),
        ((40, 2000), None, ["50 times as wide as high"]),
        ((10, 2500), None, ["has 10 x 2500 pixels", "250 times as wide as high"]),
        ((2500, 10), None, ["has 2500 x 10 pixels", "250 times as high as wide"]),
        ((300, 200), None, []),
        ((1600, 400), None, []),  # a whole leg
        ((40, 400), (2.0, 0.4), []),  # its rows lie far apart: 80 mm by 160
    ],
)
def test_a_picture_too_small_or_too_long_is_told_to_the_reader(
    shape: tuple[int, int], spacing: tuple[float, float] | None, words: list[str]
) -> None:
    warnings = prepare(film(*shape, spacing=spacing), Preprocessing(name="chest"), (64, 64)).warnings
    assert len(warnings) == len(words) and all(word in said for word, said in zip(words, warnings, strict=True))


def test_padding_keeps_physical_proportions_of_pixels_that_are_not_square() -> None:
    tall_pixels = film(100, 200, spacing=(2.0, 1.0))  # 200 mm x 200 mm
    prepared = prepare(tall_pixels, Preprocessing(name="musculoskeletal"), (64, 64))
    assert (prepared.tensor[0, 0] > -1).any() or (prepared.tensor[0, 8:15, 36] > 0).any()
    assert prepared.to_original(prepared.tensor[0]).shape == (100, 200)
    rows = np.flatnonzero((prepared.tensor[0] > 0).any(1))
    assert (rows.max() - rows.min() + 1) == pytest.approx(64 * 0.15, abs=2)


def test_monochrome1_is_turned_over_before_a_network_sees_it() -> None:
    plain, turned = film(), film(minimum_is_white=True)
    a = prepare(plain, Preprocessing(name="chest"), (64, 64)).tensor
    b = prepare(turned, Preprocessing(name="chest"), (64, 64)).tensor
    np.testing.assert_allclose(a, -b, atol=1e-3)


def test_exposure_does_not_change_what_a_percentile_model_sees() -> None:
    image = film()
    brighter = Radiograph((image.pixels * 0.5 + 900).astype(np.uint16), None, image.window)
    option = Preprocessing(name="chest", options={"grey": "percentile"})
    np.testing.assert_allclose(
        prepare(image, option, (64, 64)).tensor, prepare(brighter, option, (64, 64)).tensor, atol=0.01
    )


def test_an_image_of_one_grey_is_refused_and_a_volume_model_refuses_a_film() -> None:
    flat = Radiograph(np.full((64, 64), 7, np.uint8), None, Window(128, 256))
    with pytest.raises(ImplausibleImage, match="same value"):
        prepare(flat, Preprocessing(name="chest"), (64, 64))
    with pytest.raises(NotApplicable, match="volume"):
        prepare(film(), Preprocessing(name="head-ct"), (32, 64, 64))
