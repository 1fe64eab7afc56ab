"""Stored values to screen colours, against the arithmetic that the tables stand for."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.state.viewing import Overlay
from app.viewer import colour_maps
from app.viewer.composition import blended_colours, compose, grey_colours, grey_table, turned
from app.viewer.picture import halved, picture_of_radiograph
from app.viewer.result_layers import heatmap_levels, outward
from engine.imaging.radiograph import Radiograph
from engine.imaging.series import Series
from engine.imaging.windowing import Window, apply_window

FILM = Series("film", "1", "1.1", "radiograph", "dicom", ("film.dcm",))


def channels(colours: np.ndarray) -> np.ndarray:
    """[..., 3] red, green, blue."""
    return np.stack([colours >> 16 & 255, colours >> 8 & 255, colours & 255], axis=-1).astype(int)


@pytest.mark.parametrize("dtype", [np.int16, np.uint16, np.uint8, np.float32])
@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
def test_greys_are_the_standards_windowing_of_the_stored_values(dtype: type, function: str) -> None:
    random = np.random.default_rng(1)
    pixels = (random.normal(100, 40, (20, 30)).clip(0, 255) - (300 if dtype == np.int16 else 0)).astype(dtype)
    window = Window(float(pixels.mean()), 120.0, function)  # type: ignore[arg-type]
    picture = picture_of_radiograph(FILM, Radiograph(pixels, None, window))
    drawn = compose(picture.scales[0][0], grey_table(picture.values, window, turned_over=False), grey_colours())
    wanted = np.rint(apply_window(pixels, window) * 255)
    assert np.abs(channels(drawn)[..., 0] - wanted).max() <= 1
    assert picture.value_at(0, 3.9, 7.2) == pytest.approx(float(pixels[7, 3]), abs=0.01)


@given(st.floats(0, 3), st.floats(0, 1), st.integers(0, 255))
def test_below_the_threshold_the_original_is_untouched_and_above_it_blends_to_the_opacity(
    threshold: float, opacity: float, grey: int
) -> None:
    overlay = Overlay(True, opacity, threshold)
    palette = blended_colours(colour_maps.colours("inferno"), colour_maps.opacities(overlay)).reshape(256, 256)
    below = colour_maps.level_values() <= threshold
    assert (channels(palette[below, grey]) == grey).all()
    full = colour_maps.level_values() >= threshold + colour_maps.RAMP
    wanted = colour_maps.colours("inferno")[full] * opacity + grey * (1 - opacity)
    assert np.abs(channels(palette[full, grey]) - wanted).max(initial=0) <= 1


@pytest.mark.parametrize("name", sorted(colour_maps.COLOUR_MAPS))
def test_colours_grow_lighter_with_the_heatmap(name: str) -> None:
    lightness = colour_maps.colours(name) @ np.array([0.2126, 0.7152, 0.0722])
    assert (np.diff(lightness) > -0.5).all()
    assert lightness[-1] - lightness[0] > 90


def test_a_heatmap_keeps_its_units_to_a_hundredth_and_nothing_is_drawn_for_nan() -> None:
    table = heatmap_levels()
    units = np.array([0.0, 0.5, 1.0, 2.99, 7.0, -4.0, np.nan, np.inf], np.float16)
    levels = table[units.view(np.uint16)].astype(float) * colour_maps.SCALE_TOP / 255
    assert levels == pytest.approx([0, 0.5, 1.0, 2.99, 3.0, 0, 0, 3.0], abs=0.012)


@given(st.integers(1, 40), st.data())
def test_slices_are_made_outwards_from_the_one_on_screen_and_each_once(count: int, data: st.DataObject) -> None:
    first = data.draw(st.integers(0, count - 1))
    order = list(outward(first, count))
    assert order[0] == first and sorted(order) == list(range(count))
    assert all(abs(a - first) <= abs(b - first) for a, b in pairwise(order))


def test_halving_keeps_the_mean_of_negative_values_and_odd_sides() -> None:
    pixels = np.array([[-1000, -1000, 40], [-1000, -1000, 40], [7, 9, -3]], np.int16)
    assert halved(pixels).tolist() == [[-1000, 40], [8, -3]]


def test_turning_an_array_agrees_with_turning_the_view() -> None:
    marked = np.array([[1, 2], [3, 4]])
    assert turned(marked, 1, False).tolist() == [[3, 1], [4, 2]]
    assert turned(marked, 0, True).tolist() == [[2, 1], [4, 3]]
    assert turned(marked, 1, True).tolist() == [[4, 2], [3, 1]]
