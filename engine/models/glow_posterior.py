"""Two Glows, one of normals and one of everything: log p(normal | x) by Bayes' rule (Shibata et al. 2021). The networks and their scores; no training.

Shibata H, Hanaoka S, Nomura Y, et al. A versatile anomaly detection method for medical images with a flow-based generative model in semi-supervision
setting. arXiv:2001.07847; shorter in Int J Comput Assist Radiol Surg 2021, doi:10.1007/s11548-021-02480-4. The flow itself is in engine/models/glow.py.

    log p(normal | x) = log p(x | normal) - log p(x) + log p(normal)                      equation 3; the last term is the same for every image

Grey values are counted, not measured: an image of `bits` bits is the whole of a cell of volume 2^-bits along each of its dimensions, and
uniform noise within the cell makes it a point (dequantisation). In scoring that noise is the same for both models and every image, for ever:
an image scores twice, and alone as in a batch, the same.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from engine.models.base import Anomaly, AnomalyModel, ModelSpec
from engine.models.glow import Encoded, Glow
from engine.models.structural_similarity import smoothed

NOISE_SEED = 2021
_PAPER = {
    "citation": "Shibata H, et al. A versatile anomaly detection method for medical images with a flow-based generative model. 2021",
    "doi": "10.48550/arXiv.2001.07847",
}


def quantised(x: Tensor, bits: int) -> Tensor:
    """[B, 1, *S] in [-1, 1], 256 greys of it, -> whole numbers 0 ... 2^bits - 1 as float32."""
    grey = torch.round((x.float() + 1) * 127.5).clamp(0, 255)
    return torch.floor(grey / 2 ** (8 - bits))


def dequantised(x: Tensor, noise: Tensor, bits: int) -> Tensor:
    """[B, 1, *S] in [-1, 1] and noise in [0, 1) -> a point of each image's cell, in [-0.5, 0.5)."""
    return (quantised(x, bits) + noise) / 2**bits - 0.5


class GlowPosterior(AnomalyModel):
    """The flow of known normals and the flow of the unlabelled mixture.

    Args:
        size: [*S]; the paper's is 512 x 512.
        levels, depth: of each flow; the paper's are 7 and 32.
        width: of the coupling networks; 512 in OpenAI's code, which the paper's figures for radiographs are made with.
        bits: of a grey value, 1 to 8.
        preprocessing: name in engine.preprocess.
        heatmap_sigma: the heatmap's smoothing as a share of each side; 0 leaves a map that adds up to the score.
    """

    method: ClassVar[str] = "glow-posterior"
    primary_score: ClassVar[str] = "log_posterior"
    paper: ClassVar[dict[str, str]] = _PAPER | {
        "figures": "RSNA, 512 x 512: log posterior AUROC .783 (opacity .868); log likelihood alone below .5",
    }

    noise: Tensor

    def __init__(
        self,
        size: Sequence[int] = (512, 512),
        levels: int = 7,
        depth: int = 32,
        width: int = 512,
        bits: int = 8,
        preprocessing: str = "chest",
        heatmap_sigma: float = 1 / 64,
    ) -> None:
        super().__init__()
        if not 1 <= bits <= 8:
            raise ValueError(f"bits must lie between 1 and 8, not {bits}")
        self.spec = ModelSpec(spatial_dims=len(size), size=tuple(size), preprocessing=preprocessing)
        self.depth, self.width, self.bits, self.heatmap_sigma = depth, width, bits, heatmap_sigma
        self.normal = Glow(size, levels, depth, width)
        self.mixture = copy.deepcopy(self.normal)  # both begin at the same weights
        # numpy's generator gives the same numbers in every version; so it need not be stored
        noise = np.random.default_rng(NOISE_SEED).random((1, 1, *size), np.float32)
        self.register_buffer("noise", torch.from_numpy(noise), persistent=False)

    @property
    def architecture(self) -> dict[str, Any]:
        return {
            "size": list(self.spec.size),
            "levels": len(self.normal.levels),
            "depth": self.depth,
            "width": self.width,
            "bits": self.bits,
            "preprocessing": self.spec.preprocessing,
            "heatmap_sigma": self.heatmap_sigma,
        }

    def bits_per_dimension(self, encoded: Encoded) -> Tensor:
        """[B] float64: -log2 of the image's probability, by the mean over pixels. 0 is certainty; `bits` is a guess among all images."""
        return self.bits - encoded.log_density() / (math.prod(self.spec.size) * math.log(2))

    def anomaly(self, x: Tensor) -> Anomaly:
        """The paper's two scores, negated so that higher is more abnormal, and the second in bits.

        `log_posterior`: -(log p(x | normal) - log p(x)) in nats, equation 3 without its constant; `posterior` is the same, not negated.
        `log_likelihood`: -log p(x | normal) in nats, of the quantised image.
        `bits_per_dim`: the same as a mean over pixels, in bits.
        Heatmap, not the paper's: log p(x) - log p(x | normal) by place, smoothed by `heatmap_sigma`; unsmoothed it adds up to `log_posterior`.
        """
        y = dequantised(x, self.noise, self.bits)
        normal, mixture = self.normal(y), self.mixture(y)
        posterior = (normal.log_density() - mixture.log_density()).float()
        bits = self.bits_per_dimension(normal)
        scores = {
            "log_posterior": -posterior,
            "log_likelihood": (bits * math.prod(self.spec.size) * math.log(2)).float(),
            "bits_per_dim": bits.float(),
        }
        heatmap = mixture.log_density_map(self.spec.size) - normal.log_density_map(self.spec.size)
        return Anomaly(scores, heatmap=smoothed(heatmap, self.heatmap_sigma), posterior=posterior)

    @torch.no_grad()
    def sample(self, count: int, temperature: float, generator: torch.Generator) -> Tensor:
        """[count, 1, *S] in [-1, 1]: fictional normals, latents drawn with `temperature` as their standard deviation (the paper's figure 15)."""
        y = self.normal.inverse(self.normal.drawn_latents(count, temperature, generator))
        grey = torch.floor((y + 0.5) * 2**self.bits).clamp(0, 2**self.bits - 1)
        return (grey + 0.5) / 2**self.bits * 2 - 1
