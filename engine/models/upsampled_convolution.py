"""Nearest upsampling, a 3x3 convolution and a LeakyReLU as one layer, without the large image between and in 4/9 of the multiplications."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# [row of the 4x4 kernel, row of the 3x3 kernel]. A row of the small image is two of the doubled one, so it meets each output row in its reach
# under one row of the 3x3 kernel or under two of them at once: the transposed kernel holds their sums. It runs backwards, from the output
# row above the pair to the one below.
_ROWS = torch.tensor([[0.0, 0, 1], [0, 1, 1], [1, 1, 0], [1, 0, 0]])


class UpsampledConvolution(nn.Conv2d):
    """[B, C, H, W] -> nearest upsampling -> 3x3 convolution with padding 1 -> LeakyReLU -> [B, D, 2H, 2W]. A `slope` of 1 is no LeakyReLU."""

    def __init__(self, inputs: int, outputs: int, slope: float = 1.0) -> None:
        super().__init__(inputs, outputs, 3, padding=1)
        self.slope = slope

    def forward(self, x: Tensor) -> Tensor:
        h = F.conv_transpose2d(x, self._summed(self.weight), self.bias, stride=2, padding=1)
        return h if self.slope == 1 else F.leaky_relu(h, self.slope, inplace=True)

    def for_inference(self) -> nn.Sequential:
        """The two steps apart, as the preparation for inference looks for them, the weights summed once."""
        transposed = nn.ConvTranspose2d(self.in_channels, self.out_channels, 4, stride=2, padding=1)
        with torch.no_grad():
            transposed.weight.copy_(self._summed(self.weight.double()))  # in float64, so that the sums are rounded once
            if self.bias is not None and transposed.bias is not None:
                transposed.bias.copy_(self.bias)
        return nn.Sequential(transposed, nn.LeakyReLU(self.slope, inplace=True))

    @staticmethod
    def _summed(weight: Tensor) -> Tensor:
        """[D, C, 3, 3] -> [C, D, 4, 4] of the transposed convolution that says the same, laid out as `weight` is."""
        rows = _ROWS.to(weight.device, weight.dtype)
        summed = torch.einsum("au,bv,oiuv->ioab", rows, rows, weight)
        last = weight.is_contiguous(memory_format=torch.channels_last)
        return summed.contiguous(memory_format=torch.channels_last if last else torch.contiguous_format)
