"""Average pooling as a convolution of each channel with equal weights, at which oneDNN is several times faster. Networks are not written in terms of it."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class DepthwisePooling(nn.Module):
    """[B, C, H, W] -> the mean of each `size` x `size` square -> [B, C, H // size, W // size], on the CPU."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        weight = x.new_full((x.shape[1], 1, self.size, self.size), 1 / self.size**2)
        return F.conv2d(x, weight, stride=self.size, groups=x.shape[1])


def quicken_pooling(module: nn.Module) -> None:
    """Replace each average pooling over squares that neither overlap nor reach over the border, in place."""
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.AvgPool2d) and (size := _square(child)):
                setattr(parent, name, DepthwisePooling(size))


def _square(layer: nn.AvgPool2d) -> int:
    """The side of a pooling's squares, or 0 where it is not of the plain kind."""
    size = layer.kernel_size
    plain = layer.stride == size and layer.padding == 0 and not layer.ceil_mode and layer.divisor_override is None
    return size if plain and isinstance(size, int) else 0
