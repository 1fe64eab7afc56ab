"""A denoising autoencoder: what it takes off a patient's image is what normal anatomy has not. The network and its scores; no training.

After Kascenas A, Pugeault N, O'Neil AQ. Denoising autoencoders for unsupervised anomaly detection in brain MRI. MIDL 2022, PMLR 172:653-664: a U-Net, its skip
connections kept, learns to take coarse noise off normal images, and at reading time takes off what it has not seen in them. A code that is too narrow
for a lesion is too narrow for ribs and vessels too; here nothing passes through a code, and the normal version is as sharp as the image.

Three things are ours. The network gives the noise and not the clean image, so that it need not learn to copy. It does so at half the size, as coarse noise
has no more to it. And as an error of some size is usual at a rib's edge and not in the middle of a lung, the error is also given in units of what is
usual at each place.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.models.base import Anomaly, AnomalyModel, ModelSpec
from engine.models.local_error import local_error
from engine.models.masked_error import DARKEST
from engine.models.structural_similarity import smoothed, structural_dissimilarity

SLOPE = 0.2
MOST_WIDENING = 4
"""Channels at the smallest size, as a multiple of those at the largest."""
FOCAL_SHARE = 0.001
SPECK_PIXELS = 2
"""Black that is nowhere further than this from something brighter is a speck inside the patient."""
LEAST_USUAL = 0.3
"""Of the usual error's root mean square over the image: where normals hardly differ (a black margin), a grey level must not be a finding."""


class DenoisingAutoencoder(AnomalyModel):
    """A U-Net from an image to what is too much or too little in it.

    For `levels` = 4 and S = 128: [B, 1, 128, 128] -> [B, w, 64, 64] -> 2w at 32 -> 4w at 16 -> 4w at 8 -> 4w at 4 and back to [B, 1, 64, 64], drawn at 128.

    Args:
        size: [*S], of two or three dimensions, each a multiple of 2^(levels + 1).
        width: w, channels at half the size.
        levels: halvings after the first.
        preprocessing: name in engine.preprocess.
        heatmap_sigma: standard deviation of the neighbourhood over which errors are averaged, sign and all, as a share of each side.
    """

    method: ClassVar[str] = "denoising-autoencoder"
    primary_score: ClassVar[str] = "unusual_error"
    paper: ClassVar[dict[str, str]] = {
        "citation": "Kascenas A, et al. Denoising autoencoders for unsupervised anomaly detection in brain MRI. MIDL 2022, PMLR 172:653-664",
    }

    usual: Tensor

    def __init__(
        self,
        size: Sequence[int] = (128, 128),
        width: int = 16,
        levels: int = 4,
        preprocessing: str = "chest",
        heatmap_sigma: float = 1 / 64,
    ) -> None:
        super().__init__()
        multiple = 2 ** (levels + 1)
        if len(size) not in (2, 3) or any(extent < multiple or extent % multiple for extent in size):
            raise ValueError(f"size must be two or three multiples of {multiple}, not {tuple(size)}")
        self.spec = ModelSpec(spatial_dims=len(size), size=tuple(size), preprocessing=preprocessing)
        self.width, self.heatmap_sigma = width, heatmap_sigma
        dims = len(size)
        convolution = nn.Conv3d if dims == 3 else nn.Conv2d
        channels = [width * min(2**level, MOST_WIDENING) for level in range(levels + 1)]
        self.first = convolution(1, width, 4, stride=2, padding=1)
        self.encoders = nn.ModuleList(_block(dims, each, each) for each in channels)
        self.downs = nn.ModuleList(_block(dims, high, low, stride=2) for high, low in pairwise(channels))
        self.ups = nn.ModuleList(_block(dims, low, high) for high, low in pairwise(channels))
        self.decoders = nn.ModuleList(_block(dims, 2 * each, each) for each in channels[:-1])
        self.last = convolution(width, 1, 3, padding=1)
        for weights in self.last.parameters():
            nn.init.zeros_(weights)  # it begins by taking nothing off
        self.register_buffer("usual", torch.ones(1, *size))

    @property
    def architecture(self) -> dict[str, Any]:
        return {
            "size": list(self.spec.size),
            "width": self.width,
            "levels": len(self.downs),
            "preprocessing": self.spec.preprocessing,
            "heatmap_sigma": self.heatmap_sigma,
        }

    def excess(self, x: Tensor) -> Tensor:
        """[B, 1, *S] -> [B, 1, *S]: what the network takes off, in the input's grey values."""
        kept = []
        h = self.first(x)
        for encoder, down in zip(self.encoders, self.downs, strict=False):
            kept.append(encoder(h))
            h = down(kept[-1])
        h = self.encoders[-1](h)
        for level in reversed(range(len(kept))):
            h = F.interpolate(self.ups[level](h), scale_factor=2)
            h = self.decoders[level](torch.cat([h, kept[level]], 1))
        linear = "trilinear" if x.ndim == 5 else "bilinear"
        return F.interpolate(self.last(h), scale_factor=2, mode=linear, align_corners=False)

    def local_excess(self, x: Tensor, reconstruction: Tensor) -> Tensor:
        """[B, 1, *S] >= 0: what was taken off, averaged over each place's neighbourhood. Noise has both signs and cancels; a lesion has one."""
        return smoothed(x.float() - reconstruction, self.heatmap_sigma).abs()

    @torch.no_grad()
    def set_usual(self, mean_square: Tensor) -> None:
        """Set what is usual from [1, *S], the mean of `local_excess` squared over normals."""
        least = LEAST_USUAL * mean_square.mean().sqrt()
        self.usual.copy_((mean_square.sqrt() + least).clamp_min(1e-4))

    def anomaly(self, x: Tensor) -> Anomaly:
        """`unusual_error`: the worst places' error in units of what is usual there; `local_error`: the worst places' |x - x'|.

        `focal_error`: the worst thousandth of the error as a multiple of the image's own mean: an image that is unusual all over, by its exposure or its
        patient's build, is none that has a small lesion. `reconstruction_error`: mean |x - x'|; `ssim`: structural dissimilarity.
        Heatmap: the error in units of what is usual at each place; 0 in the black around the patient, where no noise was ever added.
        """
        reconstruction = (x.float() - self.excess(x).float()).clamp(-1, 1)
        error = (x.float() - reconstruction).abs()
        local = self.local_excess(x, reconstruction)
        unusual = local / self.usual
        scores = {
            "unusual_error": local_error(unusual, 0),
            "focal_error": _focal(local),
            "local_error": local_error(error),
            "reconstruction_error": error.flatten(1).mean(1),
            "ssim": structural_dissimilarity(x, reconstruction),
        }
        return Anomaly(scores, heatmap=unusual * _shows_patient(x), reconstruction=reconstruction)


def _shows_patient(x: Tensor) -> Tensor:
    """[B, 1, *S] -> [B, 1, *S] float32: 0 in the black around the patient, else 1.

    Of a film also 1 in specks of black inside, such as a lung's darkest pixels. The black inside a head is air, and nothing is said of air.
    """
    bright = (x.float() > DARKEST).float()
    if x.ndim == 5:
        return bright
    side, reach = 2 * SPECK_PIXELS + 1, SPECK_PIXELS
    black = 1 - F.max_pool2d(bright, side, stride=1, padding=reach)
    # beyond the image is black: a narrow strip of it along a side is no speck
    closed = 1 - F.max_pool2d(F.pad(black, [reach] * 4, value=1.0), side, stride=1)
    return torch.maximum(bright, closed)


def _focal(local: Tensor) -> Tensor:
    """[B, 1, *S] -> [B]: the mean of the highest thousandth over the mean of all."""
    flat = local.flatten(1)
    count = max(1, round(FOCAL_SHARE * flat.shape[1]))
    highest = flat.topk(count, dim=1, sorted=False).values.mean(1)
    return highest / flat.mean(1).clamp_min(1e-6)


def _block(dims: int, inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """A 3x3 or 3x3x3 convolution that keeps or halves the size, batch normalisation and LeakyReLU."""
    convolution: nn.Module = (nn.Conv3d if dims == 3 else nn.Conv2d)(inputs, outputs, 3, stride, 1, bias=False)
    normalisation: nn.Module = (nn.BatchNorm3d if dims == 3 else nn.BatchNorm2d)(outputs)
    return nn.Sequential(convolution, normalisation, nn.LeakyReLU(SLOPE))
