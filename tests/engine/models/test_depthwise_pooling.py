"""The faster pooling is average pooling, and replaces no other."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from engine.models.depthwise_pooling import DepthwisePooling, quicken_pooling


@pytest.mark.parametrize("shape", [(3, 8, 16, 16), (1, 1, 8, 8), (2, 5, 7, 9)])
@pytest.mark.parametrize("size", [2, 3])
def test_it_is_average_pooling(shape: tuple[int, ...], size: int) -> None:
    torch.manual_seed(0)
    x = torch.randn(shape).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        torch.testing.assert_close(DepthwisePooling(size)(x), nn.AvgPool2d(size)(x), rtol=1e-5, atol=1e-6)


def test_pooling_that_overlaps_pads_or_counts_otherwise_is_left_alone() -> None:
    kept = [
        nn.AvgPool2d(3, stride=2),
        nn.AvgPool2d(2, padding=1),
        nn.AvgPool2d(2, ceil_mode=True),
        nn.AvgPool2d(2, divisor_override=3),
        nn.AvgPool2d((2, 2)),
        nn.MaxPool2d(2),
    ]
    layers = nn.Sequential(*kept, nn.Sequential(nn.AvgPool2d(2)))
    quicken_pooling(layers)
    assert list(layers)[:-1] == kept
    assert isinstance(layers[-1][0], DepthwisePooling)
