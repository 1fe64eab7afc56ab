"""Mild random changes of a batch of images or volumes, drawn from a given generator so that a run can be repeated."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from trainers.plan import Augmentation

EVERY = slice(None)


def augmented(
    x: Tensor, how: Augmentation, generator: torch.Generator, *, of: int | None = None, rows: slice = EVERY
) -> Tensor:
    """[B, 1, *S] in [-1, 1] -> the same, each image shifted, turned, scaled and exposed on its own. Volumes are turned within their slices.

    Args:
        generator: lives on the CPU, so that the same seed draws the same changes on every device.
        of, rows: x is those rows of a batch of `of` images, and each is changed as it would be among all of them.
    """
    count = x.shape[0] if of is None else of
    if how.shift or how.rotation or how.scale or how.mirror or how.flip or how.stretch:
        matrix = _affine(count, x.ndim - 2, how, generator)[rows].to(x.device)
        if len(x):  # torch makes no grid for no image, and of a few images some devices have none
            grid = F.affine_grid(matrix, list(x.shape), align_corners=False)
            x = F.grid_sample(x, grid, mode="bilinear", padding_mode="border", align_corners=False)
    if how.exposure:
        gamma = torch.exp(how.exposure * _uniform(count, generator))[rows].to(x.device)
        gamma = gamma.view(-1, *[1] * (x.ndim - 1))
        x = ((x + 1) / 2).clamp(0, 1).pow(gamma) * 2 - 1
    if how.brightness:
        factor = 1 + how.brightness * _sometimes(_uniform(count, generator), how.share, generator)[rows]
        x = ((x + 1) * factor.to(x.device).view(-1, *[1] * (x.ndim - 1)) - 1).clamp(-1, 1)
    return x


def _affine(count: int, dims: int, how: Augmentation, generator: torch.Generator) -> Tensor:
    """[B, dims, dims + 1] from output to input positions; x and y come first in grid_sample's order, so a volume's z is left alone."""
    angle = math.radians(how.rotation) * _sometimes(_uniform(count, generator), how.share, generator)
    scale = 1 + how.scale * _sometimes(_uniform(count, generator), how.share, generator)
    matrix = torch.eye(dims, dims + 1).repeat(count, 1, 1)
    matrix[:, 0, 0] = matrix[:, 1, 1] = scale * angle.cos()
    matrix[:, 0, 1], matrix[:, 1, 0] = -scale * angle.sin(), scale * angle.sin()
    shift = _uniform(2 * count, generator).view(count, 2)
    matrix[:, :2, dims] = 2 * how.shift * _sometimes(shift, how.share, generator)  # the image spans [-1, 1]
    if how.stretch:
        stretch = _uniform(2 * count, generator).view(count, 2)
        matrix[:, :2, :2] *= (1 + how.stretch * _sometimes(stretch, how.share, generator))[:, :, None]
    if how.mirror:
        matrix[:, :, 0] *= torch.where(_uniform(count, generator) < 0, -1.0, 1.0)[:, None]
    if how.flip:
        matrix[:, :, 1] *= torch.where(_uniform(count, generator) < 0, -1.0, 1.0)[:, None]
    return matrix


def _sometimes(amount: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """[B, ...] amounts, those of a random 1 - `share` of the images made 0; nothing is drawn where all are to change."""
    if share == 1:
        return amount
    kept = torch.rand(len(amount), generator=generator) < share
    return amount * kept.view(-1, *[1] * (amount.ndim - 1))


def _uniform(count: int, generator: torch.Generator) -> Tensor:
    return torch.rand(count, generator=generator) * 2 - 1
