"""A bank of the training images' codes, with what is asked of it in training and at scoring. Knows no network and no loss.

Wu Z, et al. Unsupervised feature learning via non-parametric instance discrimination. CVPR 2018:3733-3742, as Bozorgtabar 2020 uses it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LARGEST_SHARE = 4
"""Equation 4 looks at no more than one in so many of the bank: over the whole of it, every image scores 1 / N."""


class MemoryBank(nn.Module):
    """Unit vectors, one for each training image, in a buffer `codes` [N, code] that no gradient reaches. They start as random ones."""

    codes: Tensor

    def __init__(self, size: int, code: int) -> None:
        super().__init__()
        if size < 1:
            raise ValueError("a memory bank holds at least one code")
        self.register_buffer("codes", F.normalize(torch.randn(size, code), dim=1))

    @torch.no_grad()
    def update(self, indices: Tensor, codes: Tensor, rate: float) -> None:
        """m <- (1 - t) m + t z for those images, made unit vectors again.

        Args:
            indices: [B] int64, each at most once.
            codes: [B, code] up to date.
            rate: t.
        """
        moved = torch.lerp(self.codes[indices], codes.detach().float(), rate)
        self.codes[indices] = F.normalize(moved, dim=1)

    def similarities(self, codes: Tensor) -> Tensor:
        """[B, code] unit vectors -> [B, N] cosines, float32. Gradients reach `codes` alone."""
        with torch.autocast(codes.device.type, enabled=False):
            return codes.float() @ self.codes.T

    def log_probabilities(self, codes: Tensor, temperature: float) -> Tensor:
        """[B, code] -> [B, N] log p(i, j) of equation 1: how likely each code is taken for each image of the bank."""
        return F.log_softmax(self.similarities(codes) / temperature, dim=1)

    @torch.no_grad()
    def entropies(self, temperature: float, rows: int = 1024) -> Tensor:
        """[N] entropy, in nats, of each stored code's likeness to all of the bank: low where few others are like it."""
        parts = [self.log_probabilities(part, temperature) for part in self.codes.split(rows)]
        return torch.cat([-(part.exp() * part).sum(1) for part in parts])

    def aggregation(self, codes: Tensor, neighbours: int) -> Tensor:
        """Equation 4: the mean angle to the nearest K of the bank, as a share of the sum of the angles to all of it.

        The paper then stretches a test set's scores to [0, 1]; that changes no order and would make a score depend on others, so it is left out.

        Args:
            codes: [B, code] unit vectors.
            neighbours: K; at most a quarter of the bank is used, at least one.

        Returns:
            [B] float32.
        """
        cosines = self.similarities(codes).clamp(-1, 1)  # rounding makes some exceed 1, where arccos is not a number
        angles = torch.arccos(cosines)
        nearest = angles.topk(usable_neighbours(neighbours, len(self.codes)), dim=1, largest=False, sorted=False).values
        return nearest.mean(1) / angles.sum(1).clamp_min(torch.finfo(angles.dtype).tiny)

    def nearest(self, codes: Tensor, count: int) -> Tensor:
        """[B, code] -> [B, count] indices of the most similar codes, the nearest first; fewer where the bank is smaller."""
        return self.similarities(codes).topk(min(count, len(self.codes)), dim=1).indices


def usable_neighbours(wanted: int, size: int) -> int:
    """K for a bank of that size."""
    return max(1, min(wanted, size // LARGEST_SHARE))
