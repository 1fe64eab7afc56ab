"""Lengths along the beam are the solids' true lengths: everything in a phantom's image rests on them."""

from __future__ import annotations

import numpy as np
import pytest

from engine.phantoms.solids import Grid, curve, deposit, ellipsoid, interval, smooth_noise, tube, uncovered

GRID = Grid(rows=200, columns=160, spacing=0.5, left=-40.0, top=50.0)


def test_an_ellipsoid_has_its_diameter_at_the_centre_and_its_volume_in_all() -> None:
    chord = ellipsoid(GRID, (5.0, 0.0, 10.0), (12.0, 9.0, 7.0), tilt_degrees=30).length
    assert chord.max() == pytest.approx(18.0, rel=0.01)
    assert chord.sum() * GRID.spacing**2 == pytest.approx(4 / 3 * np.pi * 12 * 9 * 7, rel=0.01)


def test_covers_that_overlap_are_counted_once() -> None:
    ones = np.ones((2, 2), np.float32)
    whole = interval(0.0, 10 * ones)  # -10 .. 10
    covers = [interval(-6.0, 2 * ones), interval(-5.0, 2 * ones), interval(20.0, 13 * ones), interval(0.0, -ones)]
    assert uncovered(whole, covers) == pytest.approx(20 - 5 - 3)


@pytest.mark.parametrize("end", [(20.0, 0.0, 25.0), (0.0, 30.0, 30.0), (0.5, 40.0, 0.0)])
def test_a_tube_deposits_its_volume_whichever_way_it_runs(end: tuple[float, float, float]) -> None:
    canvas = GRID.empty()
    line = curve([(0.0, 0.0, 0.0), end], 0.25)
    radius = np.full(len(line), 4.0)
    tube(canvas, GRID, line, np.tile([0.0, 1.0, 0.1], (len(line), 1)), radius, radius, 0, 1.0, fibres=24, layers=20)
    length = float(np.linalg.norm(end))
    assert canvas.sum() * GRID.spacing**2 == pytest.approx(np.pi * 16 * length, rel=0.03)


def test_a_hollow_bone_is_brighter_at_its_edges_than_in_its_middle() -> None:
    canvas = GRID.empty()
    line = curve([(0.0, 0.0, -30.0), (0.0, 0.0, 30.0)], 0.25)
    radius = np.full(len(line), 6.0)
    tube(canvas, GRID, line, np.tile([0.0, 1.0, 0.0], (len(line), 1)), radius, radius, 1.5, 0.1, fibres=48, layers=24)
    across = canvas[100]
    middle = round((0 - GRID.left) / GRID.spacing)
    assert across[middle + 9 : middle + 12].max() > 1.3 * across[middle]


def test_what_lies_outside_the_detector_is_not_wrapped_round() -> None:
    canvas = GRID.empty()
    deposit(canvas, GRID, np.array([[500.0, 0.0, 0.0], [0.0, 0.0, 500.0], [-400.0, 0.0, 10.0]]), np.ones(3))
    assert not canvas.any()


def test_texture_has_unit_variance_and_reaches_the_whole_grid() -> None:
    texture = smooth_noise(GRID, np.random.default_rng(3), 20.0, 1.5)
    assert texture.shape == (200, 160)
    assert texture.std() == pytest.approx(1.0, abs=1e-3)
    quarters = [texture[:100, :80], texture[100:, :80], texture[:100, 80:], texture[100:, 80:]]
    assert min(quarter.std() for quarter in quarters) > 0.4
