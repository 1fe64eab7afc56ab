"""DCGAN as Davletshina et al. 2020 have it: its discriminator is the score. The networks and the score; no training.

arXiv:2001.10883, the supplement's table "DCGAN"; Radford et al., arXiv:1511.06434. No batch normalisation (supplement .4). The table gives no length of
the noise; 2048 is that of the authors' public code. LeakyReLU of .2 downwards and ReLU upwards are Radford's.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from engine.models.base import Anomaly, AnomalyModel, ModelSpec
from engine.models.blocks import convolution_block, transposed_block
from engine.models.davletshina import CITATION
from engine.models.minibatch_discrimination import MinibatchDiscrimination

SLOPE = 0.2
SMALLEST = 4
COMPARISONS = 16
"""Numbers that minibatch discrimination adds: 512 to 528."""


def _halved(width: int, size: int) -> list[int]:
    """`width` channels at 4x4, halved at each doubling, up to half the image's side."""
    if size < 16 or size & (size - 1):
        raise ValueError(f"size must be a power of two of at least 16, not {size}")
    return [max(1, width >> level) for level in range(size.bit_length() - SMALLEST.bit_length())]


class Generator(nn.Module):
    """[B, noise] -> [B, 1024, 4, 4] -> [B, 512, 8, 8] -> ... -> [B, 16, 256, 256] -> [B, 1, 512, 512] in [-1, 1]. A smaller size ends earlier."""

    def __init__(self, size: int, noise: int, width: int = 1024) -> None:
        super().__init__()
        channels = _halved(width, size)
        self.layers = nn.Sequential(
            transposed_block(noise, width, SMALLEST, normalised=False),
            *(transposed_block(a, b, 4, stride=2, padding=1, normalised=False) for a, b in pairwise(channels)),
            nn.ConvTranspose2d(channels[-1], 1, 4, stride=2, padding=1),
            nn.Tanh(),
        )

    def forward(self, z: Tensor) -> Tensor:
        image: Tensor = self.layers(z[:, :, None, None])
        return image


class Discriminator(nn.Module):
    """[B, 1, 512, 512] -> [B, 4, 256, 256] -> ... -> [B, 256, 4, 4] -> [B, 512, 1, 1] -> minibatch discrimination [B, 528, 1, 1] -> [B], a logit.

    The logit is that an image is real. A smaller size leaves out the outermost layers. `width` is the generator's; this has a quarter at 4x4.
    """

    def __init__(self, size: int, width: int = 1024) -> None:
        super().__init__()
        channels = _halved(width // 4, size)[::-1]  # 4, 8, ..., 256
        last = width // 2
        self.descent = nn.Sequential(
            *(
                convolution_block(a, b, 4, stride=2, padding=1, normalised=False, slope=SLOPE)
                for a, b in pairwise([1, *channels])
            ),
            convolution_block(channels[-1], last, SMALLEST, normalised=False, slope=SLOPE),
        )
        self.comparison = MinibatchDiscrimination(last, COMPARISONS)
        self.judgement = nn.Linear(last + COMPARISONS, 1)

    def forward(self, x: Tensor) -> Tensor:
        logit: Tensor = self.judgement(self.comparison(self.descent(x)).flatten(1))
        return logit.flatten()

    def remember(self, x: Tensor) -> None:
        """Compare with these real images, [N, 1, S, S], at inference."""
        self.comparison.remember(self.descent(x))


class DCGAN(AnomalyModel):
    """The discriminator, which scores, and the generator, which draws normals.

    Args:
        size: side of the image, a power of two of at least 16; the paper's is 512.
        width: the generator's channels at 4x4; the paper's is 1024.
        noise: length of the generator's input.
        preprocessing: name in engine.preprocess.
    """

    method: ClassVar[str] = "dcgan"
    primary_score: ClassVar[str] = "discriminator"
    paper: ClassVar[dict[str, str]] = CITATION | {
        "figures": "MURA hands, 512 x 512, fully preprocessed: discriminator AUROC .530 (sd .027); equalised .527 (sd .022)",
    }

    def __init__(
        self, size: int = 512, width: int = 1024, noise: int = 2048, preprocessing: str = "musculoskeletal"
    ) -> None:
        super().__init__()
        self.spec = ModelSpec(spatial_dims=2, size=(size, size), preprocessing=preprocessing)
        self.width, self.noise = width, noise
        self.generator = Generator(size, noise, width)
        self.discriminator = Discriminator(size, width)

    @property
    def architecture(self) -> dict[str, Any]:
        return {
            "size": self.spec.size[0],
            "width": self.width,
            "noise": self.noise,
            "preprocessing": self.spec.preprocessing,
        }

    def anomaly(self, x: Tensor) -> Anomaly:
        """`discriminator`: probability that the image is not real, by D (table 1). There is no reconstruction, and so no heatmap."""
        return Anomaly({"discriminator": torch.sigmoid(-self.discriminator(x).float())})
