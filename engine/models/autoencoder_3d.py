"""A 3D autoencoder for head CT: the method of engine/models/denoising_autoencoder.py with 3x3x3 convolutions. No training.

It passes no volume through a narrow code: one that did drew the skull so roughly that the skull's edges, and not the lesions, ranked the heads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from engine.models.denoising_autoencoder import DenoisingAutoencoder


class Autoencoder3D(DenoisingAutoencoder):
    """`DenoisingAutoencoder` of volumes.

    [B, 1, 32, 128, 128] -> [B, w, 16, 64, 64] -> 2w at 8, 32, 32 -> 4w at 4, 16, 16 -> 4w at 2, 8, 8 and back.

    Args:
        size: (slices, rows, columns), each a multiple of 2^(levels + 1).
        width, levels, preprocessing, heatmap_sigma: as for radiographs.
    """

    method: ClassVar[str] = "autoencoder-3d"

    def __init__(
        self,
        size: Sequence[int] = (32, 128, 128),
        width: int = 16,
        levels: int = 3,
        preprocessing: str = "head-ct",
        heatmap_sigma: float = 1 / 32,
    ) -> None:
        if len(size) != 3:
            raise ValueError(f"size must be slices, rows and columns, not {tuple(size)}")
        super().__init__(size, width, levels, preprocessing, heatmap_sigma)
