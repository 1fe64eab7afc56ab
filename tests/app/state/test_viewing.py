"""The view as a value: what turning, scrolling and window drags make of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.state.viewing import Layout, Overlay, Tool, Turn, View
from engine.imaging.windowing import Window

TURNS = st.builds(Turn, st.integers(0, 3), st.booleans())
STEPS = {
    "rotated": np.array([[0, -1], [1, 0]]),
    "flipped_horizontally": np.array([[-1, 0], [0, 1]]),
    "flipped_vertically": np.array([[1, 0], [0, -1]]),
}


def as_array(turn: Turn) -> np.ndarray:
    return np.array(turn.matrix).reshape(2, 2)


@given(TURNS, st.sampled_from(sorted(STEPS)))
def test_each_step_turns_what_is_seen_whatever_came_before(turn: Turn, step: str) -> None:
    after = getattr(turn, step)()
    assert (as_array(after) == STEPS[step] @ as_array(turn)).all()


@given(TURNS)
def test_flipping_twice_and_rotating_four_times_change_nothing(turn: Turn) -> None:
    assert turn.flipped_horizontally().flipped_horizontally() == turn
    assert turn.flipped_vertically().flipped_vertically() == turn
    assert turn.rotated().rotated().rotated().rotated() == turn


def test_scrolling_stops_at_both_ends() -> None:
    view = View(slice_index=3, slice_count=10)
    assert view.scrolled(100).slice_index == 9
    assert view.scrolled(-100).slice_index == 0
    assert View().scrolled(5).slice_index == 0


def test_dragging_right_widens_and_up_brightens() -> None:
    view = View(window=Window(40, 80))
    dragged = view.dragged_window(wider=100, brighter=50, span=2000).window
    assert dragged.width > 80
    assert dragged.center < 40


def test_a_window_never_becomes_empty() -> None:
    view = View(window=Window(40, 80))
    assert view.dragged_window(wider=-1e6, brighter=0, span=2000).window.width >= 1
    real = View(window=Window(0.5, 1.0, "LINEAR_EXACT")).dragged_window(-1e6, 0, 1.0).window
    assert 0 < real.width < 0.01


def test_dragging_an_image_with_a_table_starts_from_the_range_of_the_table() -> None:
    table = Window(0, 1, lut=(1000, tuple(np.linspace(0, 1, 400))))
    dragged = View(window=table).dragged_window(0, 0, 4000).window
    assert dragged.lut is None
    assert (dragged.center, dragged.width) == (1200, 400)


def test_another_series_keeps_the_readers_habits_and_nothing_of_the_last_image() -> None:
    view = View(
        "a", 5, 9, Window(1, 2), True, Turn(1), 3.0, (4.0, 5.0), Overlay(on=True, opacity=0.3), Layout.COMPARE, Tool.PAN
    )
    opened = view.opened("b", 20, 10, Window(40, 80))
    assert (opened.overlay, opened.layout, opened.tool) == (view.overlay, view.layout, view.tool)
    assert (opened.series_key, opened.slice_index, opened.slice_count) == ("b", 10, 20)
    assert (opened.inverted, opened.turn, opened.zoom, opened.centre) == (False, Turn(), None, None)


def test_the_original_is_bare_until_the_reader_switches_a_layer_on() -> None:
    assert not View().overlay.on
    assert View().layout is Layout.ORIGINAL


@pytest.mark.parametrize("zoom", [1e-9, 1e9])
def test_zoom_stays_within_reason(zoom: float) -> None:
    held = View().zoomed_to(zoom, None).zoom
    assert held is not None
    assert 0.01 < held < 100
