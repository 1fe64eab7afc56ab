"""The convolutional autoencoder of Davletshina et al. 2020. The network and its scores; no training.

Davletshina D, Melnychuk V, Tran V, et al. Unsupervised anomaly detection for X-ray images. arXiv:2001.10883, section 2.3 and supplementary tables.

Fully convolutional: pairs of a 3x3 convolution that keeps the size and a 4x4 one that halves it, batch normalisation and ReLU after each; transposed
convolutions on the way back. 512 x 512 pixels become 16 x 16 places of 512 channels, the bottleneck that the paper's text gives. Its table lists
kernels and channels; strides and paddings are those of the authors' public code. The image is in [-1, 1], so that the last layer is a Tanh alone.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, ClassVar

from torch import nn

from engine.models.blocks import convolution_block, transposed_block
from engine.models.davletshina import CITATION
from engine.models.masked_autoencoder import MaskedAutoencoder

LEVELS = 5
"""Halvings, whatever the size: the bottleneck is a thirty-second of the image's side."""


class CAE(MaskedAutoencoder):
    """Encoder and decoder.

    [B, 1, S, S] -> [B, 16, S, S] -> [B, 32, S/2, S/2] -> [B, 64, S/4, S/4] -> [B, 128, S/8, S/8] -> [B, 256, S/16, S/16] -> [B, 512, S/32, S/32] and back.

    Args:
        size: side of the image, a multiple of 32; the paper's is 512.
        width: channels at full size, doubled at each halving; the paper's is 16.
        bottleneck: channels at the smallest size; the paper's is 512. Fewer keep the network from copying what it has never seen.
        preprocessing, heatmap_sigma: as `MaskedAutoencoder` takes them.
    """

    method: ClassVar[str] = "cae"
    primary_score: ClassVar[str] = "mse"
    paper: ClassVar[dict[str, str]] = CITATION | {
        "figures": "MURA hands, 512 x 512, fully preprocessed and equalised: mse AUROC .570 (sd .019), mse_top200 .553 (sd .023)",
    }

    def __init__(
        self,
        size: int = 512,
        width: int = 16,
        bottleneck: int = 512,
        preprocessing: str = "musculoskeletal",
        heatmap_sigma: float = 1 / 64,
    ) -> None:
        super().__init__(size, preprocessing, heatmap_sigma)
        if size < 2**LEVELS or size % 2**LEVELS:
            raise ValueError(f"size must be a multiple of {2**LEVELS}, not {size}")
        self.width, self.bottleneck = width, bottleneck
        channels = [*(width << level for level in range(LEVELS)), bottleneck]  # 16, 32, 64, 128, 256, 512
        halvings: list[nn.Module] = []
        for inputs, outputs in pairwise(channels):
            halvings += [
                convolution_block(1 if inputs == width else inputs, inputs, 3, padding=1),
                convolution_block(inputs, outputs, 4, stride=2, padding=1),
            ]
        self.encoder = nn.Sequential(*halvings)
        self.decoder = nn.Sequential(
            *(transposed_block(low, high, 4, stride=2, padding=1) for low, high in pairwise(channels[::-1])),
            nn.ConvTranspose2d(width, 1, 3, padding=1),
            nn.Tanh(),
        )

    @property
    def architecture(self) -> dict[str, Any]:
        return super().architecture | {"width": self.width, "bottleneck": self.bottleneck}
