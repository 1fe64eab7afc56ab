"""The alpha-GAN of Davletshina et al. 2020, made for radiographs of hands. The networks and their scores; no training.

arXiv:2001.10883, section 2.4 and the supplement's table "alpha-GAN"; after Rosca et al., arXiv:1706.04987. Another network than Nakao's `alpha-gan`: a
drawn code, both discriminators kept for scoring, hinge losses, self-attention and minibatch discrimination.
"""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn

from engine.models.attention_ladders import SLOPE, SMALLEST, AttentionDescent, AttentionGenerator, AttentionLadderModel
from engine.models.base import Anomaly
from engine.models.davletshina import CITATION
from engine.models.masked_error import judged_reconstruction
from engine.models.minibatch_discrimination import MinibatchDiscrimination

COMPARISONS = 4
"""Channels that minibatch discrimination adds: 1024 to 1028."""


class Encoder(nn.Module):
    """[B, 1, 128, 128] -> [B, 64, 64, 64] -> [B, 128, 32, 32] -> [B, 256, 16, 16] -> [B, 512, 8, 8] -> [B, 1024, 4, 4] -> mean, log-variance [B, 200].

    Both go through a Tanh, as in the authors' public code. A standard deviation then stays between .6 and 1.65, and a mean cannot run away from a code
    discriminator that learns slowly: without it, the first epoch on 425 knees took codes to hundreds of thousands.
    """

    def __init__(self, size: int, code: int, width: int = 64) -> None:
        super().__init__()
        self.descent = AttentionDescent(size, width)
        self.mean = nn.Conv2d(self.descent.channels, code, SMALLEST)
        self.log_variance = nn.Conv2d(self.descent.channels, code, SMALLEST)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.descent(x)
        return torch.tanh(self.mean(h)).flatten(1), torch.tanh(self.log_variance(h)).flatten(1)


class Discriminator(nn.Module):
    """[B, 1, 128, 128] -> as the encoder [B, 1024, 4, 4] -> minibatch discrimination [B, 1028, 4, 4] -> [B], the logit that an image is real."""

    def __init__(self, size: int, width: int = 64) -> None:
        super().__init__()
        self.descent = AttentionDescent(size, width)
        channels = self.descent.channels
        self.comparison = MinibatchDiscrimination(channels * SMALLEST**2, COMPARISONS)
        self.judgement = nn.Conv2d(channels + COMPARISONS, 1, SMALLEST)

    def forward(self, x: Tensor) -> Tensor:
        logit: Tensor = self.judgement(self.comparison(self.descent(x)))
        return logit.flatten()

    def remember(self, x: Tensor) -> None:
        """Compare with these real images, [N, 1, S, S], at inference."""
        self.comparison.remember(self.descent(x))


class CodeDiscriminator(nn.Sequential):
    """[B, 200] -> 100 -> 50 -> 25 -> [B, 1], the logit that a code was drawn from the standard Gaussian."""

    def __init__(self, code: int) -> None:
        widths = [code, code // 2, code // 4, code // 8]
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            layers += [nn.Linear(inputs, outputs), nn.LeakyReLU(SLOPE)]
        super().__init__(*layers, nn.Linear(widths[-1], 1))


class HandAlphaGAN(AttentionLadderModel):
    """All four networks, of the sizes that `AttentionLadderModel` takes: both discriminators score."""

    method: ClassVar[str] = "hand-alpha-gan"
    primary_score: ClassVar[str] = "discriminator"
    paper: ClassVar[dict[str, str]] = CITATION | {
        "figures": (
            "MURA hands, 128 x 128, fully preprocessed: discriminator AUROC .607 (sd .016), code_and_discriminator .607, code_discriminator .500, "
            "mse .442; equalised: discriminator .584, mse .528, mse_top200 .533"
        ),
    }

    def make_networks(self, size: int, width: int, code: int) -> None:
        if code < 8:
            raise ValueError(f"code must be at least 8 numbers, not {code}")
        self.encoder = Encoder(size, code, width)
        self.generator = AttentionGenerator(size, code, width)
        self.discriminator = Discriminator(size, width)
        self.code_discriminator = CodeDiscriminator(code)

    def anomaly(self, x: Tensor) -> Anomaly:
        """Table 1's scores, from the mean of the code, so that they can be repeated; `ssim` and `local_error` are not the paper's.

        `discriminator`: probability that the image is not real, by D. `code_discriminator`: that its code is not of the prior, by C.
        `code_and_discriminator`: the mean of both. `mse`, `mse_top200`: of the reconstruction; see `judged_reconstruction`.
        """
        mean, _ = self.encoder(x)
        found = judged_reconstruction(x, self.generator(mean), self.heatmap_sigma)
        unreal = torch.sigmoid(-self.discriminator(x).float())
        unlikely = torch.sigmoid(-self.code_discriminator(mean).float().flatten())
        own = {
            "discriminator": unreal,
            "code_discriminator": unlikely,
            "code_and_discriminator": (unreal + unlikely) / 2,
        }
        return Anomaly(found.scores | own, found.heatmap, found.reconstruction)

    @torch.no_grad()
    def sample(self, count: int, temperature: float, generator: torch.Generator) -> Tensor:
        """[count, 1, S, S] in [-1, 1]: fictional normals, codes drawn with `temperature` as their standard deviation."""
        z = temperature * torch.randn(count, self.code, generator=generator)
        return self.generator(z.to(next(self.generator.parameters()).device)).float()
