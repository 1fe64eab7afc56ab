"""What the autoencoders of Davletshina et al. 2020 have in common as learners: one network, Adam, the masked reconstruction loss. No method itself."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import torch
from lightning_fabric import Fabric
from pydantic import Field
from torch import Tensor, nn
from torch.nn.utils import convert_conv2d_weight_memory_format
from torch.optim import Adam

from engine.models.base import AnomalyModel
from engine.models.masked_error import foreground, masked_mean
from trainers.method import Batch, MethodTrainer, TrainingImages
from trainers.plan import Augmentation, TrainingPlan


class MaskedAutoencoderPlan(TrainingPlan):
    """The paper's size, batch and rate for its autoencoders (supplement .4), on film cut out, one limb, its mask and equalised greys (table 1's best
    column); the loss is masked only where something was blacked out."""

    size: tuple[int, ...] = (512, 512)
    preprocessing: str = "hand"
    preprocessing_options: dict[str, object] = Field(default={"grey": "equalised"})
    epochs: int = Field(default=500, ge=1)
    batch: int = Field(default=32, ge=2)
    learning_rate: float = Field(default=1e-4, gt=0)
    augmentation: Augmentation = Field(default_factory=Augmentation.advanced_set)
    final_rate: float = Field(
        default=1.0,
        gt=0,
        le=1,
        description="of the learning rate, reached by the last epoch along a cosine; 1 keeps it",
    )


class MaskedAutoencoderTrainer(MethodTrainer):
    """One network with one loss. A method says which network, and what its loss is where that is not the masked squared error.

    Attributes:
        called: the network's methods that a loss runs it by.
    """

    plan: MaskedAutoencoderPlan
    called: ClassVar[tuple[str, ...]] = ("reconstruct",)

    def __init__(self, plan: MaskedAutoencoderPlan, fabric: Fabric, network: AnomalyModel) -> None:
        super().__init__(plan, fabric)
        self.network = network
        convert_conv2d_weight_memory_format(network.to(fabric.device), torch.channels_last)
        self.modules: dict[str, nn.Module] = {"network": network}
        adam = Adam(network.parameters(), plan.learning_rate, plan.betas, fused=True)
        self.optimizers = {"network": adam}
        self.network_in_use, _ = fabric.setup(network, adam)
        for name in self.called:
            self.network_in_use.mark_forward_method(name)
        self.epoch = 0

    def losses(self, x: Tensor) -> dict[str, Tensor]:
        """0-dimensional losses of [B, 1, *S] by name; the first is what is minimised, the mean over the batch of each image's masked error."""
        drawn: Tensor = self.network_in_use.reconstruct(x)
        return {"reconstruction": masked_mean(torch.square(x - drawn.float()), foreground(x)).mean()}

    def begin_epoch(self, epoch: int) -> str:
        self.epoch = epoch
        return ""

    def step(self, batch: Batch, generator: torch.Generator) -> Mapping[str, Tensor]:
        done = (self.epoch + batch.share) / self.plan.epochs
        falling = self.plan.final_rate + (1 - self.plan.final_rate) * 0.5 * (1 + math.cos(math.pi * done))
        for group in self.optimizers["network"].param_groups:
            group["lr"] = self.plan.learning_rate * falling
        losses = self.losses(batch.normal.contiguous(memory_format=torch.channels_last))
        self.update("network", next(iter(losses.values())))
        return {name: loss.detach() for name, loss in losses.items()}

    def held_out_loss(self, images: TrainingImages) -> float:
        return self.mean_over_held(images, lambda x: next(iter(self.losses(x).values())))

    def scoring_model(self) -> AnomalyModel:
        model = type(self.network)(**self.network.architecture)
        model.load_state_dict(self.network.state_dict())
        return model.to(self.fabric.device).eval()
