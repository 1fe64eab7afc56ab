"""The letters at the edges: a side of the patient named wrongly is worse than none."""

from __future__ import annotations

import numpy as np
import pytest

from app.state.viewing import Turn
from app.viewer.orientation import Directions, Edges, edges, letters_of


@pytest.mark.parametrize(
    ("direction", "letters"),
    [
        ((1, 0, 0), "L"),
        ((-1, 0, 0), "R"),
        ((0, 1, 0), "P"),
        ((0, -1, 0), "A"),
        ((0, 0, 1), "H"),
        ((0, 0, -1), "F"),
        ((0, 0.948, 0.317), "P"),  # a gantry tilt of 18.5 degrees
        ((0.7, 0.714, 0), "PL"),
        ((0.8, 0, -0.6), "LF"),
    ],
)
def test_a_direction_in_the_patient_has_its_letters(direction: tuple[float, ...], letters: str) -> None:
    assert letters_of(np.array(direction, np.float64)) == letters


def test_an_axial_slice_shows_the_patients_right_on_the_left() -> None:
    assert edges(Directions("L", "P"), Turn()) == Edges(left="R", right="L", top="A", bottom="P")


def test_letters_turn_with_the_image() -> None:
    axial = Directions("L", "P")
    assert edges(axial, Turn().rotated()) == Edges(left="P", right="A", top="R", bottom="L")
    assert edges(axial, Turn().flipped_horizontally()) == Edges(left="L", right="R", top="A", bottom="P")
    assert edges(axial, Turn().flipped_vertically()) == Edges(left="R", right="L", top="P", bottom="A")
    assert edges(axial, Turn().rotated().flipped_horizontally()) == Edges(left="A", right="P", top="R", bottom="L")


def test_an_unknown_orientation_has_no_letters() -> None:
    assert edges(Directions(), Turn(1, True)) == Edges()
