"""The share of normals in a mixture is found without labels, never far below the truth, and not from a handful of images."""

from __future__ import annotations

import numpy as np
import pytest

from trainers.mixture_proportion import normal_share


def _scores(share: float, apart: float, count: int = 600) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(3)
    normals = round(count * share)
    mixture = np.concatenate([generator.normal(0, 1, normals), generator.normal(-apart, 1, count - normals)])
    return generator.normal(0, 1, count), mixture


@pytest.mark.parametrize("share", [0.3, 0.5, 0.9])
def test_the_share_is_found_where_abnormal_images_stand_apart(share: float) -> None:
    assert normal_share(*_scores(share, apart=5)) == pytest.approx(share, abs=0.06)


def test_images_that_look_normal_count_as_normal() -> None:
    assert normal_share(*_scores(0.5, apart=0)) == pytest.approx(1, abs=0.1)
    assert normal_share(*_scores(0.5, apart=5)) < normal_share(*_scores(0.5, apart=1)) < 0.95


def test_a_few_extreme_normals_do_not_decide() -> None:
    known, mixture = _scores(0.5, apart=5)
    known[:3] = 50  # above every image of the mixture: the least quotient of all would be nothing
    assert normal_share(known, mixture) == pytest.approx(0.5, abs=0.06)


def test_an_estimate_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="needs"):
        normal_share(np.zeros(0), np.zeros(3))
