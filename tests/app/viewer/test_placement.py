"""Where pixels lie on screen: fit, true proportions, and what stays under the cursor."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.state.viewing import Turn, View
from app.viewer.placement import ImageSize, fitting_zoom, panned, place, zoomed_about

PANE = (640.0, 480.0)
TURNS = st.builds(Turn, st.integers(0, 3), st.booleans())
SPACINGS = st.none() | st.tuples(st.floats(0.1, 5), st.floats(0.1, 5))


@given(TURNS, SPACINGS, st.integers(1, 3000), st.integers(1, 3000))
def test_a_fitted_image_touches_the_pane_and_never_leaves_it(
    turn: Turn, spacing: tuple[float, float] | None, rows: int, columns: int
) -> None:
    size = ImageSize(rows, columns, spacing)
    left, top, right, bottom = place(View(turn=turn), size, *PANE).box_to_screen((0, 0, columns, rows))
    assert left >= -1e-6 and top >= -1e-6
    assert right <= PANE[0] + 1e-6 and bottom <= PANE[1] + 1e-6
    assert right - left == pytest.approx(PANE[0]) or bottom - top == pytest.approx(PANE[1])


def test_pixels_that_are_not_square_are_drawn_in_the_patients_proportions() -> None:
    size = ImageSize(100, 100, (2.0, 1.0))  # rows are 2 mm apart, columns 1 mm
    left, top, right, bottom = place(View(), size, *PANE).box_to_screen((0, 0, 100, 100))
    assert (bottom - top) / (right - left) == pytest.approx(2.0)
    left, top, right, bottom = place(View(turn=Turn(1)), size, *PANE).box_to_screen((0, 0, 100, 100))
    assert (right - left) / (bottom - top) == pytest.approx(2.0)


@given(TURNS, SPACINGS, st.floats(0, 640), st.floats(0, 480), st.floats(0.1, 8))
def test_screen_and_pixel_coordinates_are_inverse(
    turn: Turn, spacing: tuple[float, float] | None, x: float, y: float, zoom: float
) -> None:
    placed = place(View(turn=turn, zoom=zoom, centre=(30, 90)), ImageSize(256, 200, spacing), *PANE)
    assert placed.to_screen(*placed.to_pixel(x, y)) == pytest.approx((x, y), abs=1e-6)


@given(TURNS, SPACINGS, st.floats(250, 390), st.floats(170, 310), st.floats(1.05, 3))
def test_zooming_keeps_what_is_under_the_cursor(
    turn: Turn, spacing: tuple[float, float] | None, x: float, y: float, factor: float
) -> None:
    size = ImageSize(512, 512, spacing)
    view = View(turn=turn)
    before = place(view, size, *PANE).to_pixel(x, y)
    assume(0 <= before[0] <= 512 and 0 <= before[1] <= 512)  # beside the image there is nothing to keep
    after = place(zoomed_about(view, size, PANE, (x, y), factor), size, *PANE).to_pixel(x, y)
    assert after == pytest.approx(before, abs=1e-6)


@given(TURNS, st.floats(-100, 100), st.floats(-100, 100))
def test_panning_moves_the_image_with_the_mouse(turn: Turn, right: float, down: float) -> None:
    size = ImageSize(512, 512, (1, 1))
    view = View(turn=turn, zoom=2.0)
    x, y = place(view, size, *PANE).to_screen(256, 256)
    moved = place(panned(view, size, PANE, right, down), size, *PANE).to_screen(256, 256)
    assert moved == pytest.approx((x + right, y + down), abs=1e-6)


def test_an_image_cannot_be_dragged_out_of_sight() -> None:
    size = ImageSize(512, 512)
    view = panned(View(zoom=1.0), size, PANE, 1e6, -1e6)
    left, top, right, bottom = place(view, size, *PANE).box_to_screen((0, 0, 512, 512))
    assert left < PANE[0] and right > 0 and top < PANE[1] and bottom > 0


def test_one_to_one_is_one_screen_pixel_for_each_image_pixel() -> None:
    placed = place(View(zoom=1.0), ImageSize(300, 400, (0.143, 0.143)), *PANE)
    left, top, right, bottom = placed.box_to_screen((0, 0, 400, 300))
    assert (right - left, bottom - top) == pytest.approx((400, 300))
    assert fitting_zoom(View(), ImageSize(480, 640), *PANE) == pytest.approx(1.0)
