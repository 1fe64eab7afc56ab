"""Two models are compared on the same images and patients, and what is said follows from the figures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from engine.errors import CohortRejected
from engine.imaging.series import Series
from engine.scoring.result import ScoreValue, SeriesResult
from trainers.compare import compared
from trainers.judging import Evaluation, Subject


class Nothing:
    def score(self, series: object) -> object:
        raise AssertionError("a comparison scores nothing")


def subject(name: str, score: str) -> Subject:
    return Subject(name, name, score, (), Nothing())


def evaluation(score: str, values: Sequence[float], abnormal: Sequence[bool], keys: Sequence[int]) -> Evaluation:
    results = [
        SeriesResult(
            Series(str(k), str(k), str(k), "radiograph", "raster", (f"{k}.png",)),
            "",
            "",
            {score: ScoreValue(v, v, False)},
            score,
        )
        for k, v in zip(keys, values, strict=True)
    ]
    return Evaluation(tuple(results), tuple(abnormal), tuple(f"p{k // 2}" for k in keys), {}, {})


def test_a_better_model_is_named_with_its_difference_on_the_shared_images() -> None:
    generator = np.random.default_rng(0)
    truth = np.arange(300) % 3 == 0
    good, weak = generator.normal(2.0 * truth, 1), generator.normal(0.5 * truth, 1)
    first = evaluation("ssim", good, truth.tolist(), range(300))
    # the second could not score the first twenty, and gives the others in another order
    keys = list(range(299, 19, -1))
    second = evaluation("mse", weak[keys], truth[keys].tolist(), keys)
    found = compared(subject("a", "ssim"), first, subject("b", "mse"), second)
    assert (found.n_normal + found.n_abnormal, found.n_patients) == (280, 140)
    assert found.difference == pytest.approx(found.auroc - found.against_auroc) and found.difference > 0.2
    low, high = found.difference_ci95
    assert 0 < low < found.difference < high and found.p_delong is not None and found.p_delong < 0.001
    assert found.in_words().startswith("a tells abnormal from normal images better than b")
    turned = compared(subject("b", "mse"), second, subject("a", "ssim"), first)
    assert turned.difference == pytest.approx(-found.difference)
    assert turned.in_words().startswith("a tells abnormal")


def test_models_that_agree_are_not_said_to_be_equal() -> None:
    generator = np.random.default_rng(1)
    truth = np.arange(60) % 2 == 0
    values = generator.normal(truth, 1)
    noisy = values + generator.normal(0, 0.5, 60)
    one, other = (evaluation("s", v, truth.tolist(), range(60)) for v in (values, noisy))
    found = compared(subject("a", "s"), one, subject("b", "s"), other)
    low, high = found.difference_ci95
    assert low < 0 < high and "does not prove that they are equal" in found.in_words()


def test_models_without_enough_images_in_common_are_not_compared() -> None:
    truth = [False] * 10 + [True] * 10
    one = evaluation("s", range(20), truth, range(20))
    other = evaluation("s", range(20), truth, range(100, 120))
    with pytest.raises(CohortRejected, match="both score only 0 normal and 0 abnormal"):
        compared(subject("a", "s"), one, subject("b", "s"), other)
