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
        return flat.topk(count, dim=1, sorted=False).values.mean(1)
