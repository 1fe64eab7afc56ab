"""Windows map values to grey as PS3.3 C.11.2 says, whichever way they are computed."""

from __future__ import annotations

import numpy as np
import pytest

from engine.imaging.windowing import Window, apply_window, window_from_values


@pytest.mark.parametrize(
    ("window", "value", "grey"),
    [
        (Window(2048, 4096), 0, 0.0),
        (Window(2048, 4096), 4095, 1.0),
        (Window(0, 100), -51, 0.0),
        (Window(0, 100), 50, 1.0),
        (Window(0, 1), 0, 1.0),
        (Window(0, 1), -1, 0.0),
        (Window(0, 100, "LINEAR_EXACT"), 25, 0.75),
        (Window(0, 100, "SIGMOID"), 0, 0.5),
        (Window(0, 100, "SIGMOID"), -32768, 0.0),
        (Window(0, 1, lut=(10, (0.0, 0.25, 1.0))), 11, 0.25),
        (Window(0, 1, lut=(10, (0.0, 0.25, 1.0))), -5, 0.0),
        (Window(0, 1, lut=(10, (0.0, 0.25, 1.0))), 500, 1.0),
    ],
)
def test_values_become_the_standards_grey(window: Window, value: int, grey: float) -> None:
    assert apply_window(np.array([[value]], np.float32), window)[0, 0] == pytest.approx(grey, abs=1e-6)


@pytest.mark.parametrize("kind", [np.int16, np.uint16, np.uint8])
@pytest.mark.parametrize(
    "window",
    [
        Window(40, 400),
        Window(40.5, 333, "SIGMOID"),
        Window(9, 9, "LINEAR_EXACT"),
        Window(0, 1, lut=(5, (1.0, 0.5, 0.0))),
    ],
)
def test_the_fast_table_gives_what_the_formula_gives(kind: type, window: Window) -> None:
    limits = np.iinfo(kind)
    pixels = np.random.default_rng(0).integers(limits.min, limits.max + 1, (300, 300)).astype(kind)
    pixels[0, :2] = limits.min, limits.max
    assert np.array_equal(apply_window(pixels, window), apply_window(pixels.astype(np.float32), window))


@pytest.mark.parametrize("kind", [np.int16, np.uint16, np.float32, np.int32])
def test_a_window_from_the_pixels_shows_them(kind: type) -> None:
    pixels = np.linspace(100, 900, 10_000).reshape(100, 100).astype(kind)
    shown = apply_window(pixels, window_from_values(pixels))
    assert shown.min() == 0
    assert shown.max() == 1
    assert 0.45 < shown.mean() < 0.55


def test_one_bright_pixel_does_not_darken_the_rest() -> None:
    pixels = np.linspace(0, 1000, 10_000).reshape(100, 100).astype(np.uint16)
    pixels[0, 0] = 65535
    assert 0.45 < apply_window(pixels, window_from_values(pixels)).mean() < 0.55


@pytest.mark.parametrize("value", [0, 1, 65535])
def test_a_blank_image_has_a_window_too(value: int) -> None:
    pixels = np.full((64, 64), value, np.uint16)
    shown = apply_window(pixels, window_from_values(pixels))
    assert np.isfinite(shown).all()


def test_not_a_number_is_black() -> None:
    assert apply_window(np.array([[np.nan]], np.float32), Window(0, 10))[0, 0] == 0
