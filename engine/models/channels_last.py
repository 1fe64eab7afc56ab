"""The order in which an image's numbers lie in memory: channels last, at which convolutions are fastest. Changes no number."""

from __future__ import annotations

import torch
from torch import Tensor


def channels_last(x: Tensor) -> Tensor:
    """[B, C, H, W] channels last, and said to be so. Not for what gradients come back through.

    With one channel both orders are the same, and torch takes it for the other: what a convolution makes of it would then be laid out the other way, and
    so would all that follows.
    """
    channels, height, width = x.shape[1:]
    if channels > 1 or not x.is_contiguous():
        x = x.contiguous(memory_format=torch.channels_last)
    return x if channels > 1 else x.as_strided(x.shape, (height * width, 1, width, 1))
