"""Which methods can draw fictional images, and how they are asked. Draws none itself, and loads no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from engine.models.card import Card

DRAWING_METHODS = frozenset({"alpha-gan", "glow-posterior", "glow3d-posterior", "hand-alpha-gan"})
"""The methods of the registry whose network is a `Sampler`: asking the classes themselves would load torch."""


def can_draw(card: Card) -> bool:
    """Whether a model has a generative side that can be asked for images."""
    return card.method in DRAWING_METHODS


@runtime_checkable
class Sampler(Protocol):
    """A network with a generative side."""

    def sample(self, count: int, temperature: float, generator: torch.Generator) -> Tensor:
        """[count, 1, *S] in [-1, 1]: images of nobody, from Gaussian codes with `temperature` as their standard deviation.

        `generator` lives on the CPU, so that a seed gives the same images wherever the network is.
        """
