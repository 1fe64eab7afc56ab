"""The closed-form variance is DeLong's on DeLong's own patients, and honest about several images of one patient."""

from __future__ import annotations

import numpy as np
import pytest

from trainers.delong import areas, paired_test
from trainers.metrics import measured

# The 43 complete records of DeLong et al. 1988: albumin, total protein, K-G score, benefit from surgery
OVARIAN = """
3.0 5.8 10 0  3.2 6.3 5 1  3.9 6.8 3 1  2.8 4.8 6 0  3.2 5.8 3 1  0.9 4.0 5 0  2.5 5.7 8 0  1.6 5.6 5 1  3.8 5.7 5 1
3.7 6.7 6 1  3.2 5.4 4 1  3.8 6.6 6 1  4.1 6.6 5 1  3.6 5.7 5 1  4.3 7.0 4 1  3.6 6.7 4 0  2.3 4.4 6 1  4.2 7.6 4 0
4.0 6.6 6 0  3.5 5.8 6 1  3.8 6.8 7 1  3.0 4.7 8 0  4.5 7.4 5 1  3.7 7.4 5 1  3.1 6.6 6 1  4.1 8.2 6 1  4.3 7.0 5 1
4.3 6.5 4 1  3.2 5.1 5 1  2.6 4.7 6 1  3.3 6.8 6 0  1.7 4.0 7 0  3.7 6.1 5 1  3.3 6.3 7 1  4.2 7.7 6 1  3.5 6.2 5 1
2.9 5.7 9 0  2.1 4.8 7 1  2.8 6.2 8 0  4.0 7.0 7 1  3.3 5.7 6 1  3.7 6.9 5 1  3.6 6.6 5 1
"""
ALBUMIN, PROTEIN, KG, BENEFIT = np.array(OVARIAN.split(), float).reshape(-1, 4).T
SURGERY = BENEFIT > 0
ONE_EACH = [str(index) for index in range(len(SURGERY))]


def test_areas_errors_intervals_and_p_values_of_the_papers_patients_are_the_published_ones() -> None:
    found = areas(np.stack([ALBUMIN, -KG, PROTEIN]), SURGERY, ONE_EACH)
    assert found.areas == pytest.approx([0.7366, 0.7258, 0.6478], abs=5e-5)
    assert [found.standard_error(k) for k in range(3)] == pytest.approx([0.0927, 0.1028, 0.1000], abs=5e-5)
    assert found.interval(1) == pytest.approx((0.5243, 0.9273), abs=5e-5)
    test = paired_test(PROTEIN.tolist(), (-KG).tolist(), SURGERY.tolist(), ONE_EACH)
    assert (test.difference, test.standard_error, test.p_value) == pytest.approx((-0.0780, 0.1046, 0.4561), abs=5e-5)


def test_the_midrank_formula_is_the_definition_by_pairs() -> None:
    generator = np.random.default_rng(3)
    truth = generator.random(60) < 0.4
    score = np.round(generator.normal(truth, 1), 1)  # ties
    wins = (score[truth][:, None] > score[~truth]) + 0.5 * (score[truth][:, None] == score[~truth])
    found = areas(score[None], truth, [str(i) for i in range(60)])
    assert found.areas[0] == pytest.approx(wins.mean())
    by_pairs = wins.mean(1).var(ddof=1) / truth.sum() + wins.mean(0).var(ddof=1) / (~truth).sum()
    assert found.covariance[0, 0] == pytest.approx(by_pairs)


@pytest.mark.parametrize("films", [1, 6])
def test_the_closed_form_and_the_bootstrap_agree_with_one_and_with_several_films_a_patient(films: int) -> None:
    generator = np.random.default_rng(4)
    patient = np.repeat(np.arange(120), films)
    score = generator.normal(0, 1, 120)[patient] + 0.3 * generator.normal(0, 1, len(patient)) + (patient >= 60)
    metric, _ = measured(score.tolist(), (patient >= 60).tolist(), [str(p) for p in patient])
    assert metric.auroc_ci95_delong is not None and metric.n_patients == 120
    widths = [high - low for low, high in (metric.auroc_ci95, metric.auroc_ci95_delong)]
    assert widths[1] == pytest.approx(widths[0], rel=0.15)


def test_a_score_compared_with_itself_differs_by_nothing() -> None:
    same = paired_test(KG.tolist(), (2 * KG + 1).tolist(), SURGERY.tolist(), ONE_EACH)
    assert (same.difference, same.p_value) == (0, 1)


def test_one_patients_abnormal_films_give_no_standard_error() -> None:
    metric, _ = measured([1, 2, 3, 4, 5, 6], [False, False, False, True, True, True], ["a", "b", "c", "d", "d", "d"])
    assert metric.auroc == 1 and metric.auroc_standard_error is None and metric.auroc_ci95_delong is None


def test_the_same_films_four_times_are_no_more_evidence() -> None:
    first = paired_test(PROTEIN.tolist(), (-KG).tolist(), SURGERY.tolist(), ONE_EACH)
    second = paired_test(
        np.tile(PROTEIN, 4).tolist(), np.tile(-KG, 4).tolist(), np.tile(SURGERY, 4).tolist(), ONE_EACH * 4
    )
    assert second.p_value == pytest.approx(first.p_value) and second.standard_error == pytest.approx(
        first.standard_error
    )


def test_patients_with_normal_and_abnormal_films_are_compared_with_themselves() -> None:
    generator = np.random.default_rng(5)
    truth = np.repeat([False, True], 60)
    patients = [str(index) for index in range(60)] * 2
    found, errors = [], []
    for _ in range(300):
        build = generator.normal(0, 1.5, 60)  # what a patient's two films share
        films = np.concatenate([build, build + 1]) + generator.normal(0, 0.5, 120)
        area = areas(films[None], truth, patients)
        found.append(area.areas[0])
        errors.append(area.standard_error())
    # taken for films of 120 patients they would seem to vary by more than twice as much
    assert np.mean(errors) == pytest.approx(np.std(found), rel=0.1)
