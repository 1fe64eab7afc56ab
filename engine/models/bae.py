"""The bottleneck autoencoder of Davletshina et al. 2020. The network and its scores; no training.

arXiv:2001.10883, supplementary tables. As the CAE it is fully convolutional, but each level is halved again by max-pooling, and doubled again by
nearest-neighbour upsampling on the way back (the table's *): 512 x 512 pixels end in one place of 256 channels. The table's text was lost in the
copy at hand; channels, kernels and strides are those of the authors' public code, ReLU and batch normalisation those of the paper's section 2.3.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, ClassVar

from torch import nn

from engine.models.blocks import convolution_block, transposed_block
from engine.models.davletshina import CITATION
from engine.models.masked_autoencoder import MaskedAutoencoder

STRIDED = 4
"""Convolutions that halve; the poolings do the rest of the way down to one place."""


class BAE(MaskedAutoencoder):
    """Encoder and decoder.

    [B, 1, 512, 512] -> [B, 16, 256, 256] -> [B, 32, 64, 64] -> [B, 64, 16, 16] -> [B, 128, 4, 4] -> [B, 256, 1, 1] and back. A smaller size leaves
    out the innermost poolings, so that the code stays one place.

    Args:
        size: side of the image, a power of two from 32 to 512; the paper's is 512.
        width: channels at full size, doubled at each level; the paper's is 16, and the code sixteen times that.
        preprocessing, heatmap_sigma: as `MaskedAutoencoder` takes them.
    """

    method: ClassVar[str] = "bae"
    primary_score: ClassVar[str] = "mse"
    paper: ClassVar[dict[str, str]] = CITATION | {
        "figures": "none: the paper describes this network and leaves it out of its table 1",
    }

    def __init__(
        self, size: int = 512, width: int = 16, preprocessing: str = "musculoskeletal", heatmap_sigma: float = 1 / 64
    ) -> None:
        super().__init__(size, preprocessing, heatmap_sigma)
        if size not in (32, 64, 128, 256, 512):
            raise ValueError(f"size must be a power of two from 32 to 512, not {size}")
        self.width = width
        poolings = size.bit_length() - 1 - STRIDED  # five at 512
        channels = [width << level for level in range(STRIDED + 1)]  # 16, 32, 64, 128, 256
        code = channels[-1]
        down: list[nn.Module] = [convolution_block(1, width, 3, padding=1)]
        for level, (inputs, outputs) in enumerate(pairwise(channels)):
            down += [nn.MaxPool2d(2)] if level < poolings else []
            down += [convolution_block(inputs, outputs, 4, stride=2, padding=1)]
        down += [nn.MaxPool2d(2)] if poolings > STRIDED else []
        self.encoder = nn.Sequential(*down, convolution_block(code, code, 1))
        up: list[nn.Module] = [transposed_block(code, code, 1)]
        up += [nn.Upsample(scale_factor=2)] if poolings > STRIDED else []
        for level in reversed(range(STRIDED)):
            up += [transposed_block(channels[level + 1], channels[level], 4, stride=2, padding=1)]
            up += [nn.Upsample(scale_factor=2)] if level < poolings else []
        self.decoder = nn.Sequential(*up, nn.ConvTranspose2d(width, 1, 3, padding=1), nn.Tanh())

    @property
    def architecture(self) -> dict[str, Any]:
        return super().architecture | {"width": self.width}
