"""The two autoencoders of Bozorgtabar et al. 2020, whose code is a unit vector. Networks alone: no memory, no scores.

`UNetAutoencoder`, for chests: "We base our network architecture on the U-Net, consisting of a 6-layer convolutional encoder network and a 6-layer
up-sampling convolutional decoder network without skip connections (both have batch normalization and leaky ReLU after each layer). The last encoder
output features are projected to a 200-dimensional space, and L2 normalized." The paper says no more of its layers. Our reading:

- The last of the decoder's six layers has neither batch normalisation nor LeakyReLU, but a Tanh, whatever "after each layer" says: it draws the image,
  whose dark half, below 0, a LeakyReLU would squeeze. The two linear layers, to the code and back, have neither of them either.
- Each layer halves or doubles the side with one 4x4 kernel, upwards by transposed convolution; channels double from `width` (U-Net's 64) to at most
  eight times it. The paper gives neither channels nor kernels, nor the slope of LeakyReLU.

`ResNetAutoencoder`, for limbs: "a ResNet-18 and a mirrored ResNet-18". The encoder is that of He et al. 2016, table 1, its average pooling included. Of
the mirror the paper says nothing; ours begins with 4 x 4 places, doubles the side by nearest neighbours where the encoder halves it, and ends in a
convolution and a Tanh without batch normalisation, as above.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from engine.models.blocks import convolution_block, transposed_block

SLOPE = (
    0.2  # of LeakyReLU; the paper names the activation but not its slope: that of the public U-Nets with 4x4 kernels
)
LAYERS = 6
START = 4
"""Places along a side with which the mirror of ResNet-18 begins."""

NetworkName = Literal["unet", "resnet18"]


class NormalisedAutoencoder(nn.Module):
    """[B, 1, S, S] -> unit code [B, code] -> [B, 1, S, S] in [-1, 1]."""

    encoder: nn.Sequential
    decoder: nn.Sequential

    def encode(self, x: Tensor) -> Tensor:
        """[B, 1, S, S] -> [B, code] float32 of length 1."""
        return F.normalize(self.encoder(x).float(), dim=1)

    def decode(self, z: Tensor) -> Tensor:
        """[B, code] -> [B, 1, S, S] in [-1, 1]."""
        drawn: Tensor = self.decoder(z)
        return drawn

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """[B, 1, S, S] -> code and reconstruction."""
        z = self.encode(x)
        return z, self.decode(z)


class UNetAutoencoder(NormalisedAutoencoder):
    """[B, 1, 256, 256] -> [B, 64, 128, 128] -> 128 at 64 -> 256 at 32 -> 512 at 16 -> 512 at 8 -> 512 at 4 -> [B, 200] and back.

    Args:
        size: side of the image, a multiple of 64.
        width: channels after the first layer.
        code: length of the code.
    """

    def __init__(self, size: int, width: int, code: int) -> None:
        super().__init__()
        side = size >> LAYERS
        if side < 1 or size % 2**LAYERS:
            raise ValueError(f"size must be a multiple of {2**LAYERS}, not {size}")
        channels = [width * min(2**layer, 8) for layer in range(LAYERS)]
        bottom = channels[-1] * side**2
        self.encoder = nn.Sequential(
            *(
                convolution_block(low, high, 4, stride=2, padding=1, slope=SLOPE)
                for low, high in pairwise([1, *channels])
            ),
            nn.Flatten(),
            nn.Linear(bottom, code),
        )
        self.decoder = nn.Sequential(
            nn.Linear(code, bottom),
            nn.Unflatten(1, (channels[-1], side, side)),
            *(
                transposed_block(high, low, 4, stride=2, padding=1, slope=SLOPE)
                for high, low in pairwise(channels[::-1])
            ),
            nn.ConvTranspose2d(channels[0], 1, 4, stride=2, padding=1),
            nn.Tanh(),
        )


class ResidualBlock(nn.Module):
    """ResNet's basic block, and the same with the size doubled first: two 3x3 convolutions beside a shortcut (He 2016, figure 2).

    Args:
        scale: .5 halves the side, 2 doubles it, 1 keeps it.
    """

    def __init__(self, inputs: int, outputs: int, scale: float = 1) -> None:
        super().__init__()
        self.upwards = scale > 1
        stride = 2 if scale < 1 else 1
        self.deviation = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        same = inputs == outputs and stride == 1
        self.shortcut = (
            nn.Identity()
            if same
            else nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, H, W] -> [B, outputs, H scale, W scale]."""
        if self.upwards:
            x = F.interpolate(x, scale_factor=2, mode="nearest")
        return F.relu(self.deviation(x) + self.shortcut(x))


class ResNetAutoencoder(NormalisedAutoencoder):
    """[B, 1, 512, 512] -> 64 at 256 -> 64 at 128 -> 128 at 64 -> 256 at 32 -> 512 at 16 -> mean [B, 512] -> [B, 200] -> 512 at 4, at 16, and back.

    Args:
        size: side of the image, a multiple of 32.
        width: channels of the first stage; ResNet-18's is 64.
        code: length of the code.
    """

    def __init__(self, size: int, width: int, code: int) -> None:
        super().__init__()
        if size < 32 or size % 32:
            raise ValueError(f"size must be a multiple of 32, not {size}")
        stages = [width, 2 * width, 4 * width, 8 * width]
        down: list[nn.Module] = [ResidualBlock(width, width), ResidualBlock(width, width)]
        up: list[nn.Module] = []
        for low, high in pairwise(stages):
            down += [ResidualBlock(low, high, 0.5), ResidualBlock(high, high)]
            up = [ResidualBlock(high, high), ResidualBlock(high, low, 2), *up]
        self.encoder = nn.Sequential(
            convolution_block(1, width, 7, stride=2, padding=3),
            nn.MaxPool2d(3, 2, 1),
            *down,
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(stages[-1], code),
        )
        self.decoder = nn.Sequential(
            nn.Linear(code, stages[-1] * START**2),
            nn.Unflatten(1, (stages[-1], START, START)),
            nn.UpsamplingNearest2d(size=size // 32),
            *up,
            ResidualBlock(width, width),
            ResidualBlock(width, width),
            nn.UpsamplingNearest2d(scale_factor=2),  # the mirror of the pooling
            nn.UpsamplingNearest2d(scale_factor=2),  # and of the first convolution's stride
            nn.Conv2d(width, 1, 7, padding=3),
            nn.Tanh(),
        )


def normalised_autoencoder(network: NetworkName, size: int, width: int, code: int) -> NormalisedAutoencoder:
    """One of the two, by name. Raises ValueError for another."""
    kinds: dict[str, type[UNetAutoencoder] | type[ResNetAutoencoder]] = {
        "unet": UNetAutoencoder,
        "resnet18": ResNetAutoencoder,
    }
    if network not in kinds:
        raise ValueError(f"network must be one of {', '.join(kinds)}, not {network}")
    return kinds[network](size, width, code)
