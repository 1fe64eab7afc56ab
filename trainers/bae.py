"""How the bottleneck autoencoder of Davletshina et al. 2020 learns: the masked squared error alone. The network is in engine/models/bae.py."""

from __future__ import annotations

from lightning_fabric import Fabric
from pydantic import Field

from engine.models.bae import BAE
from trainers.masked_autoencoder import MaskedAutoencoderPlan, MaskedAutoencoderTrainer


class BAEPlan(MaskedAutoencoderPlan):
    """The paper's (supplement .4, BAE)."""

    method: str = "bae"
    width: int = Field(default=16, ge=1, description="channels at full size")


class BAETrainer(MaskedAutoencoderTrainer):
    """One network, one loss."""

    plan_class = BAEPlan

    def __init__(self, plan: BAEPlan, fabric: Fabric) -> None:
        super().__init__(plan, fabric, BAE(plan.size[0], plan.width, plan.preprocessing, plan.heatmap_sigma))
