"""The variational autoencoder of Davletshina et al. 2020. The network and its scores; no training.

arXiv:2001.10883, section 2.3 and the supplement's table "VAE"; Kingma and Welling, Auto-encoding variational Bayes, 2014. 4x4 convolutions of stride 2
without padding, batch normalisation and ReLU, down to 2 x 2 places; two linear layers to the code's mean and log-variance, one back. The table
leaves out that last one (1024 values do not fill 2 x 2 x 512), which the authors' public code has.

Reductions are written out everywhere: an image's squared (or absolute) error is summed over its mask, the divergence over the code, and the sum of
both divided by the mask's area. That is the bound on the likelihood, per pixel; neither term is averaged where the other is summed.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from engine.models.base import Anomaly
from engine.models.blocks import convolution_block, transposed_block
from engine.models.davletshina import CITATION
from engine.models.masked_autoencoder import MaskedAutoencoder
from engine.models.masked_error import foreground, judged_reconstruction, masked_mean, masked_top

SMALLEST = 2


class VAE(MaskedAutoencoder):
    """Encoder, the code's distribution, and decoder.

    [B, 1, 512, 512] -> [B, 8, 255, 255] -> [B, 16, 126, 126] -> ... -> [B, 512, 2, 2] -> mean and log-variance [B, 1024] -> code [B, 1024]
    -> [B, 512, 2, 2] -> [B, 256, 6, 6] -> ... -> [B, 8, 254, 254] -> [B, 1, 512, 512]. A smaller size leaves out the outermost levels.

    Args:
        size: side of the image, a power of two of at least 16; the paper's is 512.
        width: channels at 2x2, halved at each doubling; the paper's is 512.
        code: length of the code; the paper's is 1024.
        kld_weight: of the divergence in `mse_kld` and `l1_kld`, as in training; 1 is the bound itself.
        preprocessing, heatmap_sigma: as `MaskedAutoencoder` takes them.
    """

    method: ClassVar[str] = "vae"
    primary_score: ClassVar[str] = "kld"
    paper: ClassVar[dict[str, str]] = CITATION | {
        "figures": "MURA hands, 512 x 512, fully preprocessed and equalised: kld AUROC .533 (sd .014), l1_kld .488, mse_kld .486, mse .483, l1_top200 .481",
    }

    def __init__(
        self,
        size: int = 512,
        width: int = 512,
        code: int = 1024,
        kld_weight: float = 1.0,
        preprocessing: str = "musculoskeletal",
        heatmap_sigma: float = 1 / 64,
    ) -> None:
        super().__init__(size, preprocessing, heatmap_sigma)
        if size < 16 or size & (size - 1):
            raise ValueError(f"size must be a power of two of at least 16, not {size}")
        self.width, self.code, self.kld_weight = width, code, kld_weight
        levels = size.bit_length() - 3  # 7 at 512
        channels = [max(1, width >> level) for level in reversed(range(levels))]  # 8, 16, ..., 512
        self.encoder = nn.Sequential(
            *(convolution_block(low, high, 4, stride=2) for low, high in pairwise([1, *channels])), nn.Flatten()
        )
        features = width * SMALLEST**2
        self.mean = nn.Linear(features, code)
        self.log_variance = nn.Linear(features, code)
        self.expansion = nn.Linear(code, features)
        self.decoder = nn.Sequential(
            nn.Unflatten(1, (width, SMALLEST, SMALLEST)),
            *(transposed_block(high, low, 4, stride=2) for high, low in pairwise(channels[::-1])),
            nn.ConvTranspose2d(channels[0], 1, 6, stride=2),  # from 254 to 512
            nn.Tanh(),
        )

    @property
    def architecture(self) -> dict[str, Any]:
        return super().architecture | {"width": self.width, "code": self.code, "kld_weight": self.kld_weight}

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """[B, 1, S, S] -> mean and log-variance of the code, each [B, code]."""
        h = self.encoder(x)
        return self.mean(h), self.log_variance(h)

    def decode(self, z: Tensor) -> Tensor:
        """[B, code] -> [B, 1, S, S] in [-1, 1]."""
        drawn: Tensor = self.decoder(self.expansion(z))
        return drawn

    def reconstruct(self, x: Tensor) -> Tensor:
        """[B, 1, S, S] -> [B, 1, S, S] in [-1, 1], drawn from the code's mean."""
        mean, _ = self.encode(x)
        return self.decode(mean)

    def anomaly(self, x: Tensor) -> Anomaly:
        """Table 1's scores, from the image drawn from the code's mean, so that they can be repeated; `ssim` and `local_error` are not the paper's.

        `mse`, `mse_top200`, `l1`, `l1_top200`: of the squared and the absolute error in the mask.
        `kld`: divergence of the code from a standard Gaussian, summed over the code.
        `mse_kld`, `l1_kld`: the error's and the divergence's sums, together, divided by the mask's area.
        """
        mean, log_variance = self.encode(x)
        drawn = self.decode(mean)
        found = judged_reconstruction(x, drawn, self.heatmap_sigma)
        mask = foreground(x)
        deviation = (x.float() - drawn.float()).abs()
        kld = divergence(mean, log_variance)
        share = self.kld_weight * kld / mask.flatten(1).sum(1).clamp_min(1)
        l1 = masked_mean(deviation, mask)
        own = {
            "kld": kld,
            "l1": l1,
            "l1_top200": masked_top(deviation, mask),
            "l1_kld": l1 + share,
            "mse_kld": found.scores["mse"] + share,
        }
        return Anomaly(found.scores | own, found.heatmap, found.reconstruction)


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Kullback-Leibler divergence of each code's Gaussian from the standard one, SUMMED over the code (Kingma 2014, appendix B).

    Args:
        mean, log_variance: [B, code].

    Returns:
        [B] float32, in nats.
    """
    mean, log_variance = mean.float(), log_variance.float()
    return 0.5 * (torch.square(mean) + log_variance.exp() - 1 - log_variance).sum(1)
