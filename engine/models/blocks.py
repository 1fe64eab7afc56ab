"""A convolution with its normalisation and activation, downwards and upwards: the steps that most published networks here are made of. No network itself.

Each is a Sequential of plain layers, so that inference can fold the normalisation and the activation into the convolution.
"""

from __future__ import annotations

from torch import nn


def convolution_block(
    inputs: int,
    outputs: int,
    kernel: int,
    stride: int = 1,
    padding: int = 0,
    *,
    normalised: bool = True,
    slope: float = 0.0,
) -> nn.Sequential:
    """[B, inputs, H, W] -> convolution, batch normalisation, LeakyReLU -> [B, outputs, H', W'] with H' = (H + 2 padding - kernel) // stride + 1.

    Args:
        normalised: with batch normalisation, and then without a bias of the convolution's own, which it would cancel.
        slope: of the LeakyReLU; 0 is a ReLU.
    """
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=not normalised)
    return nn.Sequential(convolution, *_after(outputs, normalised, slope))


def transposed_block(
    inputs: int,
    outputs: int,
    kernel: int,
    stride: int = 1,
    padding: int = 0,
    *,
    normalised: bool = True,
    slope: float = 0.0,
) -> nn.Sequential:
    """[B, inputs, H, W] -> transposed convolution, batch normalisation, LeakyReLU -> [B, outputs, H', W'], H' = (H - 1) stride - 2 padding + kernel.

    Arguments as in `convolution_block`.
    """
    convolution = nn.ConvTranspose2d(inputs, outputs, kernel, stride, padding, bias=not normalised)
    return nn.Sequential(convolution, *_after(outputs, normalised, slope))


def _after(channels: int, normalised: bool, slope: float) -> list[nn.Module]:
    rectifier: nn.Module = nn.LeakyReLU(slope, inplace=True) if slope else nn.ReLU(inplace=True)
    return [nn.BatchNorm2d(channels), rectifier] if normalised else [rectifier]
