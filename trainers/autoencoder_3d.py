"""How the 3D autoencoder learns: as the denoising autoencoder does in two dimensions. The network and its scores are in engine/models/autoencoder_3d.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from engine.models.autoencoder_3d import Autoencoder3D
from engine.models.denoising_autoencoder import DenoisingAutoencoder
from trainers.denoising_autoencoder import DenoisingAutoencoderPlan, DenoisingAutoencoderTrainer


class Autoencoder3DPlan(DenoisingAutoencoderPlan):
    """Volumes of Shibata's size for head CT."""

    trial: ClassVar[Mapping[str, Any]] = {"size": (16, 32, 32), "width": 4, "levels": 3}

    method: str = "autoencoder-3d"
    size: tuple[int, ...] = (32, 128, 128)
    preprocessing: str = "head-ct"
    batch: int = Field(default=4, ge=2)
    levels: int = Field(default=3, ge=1, description="halvings after the first")
    most_cells: int = Field(default=16, ge=1, description="at its finest")
    heatmap_sigma: float = Field(
        default=1 / 32, ge=0, lt=1, description="smoothing of the heatmap, as a share of each side"
    )


class Autoencoder3DTrainer(DenoisingAutoencoderTrainer):
    """The same loss; only the network and the plan differ."""

    plan_class = Autoencoder3DPlan
    model_class: ClassVar[type[DenoisingAutoencoder]] = Autoencoder3D
