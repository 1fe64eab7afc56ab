"""Nearest upsampling and the 3x3 convolution after it as one convolution on the small grid: the same numbers, without the large image between."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# [parity of the output row, row of the small kernel, row of the 3x3 kernel]: of three rows around an output row of the doubled image, an even
# row sees one of the small row above and two of its own, an odd row two of its own and one of the small row below.
_ROWS = torch.tensor(
    [[[1.0, 0, 0], [0, 1, 1], [0, 0, 0]], [[0, 0, 0], [1, 1, 0], [0, 0, 1]]],
)


MOST_CHANNELS = 16
"""Above as many outputs the plain way is the faster one."""


class UpsampledConvolution(nn.Conv2d):
    """[B, C, H, W] -> nearest upsampling -> 3x3 convolution with padding 1 -> [B, D, 2H, 2W].

    `folded` takes the short way: four times the output channels on a quarter of the places, which processors like better where channels are few.
    It is for inference (inference.py sets it); training goes the plain way.
    """

    folded = False

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        if not self.folded or self.out_channels > MOST_CHANNELS:
            return super().forward(F.interpolate(x, scale_factor=2, mode="nearest"))
        rows = _ROWS.to(self.weight)
        outputs, inputs = self.weight.shape[:2]
        weight = torch.einsum("yau,xbv,oiuv->oyxiab", rows, rows, self.weight).reshape(outputs * 4, inputs, 3, 3)
        bias = None if self.bias is None else self.bias.repeat_interleave(4)
        return F.pixel_shuffle(F.conv2d(x, weight, bias, padding=1), 2)
