"""How far two populations of images lie apart: the kernel two-sample statistic. Knows no network and draws no image.

Gretton A, Borgwardt KM, Rasch MJ, Schoelkopf B, Smola A. A kernel two-sample test. Journal of Machine Learning Research 2012;13:723-773.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

SIDE = 16
"""Of the averages that are compared: of single pixels, hardly two images are alike, and a kernel sees nothing."""


def small_averages(x: Tensor) -> Tensor:
    """[B, 1, H, W] -> [B, 256], averages over areas."""
    return F.adaptive_avg_pool2d(x.float(), SIDE).flatten(1)


def median_square_distance(x: Tensor) -> float:
    """Of all pairs of rows of [N, D]: the width that section 8 of the paper takes. Above 0, also where all rows are the same."""
    return max(float(F.pdist(x.float()).median().square()), 1e-12)


def squared_discrepancy(first: Tensor, second: Tensor, scale: float) -> float:
    """Unbiased estimate of the squared maximum mean discrepancy (equation 3), so that it may fall a little under 0; its size is no test.

    Args:
        first, second: [N, D] and [M, D], of two rows at least.
        scale: s of the kernel exp(-|a - b|^2 / s).
    """

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        return torch.exp(-torch.cdist(a.double(), b.double()).square() / scale)

    def within(a: Tensor) -> Tensor:
        count = len(a)
        return (kernel(a, a).sum() - count) / (count * (count - 1))

    return float(within(first) + within(second) - 2 * kernel(first, second).mean())
