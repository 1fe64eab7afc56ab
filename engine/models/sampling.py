"""Which methods can draw fictional images, and how they are asked. Draws none itself."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor


@runtime_checkable
class Sampler(Protocol):
    """A network with a generative side."""

    def sample(self, count: int, temperature: float, generator: torch.Generator) -> Tensor:
        """[count, 1, *S] in [-1, 1]: images of nobody, from Gaussian codes with `temperature` as their standard deviation.

        `generator` lives on the CPU, so that a seed gives the same images wherever the network is.
        """
