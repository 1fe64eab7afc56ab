"""The most abnormal spot of an error map, for every reconstruction method. Knows no network.

A mean over the image hides a lesion of a few square centimetres under the small errors of everything else; the mean over the worst hundredth of
places, each averaged over its neighbourhood, does not.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.models.structural_similarity import smoothed

SIGMA_OF_SIZE = 1 / 32
"""Standard deviation of the neighbourhood as a share of each side: 1 cm of a chest, about."""
WORST_SHARE = 0.01
GROUP = 16
"""Places of which only the highest is looked at first."""


def local_error(error: Tensor, sigma_of_size: float = SIGMA_OF_SIZE) -> Tensor:
    """Mean of the highest hundredth of the locally averaged error. Not a paper's score.

    Args:
        error: [B, 1, *S] non-negative error per pixel.
        sigma_of_size: the Gaussian neighbourhood's standard deviation along each axis, as a share of that axis.

    Returns:
        [B] float32. Each image's value does not depend on the others in the batch.
    """
    with torch.autocast(error.device.type, enabled=False):
        flat = smoothed(error.float(), sigma_of_size).flatten(1)
        count = max(1, round(WORST_SHARE * flat.shape[1]))
        return _highest(flat, count).mean(1)


def _highest(values: Tensor, count: int) -> Tensor:
    """The `count` highest of each row of [B, N], in no order. They lie in the `count` groups with the highest maxima: fewer to search."""
    groups = values.shape[1] // GROUP
    if values.shape[1] % GROUP == 0 and groups > count:
        grouped = values.unflatten(1, (GROUP, groups))  # a group is a column: many maxima are found at once
        best = grouped.amax(1).topk(count, dim=1, sorted=False).indices
        values = grouped.gather(2, best.unsqueeze(1).expand(-1, GROUP, -1)).flatten(1)
    return values.topk(count, dim=1, sorted=False).values
