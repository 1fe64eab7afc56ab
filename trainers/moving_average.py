"""The exponential moving average of a network that is being trained: its weights, and the statistics of its batch normalisations."""

from __future__ import annotations

import torch
from torch import nn


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, decay: float) -> None:
    """Move `average` towards `network`, in place: every weight and buffer that is a floating-point number keeps the share `decay` of its own value.

    Both have the same layers. Counts, such as batch normalisation's of its batches, stay as they are.
    """
    pairs = zip(average.state_dict().values(), network.state_dict().values(), strict=True)
    kept, new = zip(*((a, b) for a, b in pairs if a.is_floating_point()), strict=True)
    torch._foreach_lerp_(list(kept), list(new), 1 - decay)


def young(steps: float) -> float:
    """The longest decay of an average that has seen so many steps: the first weights, which know nothing, are soon forgotten."""
    return steps / (steps + 10)
