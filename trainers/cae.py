"""How the convolutional autoencoder of Davletshina et al. 2020 learns: the masked squared error alone. The network is in engine/models/cae.py."""

from __future__ import annotations

from lightning_fabric import Fabric
from pydantic import Field

from engine.models.cae import CAE
from trainers.masked_autoencoder import MaskedAutoencoderPlan, MaskedAutoencoderTrainer


class CAEPlan(MaskedAutoencoderPlan):
    """The paper's (supplement .4, CAE)."""

    method: str = "cae"
    epochs: int = Field(default=1000, ge=1)
    width: int = Field(default=16, ge=1, description="channels at full size")
    bottleneck: int = Field(default=512, ge=1, description="channels at the smallest size")


class CAETrainer(MaskedAutoencoderTrainer):
    """One network, one loss."""

    plan_class = CAEPlan

    def __init__(self, plan: CAEPlan, fabric: Fabric) -> None:
        network = CAE(plan.size[0], plan.width, plan.bottleneck, plan.preprocessing, plan.heatmap_sigma)
        super().__init__(plan, fabric, network)
