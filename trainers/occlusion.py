"""Hides frames and boxes of training images at random, so that a border or a burned-in letter is never the only reason for a verdict."""

from __future__ import annotations

import torch
from torch import Tensor


def occluded(x: Tensor, share: float, frame: float, box: float, generator: torch.Generator) -> Tensor:
    """[B, 1, H, W] in [-1, 1] -> the same, with a frame hidden in `share` of the images and a box in as many, each of one random grey.

    Args:
        frame: the frame's greatest width at each edge, as a share of the side.
        box: the box's greatest side, likewise.
        generator: lives on the CPU.
    """
    if not share:
        return x
    count, _, height, width = x.shape
    rows = ((torch.arange(height) + 0.5) / height).view(1, 1, height, 1)
    columns = ((torch.arange(width) + 0.5) / width).view(1, 1, 1, width)

    def drawn(most: float = 1.0) -> Tensor:
        return torch.rand(count, generator=generator).view(count, 1, 1, 1) * most

    edge = (rows < drawn(frame)) | (rows > 1 - drawn(frame)) | (columns < drawn(frame)) | (columns > 1 - drawn(frame))
    top, left = drawn(), drawn()
    boxed = (rows >= top) & (rows < top + drawn(box)) & (columns >= left) & (columns < left + drawn(box))
    x = torch.where((edge & (drawn() < share)).to(x.device), (2 * drawn() - 1).to(x.device), x)
    return torch.where((boxed & (drawn() < share)).to(x.device), (2 * drawn() - 1).to(x.device), x)
