"""How the 3D autoencoder learns: mean absolute error alone, Adam, cosine learning rate. The network and its scores are in engine/models/autoencoder_3d.py."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from pydantic import Field
from torch import Tensor, nn
from torch.nn.utils import convert_conv3d_weight_memory_format
from torch.optim import Adam

from engine.models.autoencoder_3d import Autoencoder3D
from trainers.method import Batch, MethodTrainer
from trainers.plan import TrainingPlan


class Autoencoder3DPlan(TrainingPlan):
    """Volumes of Shibata's size for head CT."""

    trial: ClassVar[Mapping[str, Any]] = {"size": (16, 32, 32), "width": 8, "code": 32}

    method: str = "autoencoder-3d"
    size: tuple[int, ...] = (32, 128, 128)
    preprocessing: str = "head-ct"
    batch: int = Field(default=4, ge=1)
    width: int = Field(default=16, ge=2, description="channels at full resolution")
    code: int = Field(default=128, ge=1)


class Autoencoder3DTrainer(MethodTrainer):
    """One network, one loss."""

    plan_class = Autoencoder3DPlan
    plan: Autoencoder3DPlan

    def __init__(self, plan: Autoencoder3DPlan, fabric: Fabric) -> None:
        super().__init__(plan, fabric)
        self.network = Autoencoder3D(plan.size, plan.width, plan.code, plan.preprocessing, plan.heatmap_sigma)
        convert_conv3d_weight_memory_format(self.network.to(fabric.device), torch.channels_last_3d)
        self.modules: dict[str, nn.Module] = {"network": self.network}
        adam = Adam(self.network.parameters(), lr=plan.learning_rate, betas=plan.betas)
        self.optimizers = {"network": adam}
        self.reconstruct, _ = fabric.setup(self.network, adam)
        self.reconstruct.mark_forward_method("reconstruct")
        self.epoch = 0

    def begin_epoch(self, epoch: int) -> str:
        self.epoch = epoch
        return " x ".join(str(extent) for extent in self.plan.size)

    def step(self, batch: Batch, generator: torch.Generator) -> Mapping[str, Tensor]:
        done = (self.epoch + batch.share) / self.plan.epochs
        for group in self.optimizers["network"].param_groups:
            group["lr"] = self.plan.learning_rate * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * done)))
        x = batch.normal.contiguous(memory_format=torch.channels_last_3d)
        error = F.l1_loss(self.reconstruct.reconstruct(x).float(), x)
        self.update("network", error)
        return {"reconstruction": error.detach()}

    def scoring_model(self) -> Autoencoder3D:
        model = Autoencoder3D(**self.network.architecture)
        model.load_state_dict(self.network.state_dict())
        return model.to(self.fabric.device).eval()
