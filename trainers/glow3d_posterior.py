"""How two 3D-Glows learn: as in two dimensions, with the paper's Table 4. The networks and their scores are in engine/models/glow3d_posterior.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from engine.models.glow3d_posterior import Glow3DPosterior
from engine.models.glow_posterior import GlowPosterior
from trainers.glow_posterior import GlowPosteriorPlan, GlowPosteriorTrainer


class Glow3DPosteriorPlan(GlowPosteriorPlan):
    """Table 4 of the paper; of its 30 and 20 epochs (Train 1, Train 2) the first."""

    trial: ClassVar[Mapping[str, Any]] = {**GlowPosteriorPlan.trial, "size": (8, 32, 32)}

    method: str = "glow3d-posterior"
    size: tuple[int, ...] = (32, 128, 128)
    preprocessing: str = "head-ct"
    epochs: int = Field(default=30, ge=1)
    batch: int = Field(default=1, ge=1)
    learning_rate: float = Field(default=1e-4, gt=0)
    levels: int = Field(default=4, ge=1, description="fewer where the volume is too small for them")
    bits: int = Field(default=7, ge=1, le=8, description="of a grey value")


class Glow3DPosteriorTrainer(GlowPosteriorTrainer):
    """The same losses; only the network and the plan differ."""

    plan_class = Glow3DPosteriorPlan
    model_class: ClassVar[type[GlowPosterior]] = Glow3DPosterior
