"""AUROC, its interval over patients, and Youden's cut-off are those of the definitions."""

from __future__ import annotations

import numpy as np
import pytest

from trainers.metrics import measured


def test_figures_of_a_case_worked_by_hand() -> None:
    scores, truth = [1.0, 2.0, 3.0, 4.0], [False, True, False, True]
    metric, _ = measured(scores, truth, ["a", "b", "c", "d"])
    assert metric.auroc == pytest.approx(0.75)
    assert metric.auprc == pytest.approx((1 / 1 + 2 / 3) / 2)
    assert (metric.sensitivity, metric.specificity, metric.youden_cutoff) in [(0.5, 1.0, 4.0), (1.0, 0.5, 2.0)]
    assert (metric.n_normal, metric.n_abnormal) == (2, 2)


def test_ties_count_half() -> None:
    metric, _ = measured([1.0] * 10, [False, True] * 5, [str(i) for i in range(10)])
    assert metric.auroc == pytest.approx(0.5) and metric.auroc_ci95 == pytest.approx((0.5, 0.5))


def test_the_interval_has_the_width_that_theory_gives() -> None:
    generator = np.random.default_rng(0)
    scores = np.concatenate([generator.normal(0, 1, 200), generator.normal(1, 1, 200)])
    metric, curve = measured(scores.tolist(), [False] * 200 + [True] * 200, [str(i) for i in range(400)])
    low, high = metric.auroc_ci95
    assert low < metric.auroc < high
    # Hanley and McNeil: a standard error of about 0.023 here
    assert high - low == pytest.approx(2 * 1.96 * 0.023, rel=0.25)
    assert (curve.lower <= curve.upper).all()


def test_many_films_of_one_patient_do_not_pass_for_many_patients() -> None:
    generator = np.random.default_rng(1)
    patient = np.repeat(np.arange(40), 10)
    level = generator.normal(0, 1, 40) + np.arange(40) // 20
    scores = level[patient] + generator.normal(0, 0.01, 400)
    truth = (patient >= 20).tolist()
    by_patient = measured(scores.tolist(), truth, [str(p) for p in patient])[0].auroc_ci95
    by_image = measured(scores.tolist(), truth, [str(i) for i in range(400)])[0].auroc_ci95
    assert by_patient[1] - by_patient[0] > 2 * (by_image[1] - by_image[0])


def test_the_sensitivity_at_a_specificity_is_that_of_a_cutoff_which_has_it() -> None:
    normals, abnormals = list(range(100)), [89.5, 90.5, 94.5, 98.5, 99.5]
    metric, _ = measured(normals + abnormals, [False] * 100 + [True] * 5, [str(i) for i in range(105)])
    # above 89 lie ten of the hundred normals and every abnormal; above 94 five normals and three abnormals
    assert metric.sensitivity_at_90_specificity == 1.0
    assert metric.sensitivity_at_95_specificity == pytest.approx(3 / 5)
    assert "105 patients" in metric.interval
