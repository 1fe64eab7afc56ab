"""Two populations lie as far apart as their kernel means do, and one population not at all on average."""

from __future__ import annotations

import math

import pytest
import torch

from trainers.two_samples import median_square_distance, small_averages, squared_discrepancy


def test_the_discrepancy_is_equation_3_by_hand() -> None:
    first, second = torch.tensor([[0.0], [1.0]]), torch.tensor([[0.0], [2.0], [3.0]])

    def k(a: float, b: float) -> float:
        return math.exp(-((a - b) ** 2) / 2)

    within = (k(0, 2) + k(0, 3) + k(2, 3)) / 3
    between = sum(k(a, b) for a in (0, 1) for b in (0, 2, 3)) / 6
    assert squared_discrepancy(first, second, 2.0) == pytest.approx(k(0, 1) + within - 2 * between, rel=1e-6)


def test_samples_of_one_population_are_apart_by_nothing_on_average_and_others_by_more() -> None:
    generator = torch.Generator().manual_seed(0)
    same = [
        squared_discrepancy(torch.randn(20, 3, generator=generator), torch.randn(30, 3, generator=generator), 4.0)
        for _ in range(200)
    ]
    assert abs(sum(same) / 200) < 0.005 and min(same) < 0
    moved = squared_discrepancy(
        torch.randn(20, 3, generator=generator), torch.randn(30, 3, generator=generator) + 2, 4.0
    )
    assert moved > 5 * max(same)


def test_the_width_is_the_median_of_squared_distances_and_never_nothing() -> None:
    assert median_square_distance(torch.tensor([[0.0], [1.0], [4.0]])) == pytest.approx(9.0)
    assert median_square_distance(torch.zeros(5, 3)) > 0


def test_images_are_compared_by_averages_of_16_by_16_places() -> None:
    x = torch.arange(64.0 * 64).view(1, 1, 64, 64)
    assert small_averages(x).shape == (1, 256)
    assert float(small_averages(x)[0, 0]) == pytest.approx(float(x[0, 0, :4, :4].mean()))
