"""A wide convolution in fewer multiplications says and learns what the plain one does."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from engine.models.rectified_convolution import RectifiedConvolution
from engine.models.winograd_training import FEWEST_CHANNELS, WinogradConvolution, quicken_wide_convolutions


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("shape", [(3, 8, 12), (1, 4, 4), (2, 2, 2), (2, 6, 5)])
def test_results_and_gradients_are_the_plain_layers(shape: tuple[int, int, int], layout: torch.memory_format) -> None:
    torch.manual_seed(0)
    plain = RectifiedConvolution(6, 5, 3, 0.2)
    quick = WinogradConvolution(plain)
    x = torch.randn(shape[0], 6, *shape[1:]).contiguous(memory_format=layout).requires_grad_()
    expected, found = plain(x), quick(x)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    weights = torch.randn_like(expected)
    leaves = (x, plain.weight, plain.bias)
    for one, other in zip(
        torch.autograd.grad(found, leaves, weights), torch.autograd.grad(expected, leaves, weights), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-4)


def test_only_wide_layers_are_replaced_and_their_parameters_stay_where_they_were() -> None:
    wide, narrow = (
        RectifiedConvolution(FEWEST_CHANNELS, 4, 3, 0.2),
        RectifiedConvolution(FEWEST_CHANNELS // 2, 4, 3, 0.2),
    )
    network = nn.ModuleDict({"wide": wide, "narrow": narrow, "point": RectifiedConvolution(FEWEST_CHANNELS, 4, 1, 0.2)})
    before = dict(network.named_parameters())
    quicken_wide_convolutions(network)
    assert isinstance(network["wide"], WinogradConvolution) and network["narrow"] is narrow
    assert isinstance(network["point"], RectifiedConvolution)
    after = dict(network.named_parameters())
    assert after.keys() == before.keys() and all(after[name] is before[name] for name in after)
