"""What a training run will do, declared once: the paper's defaults, and what scales them down. Validated here; carried out elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field

from engine.models.inference import computes_bfloat16

Precision = Literal["32-true", "bf16-mixed", "16-mixed"]


class Augmentation(BaseModel):
    """Mild changes that a normal image may undergo. Each is the largest deviation drawn; 0 leaves it out.

    There is no left-right flip unless asked for: a mirrored chest is dextrocardia, which a model of normal chests must find abnormal.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    shift: float = Field(default=0.02, ge=0, le=0.5, description="share of the image's side")
    rotation: float = Field(default=3.0, ge=0, le=180, description="degrees, in the image plane")
    scale: float = Field(default=0.03, ge=0, le=0.5, description="share of the size")
    exposure: float = Field(default=0.0, ge=0, le=1, description="of the logarithm of a gamma on grey values in [0, 1]")
    mirror: bool = Field(default=False, description="left-right flips with probability one half")


class TrainingPlan(BaseModel):
    """One run of one method. `epochs` counts passes over the training images; the rest is as in the method's paper unless said otherwise."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: str
    size: tuple[int, ...]
    preprocessing: str = "chest"
    preprocessing_options: dict[str, object] = Field(default_factory=dict)
    epochs: int = Field(default=50, ge=1)
    stage_epochs: int = Field(
        default=1, ge=1, description="of each fade-in and each stable stage while the network grows"
    )
    cool_down_epochs: int = Field(default=0, ge=0, description="at the end, at a third of the learning rate")
    batch: int = Field(default=10, ge=1)
    learning_rate: float = Field(default=3e-4, gt=0)
    betas: tuple[float, float] = (0.5, 0.99)
    discriminator_rate: float = Field(default=0.25, gt=0, description="of the learning rate, for the discriminators")
    reconstruction_weight: float = Field(default=50.0, ge=0, description="lambda of the mean absolute error")
    adversarial_weight: float = Field(
        default=0.2, ge=0, description="of the image discriminator's verdict in the generator's loss"
    )
    code_weight: float = Field(
        default=0.2, ge=0, description="of the code discriminator's verdict in the encoder's loss"
    )
    width: int = Field(default=512, ge=2, description="channels at the network's smallest resolution")
    code: int = Field(default=128, ge=1)
    heatmap_sigma: float = Field(
        default=1 / 64, ge=0, lt=1, description="smoothing of the heatmap, as a share of the side"
    )
    average_decay: float = Field(
        default=0.999, ge=0, lt=1, description="of the moving average of the weights; 0 takes the last weights"
    )
    augmentation: Augmentation = Field(default_factory=lambda: Augmentation())
    precision: Precision = "32-true"
    minutes: float | None = Field(
        default=None, gt=0, description="stop at the end of the last epoch that fits, if epochs are not done before"
    )
    selection_share: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="of abnormal patients, for watching runs and choosing among them; never reported on",
    )
    seed: int = 0


def default_plan(
    method: str, size: int | Sequence[int] | None, epochs: int | None, seed: int, device: torch.device
) -> TrainingPlan:
    """A method's own plan on this device, with what a person asked for."""
    values: dict[str, object] = {"method": method, "seed": seed}
    if method == "autoencoder-3d":
        values |= {"size": (32, 128, 128), "preprocessing": "head-ct", "batch": 4, "betas": (0.9, 0.999), "width": 16}
    else:
        values["size"] = (256, 256)
    if size is not None:
        asked = (size,) if isinstance(size, int) else tuple(size)
        # one number is the in-plane side; a volume keeps its number of slices
        values["size"] = asked if len(asked) > 1 else (asked * 2 if method != "autoencoder-3d" else (32, *asked * 2))
    if epochs is not None:
        values["epochs"] = epochs
    if computes_bfloat16(device):
        values["precision"] = "bf16-mixed"
    return TrainingPlan.model_validate(values)


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
