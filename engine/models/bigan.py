"""BiGAN as Davletshina et al. 2020 have it: an encoder learns to undo the generator, a discriminator judges pairs. Networks and scores; no training.

arXiv:2001.10883, the supplement's table "BiGAN"; Donahue et al., Adversarial feature learning, 2017.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from engine.models.attention_ladders import SLOPE, SMALLEST, AttentionDescent, AttentionGenerator, AttentionLadderModel
from engine.models.base import Anomaly
from engine.models.blocks import convolution_block
from engine.models.davletshina import CITATION
from engine.models.masked_error import judged_reconstruction


class Encoder(nn.Module):
    """[B, 1, 128, 128] -> [B, 64, 64, 64] -> [B, 128, 32, 32] -> [B, 256, 16, 16] -> [B, 512, 8, 8] -> [B, 1024, 4, 4] -> [B, 200]."""

    def __init__(self, size: int, code: int, width: int = 64) -> None:
        super().__init__()
        self.descent = AttentionDescent(size, width)
        self.code = nn.Conv2d(self.descent.channels, code, SMALLEST)

    def forward(self, x: Tensor) -> Tensor:
        z: Tensor = self.code(self.descent(x))
        return z.flatten(1)


class Discriminator(nn.Module):
    """An image's branch and a code's, and what both say together: the logit that a pair is an image and its code, not a code and what was drawn from it.

    Image: as the encoder [B, 1024, 4, 4] -> [B, 1024, 1, 1]. Code: [B, 200, 1, 1] -> 512 -> 512. Both: 1536 -> 1024 -> 1024 -> [B].
    """

    def __init__(self, size: int, code: int, width: int = 64) -> None:
        super().__init__()
        descent = AttentionDescent(size, width)
        image = descent.channels
        half = image // 2

        def block(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
            return convolution_block(inputs, outputs, kernel, normalised=False, slope=SLOPE)

        self.image = nn.Sequential(descent, block(image, image, SMALLEST))
        self.code = nn.Sequential(block(code, half, 1), block(half, half, 1))
        self.both = nn.Sequential(block(image + half, image, 1), block(image, image, 1), nn.Conv2d(image, 1, 1))

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        """[B, 1, S, S] and [B, code] -> [B]."""
        logit: Tensor = self.both(torch.cat([self.image(x), self.code(z[:, :, None, None])], dim=1))
        return logit.flatten()


class BiGAN(AttentionLadderModel):
    """All three networks, of the sizes that `AttentionLadderModel` takes."""

    method: ClassVar[str] = "bigan"
    primary_score: ClassVar[str] = "discriminator"
    paper: ClassVar[dict[str, str]] = CITATION | {
        "figures": (
            "MURA hands, 128 x 128, fully preprocessed: discriminator AUROC .549 (sd .006), mse .491; equalised: mse .522, discriminator .522, "
            "mse_top200 .508"
        ),
    }

    def make_networks(self, size: int, width: int, code: int) -> None:
        self.encoder = Encoder(size, code, width)
        self.generator = AttentionGenerator(size, code, width)
        self.discriminator = Discriminator(size, code, width)

    def anomaly(self, x: Tensor) -> Anomaly:
        """Table 1's scores; `ssim` and `local_error` are not the paper's.

        `discriminator`: probability that the image and its code are no such pair, by D. `mse`, `mse_top200`: of G(E(x)); see
        `judged_reconstruction`.
        """
        z = self.encoder(x)
        found = judged_reconstruction(x, self.generator(z), self.heatmap_sigma)
        own = {"discriminator": torch.sigmoid(-self.discriminator(x, z).float())}
        return Anomaly(found.scores | own, found.heatmap, found.reconstruction)
