"""Glow: a multi-scale flow of images and of volumes, an exact log density and its way back. No scores, no training.

Kingma DP, Dhariwal P. Glow: generative flow with invertible 1x1 convolutions. NeurIPS 2018, arXiv:1807.03039; after OpenAI's code
(github.com/openai/glow). As in Shibata et al. 2021, section 3.2, every latent has mean 0 and variance 1, also those split off between levels.

    image [B, 1, *S] -> squeeze [2^d, B, *S / 2] -> `depth` steps -> half the channels are latents, the others -> squeeze -> ... -> latents

Arithmetic is float32 whatever the caller runs in: bfloat16 and TF32 are no inverses.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.models import parts_at_once
from engine.models.flow import (
    FlowStep,
    Retraced,
    log_determinants,
    regrouped,
    squeezed,
    step_weights,
    unsqueezed,
)


def largest_levels(size: Sequence[int]) -> int:
    """Levels that leave at least 4 pixels along the last two axes, as the paper's 7 do of 512, and 2 along a volume's first."""
    return min(int(math.log2(side)) - (2 if axis >= len(size) - 2 else 1) for axis, side in enumerate(size))


class Encoded(NamedTuple):
    """Where a flow takes a batch, and what that says of its density.

    Attributes:
        latents: [C_l, B, *S / 2^l] of each level l = 1, 2, ...; standard Gaussian under the model.
        log_scales: [B, *S / 2^l], the couplings' log scales summed over steps and channels.
        constant: 0-dimensional, the log determinant of all that is the same for every image.
    """

    latents: tuple[Tensor, ...]
    log_scales: tuple[Tensor, ...]
    constant: Tensor

    def log_density(self) -> Tensor:
        """[B] float64 in nats, equation 2 of Shibata 2021. The sum is in float64: differences of two such numbers matter."""
        return self.constant.double() + sum(level.flatten(1).sum(1, dtype=torch.float64) for level in self._levels())

    def log_density_map(self, size: Sequence[int]) -> Tensor:
        """[B, 1, *S]: the log density by place; it adds up to `log_density`. A coarse level's place is spread evenly over the pixels it stands for."""
        total = self.constant / math.prod(size)
        for level in self._levels():
            share = math.prod(level.shape[1:]) / math.prod(size)
            total = total + share * F.interpolate(level[:, None], size=tuple(size), mode="nearest")
        return total

    def _levels(self) -> list[Tensor]:
        """[B, *S / 2^l]: log density of the latents at each place, with the log scales there."""
        return [
            log_scale - 0.5 * (z.square() + math.log(2 * math.pi)).sum(0)
            for z, log_scale in zip(self.latents, self.log_scales, strict=True)
        ]


class Glow(nn.Module):
    """The multi-scale flow (Glow, figure 2) of [B, 1, *S] in [-0.5, 0.5).

    Args:
        size: [*S], each a multiple of 2^levels.
        levels, depth: L and K.
        width: channels within the coupling networks.
        retracing: in training keep no step's input, but compute it back from its output: memory does not grow with depth.
    """

    initialised: Tensor

    def __init__(self, size: Sequence[int], levels: int, depth: int, width: int, *, retracing: bool = False) -> None:
        super().__init__()
        if levels < 1 or any(side < 2**levels or side % 2**levels for side in size):
            raise ValueError(f"each side must be a multiple of {2**levels} for {levels} levels, not {tuple(size)}")
        self.size, self.dims, self.retracing = tuple(size), len(size), retracing
        self.channels = [
            2**self.dims * 2 ** ((self.dims - 1) * level) for level in range(levels)
        ]  # 4, 8, 16; 8, 32, 128
        self.levels = nn.ModuleList(
            nn.ModuleList(FlowStep(channels, width, self.dims) for _ in range(depth)) for channels in self.channels
        )
        self.register_buffer("initialised", torch.tensor(0.0))

    def forward(self, x: Tensor) -> Encoded:
        """[B, 1, *S] -> its latents and log density."""
        with torch.autocast(x.device.type, enabled=False):
            weights = [weight for level in self.levels for step in step_weights(_steps(level)) for weight in step]
            if all(weight.requires_grad for weight in weights) and parts_at_once.pays(x):
                levels = len(self.levels)
                found = parts_at_once.with_gradients(self._encoded, x, weights, axes=[1] * levels + [0] * levels)
            else:
                found = self._encoded(x, weights)
            return Encoded(found[: len(self.levels)], found[len(self.levels) :], self._constant())

    def _encoded(self, x: Tensor, weights: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """[B, 1, *S], and all steps' weights in order -> each level's latents, and then each level's log scales."""
        latents: list[Tensor] = []
        log_scales: list[Tensor] = []
        h = x.transpose(0, 1).float()
        each = len(weights) // len(self.levels)
        for index in range(len(self.levels)):
            if index:
                h, z = h.chunk(2)
                latents.append(z)
            h, log_scale = self._stepped(squeezed(h), weights[index * each : (index + 1) * each])
            log_scales.append(log_scale)
        return (*latents, h, *log_scales)

    def _stepped(self, h: Tensor, weights: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """[C, B, *S] through the steps of a level, and the sum of their log scales [B, *S]."""
        if self.retracing and torch.is_grad_enabled():
            retraced: tuple[Tensor, Tensor] = Retraced.apply(h, *weights)
            return retraced
        log_scale = h.new_zeros(h.shape[1:])
        for step in regrouped(weights):
            h, of_step = step.forward(h)
            log_scale = log_scale + of_step
        return h, log_scale

    def inverse(self, latents: Sequence[Tensor]) -> Tensor:
        """[C_l, B, *S / 2^l] of each level -> [B, 1, *S]: what `forward` made them of."""
        h = latents[-1]
        for index, level in reversed(list(enumerate(self.levels))):
            for step in reversed(step_weights(_steps(level))):
                h = step.inverse(h)
            h = unsqueezed(h)
            if index:
                h = torch.cat([h, latents[index - 1]])
        return h.transpose(0, 1)

    def drawn_latents(self, count: int, temperature: float, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Gaussian latents of `count` images with `temperature` as their standard deviation; `generator` lives on the CPU."""
        kept = [channels // 2 for channels in self.channels[:-1]] + self.channels[-1:]
        return tuple(
            temperature
            * torch.randn(channels, count, *(side >> level for side in self.size), generator=generator).to(
                self.initialised.device
            )
            for level, channels in enumerate(kept, start=1)
        )

    @torch.no_grad()
    def initialise(self, x: Tensor) -> None:
        """Set every actnorm by a first batch [B, 1, *S] of good size, once: later calls change nothing (Glow, section 3.1)."""
        if self.initialised:
            return
        h = x.transpose(0, 1)
        for level in self.levels:
            h = squeezed(h)
            for step in _steps(level):
                h = step.initialise(h)
            h = h.chunk(2)[0]
        self.initialised.fill_(1)

    def _constant(self) -> Tensor:
        """Equation B.3: what actnorms and 1x1 convolutions add, times the places they are at."""
        total = self.initialised.new_zeros(())
        for index, level in enumerate(self.levels):
            places = math.prod(side >> (index + 1) for side in self.size)
            total = total + places * log_determinants(_steps(level)).sum()
        return total


def _steps(level: nn.Module) -> list[FlowStep]:
    return [step for step in level.children() if isinstance(step, FlowStep)]
