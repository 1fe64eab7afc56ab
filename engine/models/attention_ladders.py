"""What BiGAN and alpha-GAN of Davletshina et al. 2020 share (supplementary tables): the generator, the descending half, their sizes. No method itself.

4x4 convolutions that halve or double, `width` channels next to the image and twice as many at each halving: 64, 128, ..., 1024 at 4x4 for the paper's
128 x 128 pixels. A smaller size leaves out the innermost rungs. The two layers that carry self-attention (the tables' sign for it was lost in the
copy at hand), LeakyReLU of .1 downwards, and batch normalisation with ReLU upwards are those of the authors' public code.
"""

from __future__ import annotations

from abc import abstractmethod
from itertools import pairwise
from typing import Any

from torch import Tensor, nn

from engine.models.base import AnomalyModel, ModelSpec
from engine.models.blocks import convolution_block, transposed_block
from engine.models.self_attention import SelfAttention

SMALLEST = 4
SLOPE = 0.1


def ladder_channels(size: int, width: int) -> list[int]:
    """Channels at size / 2, size / 4, ..., 4. Raises ValueError for a size that is no power of two of at least 32."""
    if size < 32 or size & (size - 1):
        raise ValueError(f"size must be a power of two of at least 32, not {size}")
    return [width << level for level in range(size.bit_length() - SMALLEST.bit_length())]


def _he_initialised(layer: nn.Module) -> None:
    """Weights that keep a signal's size through LeakyReLU (He et al. 2015), as nothing normalises it downwards.

    With torch's own the signal all but dies on its way: an encoder's codes were then alike for every image before it had learned to tell them apart, at
    the ends of their Tanh, and stayed there.
    """
    if isinstance(layer, nn.Conv2d):
        nn.init.kaiming_normal_(layer.weight, a=SLOPE, nonlinearity="leaky_relu")
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


class AttentionDescent(nn.Sequential):
    """[B, 1, S, S] -> [B, 64, S/2, S/2] -> ... -> [B, 1024, 4, 4], with self-attention after the last two."""

    def __init__(self, size: int, width: int = 64) -> None:
        channels = ladder_channels(size, width)
        layers: list[nn.Module] = []
        for level, (low, high) in enumerate(pairwise([1, *channels])):
            layers.append(convolution_block(low, high, 4, stride=2, padding=1, normalised=False, slope=SLOPE))
            layers += [SelfAttention(high)] if level >= len(channels) - 2 else []
        super().__init__(*layers)
        self.channels = channels[-1]
        self.apply(_he_initialised)


class AttentionGenerator(nn.Module):
    """[B, code] -> [B, 1024, 4, 4] -> ... -> [B, 64, S/2, S/2] -> [B, 1, S, S] in [-1, 1], with self-attention before the last two."""

    def __init__(self, size: int, code: int, width: int = 64) -> None:
        super().__init__()
        channels = ladder_channels(size, width)[::-1]
        layers: list[nn.Module] = [transposed_block(code, channels[0], 4)]
        for level, (high, low) in enumerate(pairwise(channels), start=1):
            layers.append(transposed_block(high, low, 4, stride=2, padding=1))
            layers += [SelfAttention(low)] if level >= len(channels) - 2 else []
        self.layers = nn.Sequential(*layers, nn.ConvTranspose2d(channels[-1], 1, 4, stride=2, padding=1), nn.Tanh())

    def forward(self, z: Tensor) -> Tensor:
        image: Tensor = self.layers(z[:, :, None, None])
        return image


class AttentionLadderModel(AnomalyModel):
    """A method whose networks are ladders of one size, width and code.

    Args:
        size: side of the image, a power of two of at least 32; the paper's is 128.
        width: channels next to the image; the paper's is 64, and 1024 at 4x4.
        code: length of the code; the paper's is 200.
        preprocessing: name in engine.preprocess.
        heatmap_sigma: the heatmap's smoothing as a share of the side.
    """

    def __init__(
        self,
        size: int = 128,
        width: int = 64,
        code: int = 200,
        preprocessing: str = "musculoskeletal",
        heatmap_sigma: float = 1 / 64,
    ) -> None:
        super().__init__()
        self.spec = ModelSpec(spatial_dims=2, size=(size, size), preprocessing=preprocessing)
        self.width, self.code, self.heatmap_sigma = width, code, heatmap_sigma
        self.make_networks(size, width, code)

    @abstractmethod
    def make_networks(self, size: int, width: int, code: int) -> None:
        """Set the method's networks. Raises ValueError for a size or code that they cannot have."""

    @property
    def architecture(self) -> dict[str, Any]:
        return {
            "size": self.spec.size[0],
            "width": self.width,
            "code": self.code,
            "preprocessing": self.spec.preprocessing,
            "heatmap_sigma": self.heatmap_sigma,
        }
