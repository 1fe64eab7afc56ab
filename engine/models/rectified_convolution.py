"""A convolution and the LeakyReLU after it as one layer with a convolution's weights, so that inference can run the two in one go."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class RectifiedConvolution(nn.Conv2d):
    """[B, C, H, W] -> convolution -> LeakyReLU -> [B, D, H, W]. The size stays: `kernel` is odd and padded by its half."""

    def __init__(self, inputs: int, outputs: int, kernel: int, slope: float) -> None:
        super().__init__(inputs, outputs, kernel, padding=kernel // 2)
        self.slope = slope

    def forward(self, x: Tensor) -> Tensor:
        return F.leaky_relu(super().forward(x), self.slope, inplace=True)

    def for_inference(self) -> nn.Sequential:
        """The same two steps apart, as the preparation for inference looks for them."""
        kernel = self.kernel_size[0]
        convolution = nn.Conv2d(self.in_channels, self.out_channels, kernel, padding=kernel // 2)
        convolution.load_state_dict(self.state_dict())
        return nn.Sequential(convolution, nn.LeakyReLU(self.slope, inplace=True))
