"""Contrast evened out from place to place in batches of tensors, so that films exposed or sharpened differently look alike. Nothing in it is learned.

Jarrett K, et al. What is the best multi-stage architecture for object recognition? ICCV 2009, section 2.1, "local contrast normalization".
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

NEIGHBOURHOOD = 4.0
"""Standard deviation of the Gaussian window, pixels, where no other is asked for."""
FAINTEST = 0.04
"""Added to the deviation, of an image from -1 to 1: noise in an empty place must not be blown up to full contrast."""
DEVIATIONS = 2.5
"""Either side of the neighbourhood's mean, that fill the range."""


def evened(x: Tensor, neighbourhood: float = NEIGHBOURHOOD) -> Tensor:
    """[B, 1, H, W] in [-1, 1] -> likewise: each pixel less its neighbourhood's mean, over its neighbourhood's deviation."""
    difference = x - _blurred(x, neighbourhood)
    deviation = _blurred(difference.square(), neighbourhood).sqrt()
    return (difference / (deviation + FAINTEST) / DEVIATIONS).clamp(-1, 1)


def _blurred(x: Tensor, neighbourhood: float) -> Tensor:
    """By a Gaussian window; the image is continued by its edge."""
    reach = math.ceil(4 * neighbourhood)
    window = torch.exp(-((torch.arange(-reach, reach + 1, device=x.device) / neighbourhood) ** 2) / 2).to(x.dtype)
    window = window / window.sum()
    across = F.conv2d(F.pad(x, (reach, reach, 0, 0), mode="replicate"), window[None, None, None])
    return F.conv2d(F.pad(across, (0, 0, reach, reach), mode="replicate"), window[None, None, :, None])
