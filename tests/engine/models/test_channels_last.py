"""Images of one channel stay channels last through convolutions, with the same numbers."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from engine.models.channels_last import channels_last
from engine.models.upsampled_convolution import UpsampledConvolution


def _lies_last(x: Tensor) -> bool:
    return x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("crop", [False, True])
def test_no_number_changes_and_a_convolution_keeps_the_order(channels: int, crop: bool) -> None:
    x = torch.rand(2, channels, 10, 12)[..., 2:, 4:] if crop else torch.rand(2, channels, 8, 8)
    laid = channels_last(x)
    assert torch.equal(laid, x) and laid.stride(1) == 1
    assert _lies_last(nn.Conv2d(channels, 4, 3, padding=1)(laid))


def test_an_upsampled_convolution_is_laid_out_as_its_weights_are() -> None:
    layer, x = UpsampledConvolution(4, 6, slope=0.2), torch.rand(2, 4, 8, 8)
    plain = layer(x)
    last = layer.to(memory_format=torch.channels_last)(x)
    assert plain.is_contiguous() and _lies_last(last)
    torch.testing.assert_close(last, plain)
