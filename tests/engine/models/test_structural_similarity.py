"""Blurring in bands is blurring: what is left out of a narrow Gaussian is nothing."""

from __future__ import annotations

import pytest
import torch

from engine.models.structural_similarity import smoothed


@pytest.mark.parametrize(
    ("size", "sigma_of_size"), [((256, 128), 1 / 64), ((8, 128, 128), 1 / 64), ((256, 256), 3 / 64)]
)
def test_smoothing_is_a_product_with_the_gaussian_along_each_axis(size: tuple[int, ...], sigma_of_size: float) -> None:
    torch.manual_seed(0)
    x = torch.rand(2, 1, *size)
    expected = x.double()
    for axis, extent in enumerate(size, start=2):
        place = torch.arange(extent, dtype=torch.float64)
        weight = torch.exp(-0.5 * ((place[:, None] - place[None]) / (sigma_of_size * extent)) ** 2)
        weight = weight / weight.sum(1, keepdim=True)
        expected = torch.movedim(torch.movedim(expected, axis, -1) @ weight.T, -1, axis)
    torch.testing.assert_close(smoothed(x, sigma_of_size).double(), expected, rtol=0, atol=1e-6)


def test_what_was_computed_for_inference_serves_training() -> None:
    x = torch.rand(1, 1, 48, 48)
    with torch.inference_mode():
        smoothed(x, 1 / 64)
    learned = x.clone().requires_grad_()
    smoothed(learned, 1 / 64).sum().backward()
    assert learned.grad is not None
