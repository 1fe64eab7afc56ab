"""What every method's trainer looks like to the loop that runs it. One file per method implements it, named as in engine/models."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim import Optimizer

from engine.models.base import AnomalyModel
from trainers.plan import TrainingPlan


class MethodTrainer(ABC):
    """The networks, their optimisers and one step of a method.

    Attributes:
        modules: every network with weights to keep, by name; restored from a checkpoint.
        optimizers: likewise.
        checkpoint_rule: which weights `scoring_model` takes, in words for the card.
        skipped: steps left out because a loss or a gradient was not finite.
    """

    modules: dict[str, nn.Module]
    optimizers: dict[str, Optimizer]
    checkpoint_rule: str = "the weights after the last epoch"

    def __init__(self, plan: TrainingPlan, fabric: Fabric) -> None:
        self.plan = plan
        self.fabric = fabric
        self.skipped = 0

    @abstractmethod
    def begin_epoch(self, epoch: int) -> str:
        """Prepare for an epoch, counted from 0; returns what it is, in words ("64 x 64, fading in")."""

    @abstractmethod
    def step(self, x: Tensor, share: float, generator: torch.Generator) -> Mapping[str, Tensor]:
        """One update of each network on [B, 1, *S] in [-1, 1], `share` of the epoch being done. Returns detached losses by name."""

    @abstractmethod
    def scoring_model(self) -> AnomalyModel:
        """The network as it would be shipped now, in eval mode."""

    def update(self, network: str, loss: Tensor) -> bool:
        """Update one network, and no other, by its own loss. A step that is not finite is skipped and counted."""
        optimizer = self.optimizers[network]
        optimizer.zero_grad(set_to_none=True)
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        if torch.isfinite(loss):
            self.fabric.backward(loss, inputs=parameters)
            gradients = [p.grad for p in parameters if p.grad is not None]
            if torch.isfinite(torch.nn.utils.get_total_norm(gradients)):
                optimizer.step()
                return True
        self.skipped += 1
        return False
