"""The short way through a decoder's last layer is the long one's equal, and only such layers take it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from engine.models.narrow_transposed import NarrowTransposed, is_narrow, quicken_narrow

Sides = int | tuple[int, int]


@pytest.mark.parametrize(("kernel", "stride", "padding"), [(4, 2, 1), (2, 2, 0), (3, 1, 1), ((4, 2), (2, 1), (1, 0))])
@pytest.mark.parametrize("outputs", [1, 3])
@torch.inference_mode()
def test_it_says_what_the_transposed_convolution_says(
    kernel: Sides, stride: Sides, padding: Sides, outputs: int
) -> None:
    torch.manual_seed(0)
    layer = nn.ConvTranspose2d(6, outputs, kernel, stride, padding)
    x = torch.randn(3, 6, 5, 7)
    for layout in (torch.contiguous_format, torch.channels_last):
        laid = x.contiguous(memory_format=layout)
        torch.testing.assert_close(NarrowTransposed(layer)(laid), layer(x), rtol=1e-5, atol=1e-5)


def test_other_layers_are_left_as_they_are() -> None:
    plain = nn.ConvTranspose2d(8, 1, 4, 2, 1)
    others = [
        nn.ConvTranspose2d(8, 8, 4, 2, 1),
        nn.ConvTranspose2d(8, 2, 4, 2, 1, groups=2),
        nn.ConvTranspose2d(8, 1, 3, 2, 1, output_padding=1),
        nn.ConvTranspose2d(8, 1, 3, dilation=2),
        nn.Conv2d(8, 1, 3),
    ]
    assert is_narrow(plain) and not any(is_narrow(layer) for layer in others)
    network = nn.Sequential(nn.Sequential(plain, nn.Tanh()), *others)
    quicken_narrow(network)
    assert isinstance(network[0][0], NarrowTransposed) and list(network[1:]) == others
