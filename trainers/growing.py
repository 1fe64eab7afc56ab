"""In which order a network grows from its smallest resolution to its last (Karras 2018, as Nakao 2021 uses it). Numbers only."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Stage:
    """A stretch of epochs at one resolution. While `fading`, the rung at `resolution` is blended in from nothing to wholly."""

    resolution: int
    fading: bool
    epochs: int


def growing_stages(resolutions: list[int], epochs: int, stage_epochs: int) -> list[Stage]:
    """Nakao's order: the smallest resolution, then a fade-in and a stable stage at each, the last of which takes the epochs that are left.

    With fewer epochs than that takes, the low resolutions are left out: a single epoch is one at the final resolution, without growth.
    """
    stages = [Stage(resolutions[0], False, stage_epochs)]
    for resolution in resolutions[1:]:
        stages += [Stage(resolution, True, stage_epochs), Stage(resolution, False, stage_epochs)]
    growth = stages[:-1]
    while growth and (sum(stage.epochs for stage in growth) >= epochs or growth[0].fading):
        growth.pop(0)  # nothing can fade in over a rung that was never trained
    left = epochs - sum(stage.epochs for stage in growth)
    return [*growth, Stage(resolutions[-1], False, left)]
