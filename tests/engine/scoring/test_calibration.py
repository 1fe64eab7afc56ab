"""Percentiles and cohort units mean the same in every study."""

from __future__ import annotations

import numpy as np
import pytest

from engine.scoring.calibration import cohort_units, excess, heatmap_tables, percentile, score_calibration


def test_many_scores_are_thinned_without_moving_percentiles() -> None:
    scores = np.random.default_rng(0).gamma(3, 1, 5000)
    table = score_calibration(scores)
    assert table.n == 5000 and len(table.normal_scores) == 1000
    for share in (5, 50, 95, 99):
        assert percentile(float(np.percentile(scores, share)), table) == pytest.approx(share, abs=0.5)


def test_beyond_all_normals_scores_still_have_an_order() -> None:
    table = score_calibration([2.0, 4.0, 8.0])
    assert [percentile(raw, table) for raw in (9.0, 12.0)] == [100, 100]
    assert [excess(raw, table) for raw in (-5.0, 8.0, 10.0, 12.0)] == [0, 0, 0.5, 1]
    alike = score_calibration([3.0, 3.0])
    assert (excess(3.0, alike), excess(4.0, alike)) == (0, 1)


def test_a_cohort_without_finite_scores_is_refused() -> None:
    for scores in ([], [1.0, float("nan")]):
        with pytest.raises(ValueError, match="finite"):
            score_calibration(scores)


def test_in_cohort_units_normals_have_mean_0_and_a_hundredth_lies_above_1() -> None:
    generator = np.random.default_rng(0)
    scale = np.linspace(0.5, 2, 32)[None, :, None]  # some places vary more than others
    maps = np.abs(generator.normal(0, 0.05, (400, 32, 32))) * scale
    mean, high = heatmap_tables(maps)
    units = cohort_units(maps, mean, high)
    assert units.mean() == pytest.approx(0, abs=0.02)
    assert (units > 1).mean() == pytest.approx(0.01, abs=0.005)


def test_where_normals_never_differ_noise_is_no_finding() -> None:
    maps = np.abs(np.random.default_rng(0).normal(0, 0.05, (100, 32, 32)))
    maps[:, :, :8] = 0  # the black margin of every film
    mean, high = heatmap_tables(maps)
    noise = np.full((32, 32), 1 / 255)
    assert cohort_units(noise, mean, high)[:, :4].max() < 0.25
