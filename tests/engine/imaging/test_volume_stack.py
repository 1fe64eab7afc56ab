"""Slices to a stack: what is dropped, what is missing, what is uneven or tilted, and what makes no volume."""

from __future__ import annotations

import random

import numpy as np
import pytest

from engine.errors import ImplausibleImage, InconsistentSeries
from engine.imaging.slice_stack import Plane, stack_planes, stack_tilt_degrees

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def planes(depths, *, orientation=AXIAL, drift=(0.0, 0.0), tilt=0.0, **changes):
    """Planes at given depths along z, drifting (x, y) mm per mm, in shuffled order."""
    made = [
        Plane(
            f"folder/{index:03d}.dcm",
            (drift[0] * z, drift[1] * z, z),
            orientation,
            (0.5, 0.5),
            (4, 4),
            (1, 0, index, 0),
            tilt,
            **changes,
        )
        for index, z in enumerate(depths)
    ]
    random.Random(1).shuffle(made)
    return made


def stacked(given):
    stack = stack_planes(given, "folder")
    return stack, [given[index].name for index in stack.order]


def test_an_even_straight_stack_warns_of_nothing():
    stack, names = stacked(planes(np.arange(10) * 1.25))
    assert stack.warnings == () and names == [f"folder/{index:03d}.dcm" for index in range(10)]


def test_slices_that_run_downward_are_sorted_along_the_normal_of_their_orientation():
    stack, _ = stacked(planes(np.arange(5) * 2.0, orientation=(1.0, 0.0, 0.0, 0.0, -1.0, 0.0)))
    assert stack.geometry.normal.tolist() == [0, 0, -1]
    assert stack.geometry.positions[:, 2].tolist() == [8, 6, 4, 2, 0]
    assert (np.diff(stack.geometry.slice_positions) > 0).all()


@pytest.mark.parametrize("seed", range(8))
def test_any_orientation_stacks_in_order_along_its_normal(seed):
    rng = np.random.default_rng(seed)
    axes, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    across, down = axes[:, 0], axes[:, 1]
    normal = np.cross(across, down)
    corner, drift = rng.normal(size=3) * 100, down * rng.uniform(-0.3, 0.3)
    positions = [tuple(corner + depth * (normal + drift)) for depth in np.arange(12) * 3.0]
    given = [Plane(f"{index:02d}", place, (*across, *down), (1, 1), (4, 4)) for index, place in enumerate(positions)]
    rng.shuffle(given)
    stack, names = stacked(given)
    assert names == [f"{index:02d}" for index in range(12)]
    assert np.diff(stack.geometry.slice_positions) == pytest.approx([3.0] * 11)


@pytest.mark.parametrize("seed", range(4))
def test_which_duplicate_stays_does_not_depend_on_file_order(seed):
    given = planes([0, 1, 2, 3, 4, 2.005, 3])
    random.Random(seed).shuffle(given)
    stack, names = stacked(given)
    assert names == [f"folder/{index:03d}.dcm" for index in range(5)]
    assert any("2 slices lie" in warning and "left out" in warning for warning in stack.warnings)


def test_phases_are_told_from_stray_duplicates():
    stack, names = stacked(planes([0, 1, 2, 3, 0, 1, 2, 3]))
    assert names == [f"folder/{index:03d}.dcm" for index in range(4)]
    assert any("imaged 2 times" in warning for warning in stack.warnings)


def test_missing_slices_are_counted_and_placed():
    depths = [0, 1.5, 3, 4.5, 9, 10.5, 12, 13.5, 16.5, 18]
    stack, _ = stacked(planes(depths))
    assert stack.warnings == ("3 slices are missing: spacing is 1.50 mm, with a gap after slice 4, 8.",)


def test_uneven_spacing_is_said_in_numbers():
    stack, _ = stacked(planes([0, 1, 2.1, 3, 4.2, 5]))
    assert stack.warnings == ("Slices are unevenly spaced: 0.80 to 1.20 mm (median 1.00 mm).",)


def test_a_change_from_five_to_ten_millimetres_is_uneven_not_missing():
    stack, _ = stacked(planes([0, 5, 10, 15, 20, 25, 30, 40, 50, 60, 70]))
    assert stack.warnings == ("Slices are unevenly spaced: 5.00 to 10.00 mm (median 5.00 mm).",)


def test_a_tilted_stack_is_said_in_degrees():
    stack, _ = stacked(planes(np.arange(8) * 4.0, drift=(0.0, np.tan(np.radians(15)))))
    assert stack_tilt_degrees(stack.geometry) == pytest.approx(15, abs=1e-6)
    assert any("tilted by 15.0 degrees" in warning for warning in stack.warnings)


def test_a_tilt_tag_that_positions_contradict_is_said():
    stack, _ = stacked(planes(np.arange(8) * 4.0, tilt=-12.0))
    assert any("tilted by 12.0 degrees, but the slice positions are not" in warning for warning in stack.warnings)


def test_header_rounding_is_no_defect():
    stack, _ = stacked(planes(np.round(np.arange(50) * 0.625 - 624.800049, 2)))
    assert stack.warnings == ()


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"size": (4, 5)}, InconsistentSeries, "4 x 5 pixels"),
        ({"spacing": (0.6, 0.6)}, InconsistentSeries, "pixel spacing 0.6"),
        ({"orientation": (1, 0, 0, 0, 0, -1)}, InconsistentSeries, "another orientation"),
        ({"position": None}, InconsistentSeries, "no position"),
        ({"orientation": None}, InconsistentSeries, "no orientation"),
        ({"spacing": (0.0, 0.5)}, ImplausibleImage, "pixel spacing"),
        ({"spacing": (500.0, 500.0)}, ImplausibleImage, "pixel spacing"),
        ({"position": (0.0, 0.0, float("nan"))}, ImplausibleImage, "not a number"),
        ({"position": (0.0, 0.0, 5000.0)}, ImplausibleImage, "mm apart"),
        ({"size": (1, 1)}, ImplausibleImage, "1 x 1 pixels"),
        ({"size": (65535, 65535)}, ImplausibleImage, "65535 x 65535 pixels"),
    ],
)
def test_what_makes_no_volume_is_a_typed_error_with_a_cure(changes, error, words):
    values = {"position": (0.0, 0.0, 4.0), "orientation": AXIAL, "spacing": (0.5, 0.5), "size": (4, 4), **changes}
    odd = Plane("folder/odd.dcm", **values)
    with pytest.raises(error, match=words) as caught:
        stack_planes([*planes([0, 1, 2, 3]), odd], "folder")
    assert caught.value.cure and caught.value.where in ("folder/odd.dcm", "folder")


def test_directions_that_are_not_perpendicular_are_refused():
    with pytest.raises(ImplausibleImage, match="perpendicular"):
        stack_planes(planes([0, 1, 2, 3], orientation=(1.0, 0.0, 0.0, 0.7, 0.7, 0.0)), "folder")
