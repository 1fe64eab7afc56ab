"""A 3D convolutional autoencoder for head CT: what its narrow code cannot carry, it cannot draw. The network and its scores; no training.

The three-dimensional counterpart of the convolutional autoencoders that Davletshina et al. 2020 (arXiv:2001.10883) and Tang et al. 2019 measure
their methods against; no paper of its own. Each level halves the volume along every axis that is still longer than it ends up, and doubles
the channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.models.base import Anomaly, AnomalyModel, ModelSpec
from engine.models.local_error import local_error
from engine.models.structural_similarity import smoothed, structural_dissimilarity

SLOPE = 0.2
LEVELS = 4


class Autoencoder3D(AnomalyModel):
    """Encoder and decoder.

    [B, 1, 32, 128, 128] -> [B, w, 16, 64, 64] -> [B, 2w, 8, 32, 32] -> [B, 4w, 4, 16, 16] -> [B, 8w, 2, 8, 8] -> [B, code] and back.

    Args:
        size: (slices, rows, columns), each a multiple of 16.
        width: w, channels after the first level.
        code: length of the code.
        preprocessing: name in engine.preprocess.
        heatmap_sigma: the heatmap's smoothing as a share of each side.
    """

    method: ClassVar[str] = "autoencoder-3d"
    primary_score: ClassVar[str] = "reconstruction_error"

    def __init__(
        self,
        size: Sequence[int] = (32, 128, 128),
        width: int = 16,
        code: int = 128,
        preprocessing: str = "head-ct",
        heatmap_sigma: float = 1 / 64,
    ) -> None:
        super().__init__()
        if len(size) != 3 or any(extent < 2**LEVELS or extent % 2**LEVELS for extent in size):
            raise ValueError(f"size must be three multiples of {2**LEVELS}, not {tuple(size)}")
        self.spec = ModelSpec(spatial_dims=3, size=tuple(size), preprocessing=preprocessing)
        self.width, self.code, self.heatmap_sigma = width, code, heatmap_sigma
        channels = [1, *(width << level for level in range(LEVELS))]  # 1, w, 2w, 4w, 8w
        smallest = [extent // 2**LEVELS for extent in size]
        self.smallest = (channels[-1], *smallest)
        features = channels[-1] * smallest[0] * smallest[1] * smallest[2]
        self.encoder = nn.Sequential(
            *(_block(channels[i], channels[i + 1], stride=2) for i in range(LEVELS)),
            nn.Flatten(),
            nn.Linear(features, code),
        )
        self.to_volume = nn.Linear(code, features)
        # upsampling before each convolution, as transposed convolutions leave a chequerboard that would be taken for findings
        self.decoder = nn.Sequential(
            *(
                layer
                for i in reversed(range(1, LEVELS))
                for layer in (nn.Upsample(scale_factor=2), _block(channels[i + 1], channels[i], stride=1))
            ),
            nn.Upsample(scale_factor=2),
            nn.Conv3d(channels[1], 1, 3, padding=1),
            nn.Tanh(),
        )

    @property
    def architecture(self) -> dict[str, Any]:
        return {
            "size": list(self.spec.size),
            "width": self.width,
            "code": self.code,
            "preprocessing": self.spec.preprocessing,
            "heatmap_sigma": self.heatmap_sigma,
        }

    def reconstruct(self, x: Tensor) -> Tensor:
        """[B, 1, *S] -> [B, 1, *S] in [-1, 1]."""
        h = F.leaky_relu(self.to_volume(self.encoder(x)), SLOPE).unflatten(1, self.smallest)
        return self.decoder(h)

    def anomaly(self, x: Tensor) -> Anomaly:
        """`reconstruction_error`: mean |x - x'|; `mse`: mean squared; `ssim`: structural dissimilarity; `local_error`: the worst places' |x - x'|.

        Heatmap: |x - x'|, smoothed.
        """
        reconstruction = self.reconstruct(x).float()
        error = (x.float() - reconstruction).abs()
        scores = {
            "reconstruction_error": error.flatten(1).mean(1),
            "mse": torch.square(error).flatten(1).mean(1),
            "ssim": structural_dissimilarity(x, reconstruction),
            "local_error": local_error(error),
        }
        return Anomaly(scores, heatmap=smoothed(error, self.heatmap_sigma), reconstruction=reconstruction)


def _block(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv3d(inputs, outputs, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm3d(outputs),
        nn.LeakyReLU(SLOPE),
    )
