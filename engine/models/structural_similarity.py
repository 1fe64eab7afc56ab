"""Structural similarity of an image and its reconstruction under a wide Gaussian, for every reconstruction method. Knows no network.

An error of a few grey levels spread over a lung says more than the same error at a rib's edge, and a wide window is what sees it:
on chest radiographs the width alone moves the area under the curve by tens of points.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

SIGMA_OF_SIZE = 3 / 64
"""The Gaussian's standard deviation as a share of the image's side: 3 pixels at 64, 12 at 256."""

_C1 = 4 * 0.01**2  # Wang et al. 2004: (K1 L)^2 and (K2 L)^2 with L = 2, black being 0 and white 2
_C2 = 4 * 0.03**2


def structural_dissimilarity(x: Tensor, y: Tensor, sigma_of_size: float = SIGMA_OF_SIZE) -> Tensor:
    """1 - mean SSIM of each image of a batch (Wang et al. 2004, equation 13), 0 = alike, about 1 = unrelated.

    Args:
        x, y: [B, 1, *S] in [-1, 1], S of two or three dimensions.
        sigma_of_size: the window's standard deviation along each axis, as a share of that axis.

    Returns:
        [B] float32. Each image's value does not depend on the others in the batch.
    """
    return 1 - similarity_map(x, y, sigma_of_size).flatten(1).mean(1)


def similarity_map(x: Tensor, y: Tensor, sigma_of_size: float = SIGMA_OF_SIZE) -> Tensor:
    """SSIM on a regular grid over the image, [B, 1, *G] float32 in [-1, 1]. Arguments as in `structural_dissimilarity`.

    Neighbouring windows hardly differ when they are wide, so one is evaluated every third of a standard deviation: each pixel at 64, every
    fourth at 256. All pixels take part in every window.
    """
    with torch.autocast(x.device.type, enabled=False):
        x, y = x.float() + 1, y.float() + 1
        # of the two variances only the sum is asked for
        moments = (x, y, torch.addcmul(x * x, y, y), x * y)
        mean_x, mean_y, squares, xy = (_blurred(moment, sigma_of_size, every=1 / 3) for moment in moments)
        product = mean_x * mean_y
        squared = torch.addcmul(mean_x * mean_x, mean_y, mean_y)
        # a variance cannot be negative; rounding on flat ground makes it so
        variances = (squares - squared).clamp_min(0)
        # a factor of 2 is taken out of both brackets above the line: at 64 x 64 each pass over the image counts
        similarity = (product + _C1 / 2) * (xy - product + _C2 / 2) / ((squared + _C1) * (variances + _C2))
        return 4 * similarity


def smoothed(x: Tensor, sigma_of_size: float) -> Tensor:
    """Gaussian blur of [B, C, *S] at every pixel, its standard deviation a share of each side; 0 leaves `x` as it is."""
    return _blurred(x, sigma_of_size, every=0) if sigma_of_size else x


def _blurred(x: Tensor, sigma_of_size: float, every: float) -> Tensor:
    """[B, C, *S] -> [B, C, *G], blurred along each axis by matrix products: faster than a wide kernel. G is one place `every` sigma."""
    for axis in range(2, x.ndim):
        sigma = sigma_of_size * x.shape[axis]
        bands = _blur_bands(x.shape[axis], sigma, max(1, int(sigma * every)), x.device)
        blurred = [_along(axis, matrix, x.narrow(axis, first, matrix.shape[1])) for first, matrix in bands]
        x = blurred[0] if len(blurred) == 1 else torch.cat(blurred, axis)
    return x


def _along(axis: int, matrix: Tensor, x: Tensor) -> Tensor:
    """The product of [G, S] with `x` along an axis of S places. No axis is moved: a transposed copy would cost as much as the product."""
    last = axis == x.ndim - 1
    return x @ matrix.T if last else (matrix @ x.flatten(axis + 1)).unflatten(-1, x.shape[axis + 1 :])


REACH = 6
"""Standard deviations beyond which a Gaussian's weight, 1.5e-8 of its peak, is less than float32 can add to the rest."""


@lru_cache(maxsize=64)
def _blur_bands(size: int, sigma: float, step: int, device: torch.device) -> list[tuple[int, Tensor]]:
    """The blur matrix in parts of some rows each, without the columns where a narrow Gaussian is nothing: [(first column, [rows, columns])].

    A band of 8 sigma sees 20 sigma. Where that is more than half of the places, or a hundred places at most, the one whole matrix is quicker.
    """
    with torch.inference_mode(False):  # what inference computed first serves training too
        matrix = _blur_matrix(size, sigma, step, device)
        if 20 * sigma > size / 2 or size <= 100:
            return [(0, matrix)]
        rows, reach = max(1, round(8 * sigma / step)), math.ceil(REACH * sigma)
        bands = []
        for top in range(0, len(matrix), rows):
            first, last = max(0, top * step - reach), min(size, (top + rows) * step + reach)
            bands.append((first, matrix[top : top + rows, first:last].contiguous()))
        return bands


def _blur_matrix(size: int, sigma: float, step: int, device: torch.device) -> Tensor:
    """[size / step, size] whose rows weigh the neighbours of every `step`th place. Rows sum to one: borders are neither darkened nor padded."""
    position = torch.arange(size, dtype=torch.float32, device=device)
    centre = position.unflatten(0, (-1, step)).mean(1) if size % step == 0 else position[::step]
    weight = torch.exp(-0.5 * ((centre[:, None] - position[None, :]) / max(sigma, 1e-3)) ** 2)
    return weight / weight.sum(dim=1, keepdim=True)
