"""How two Glows learn: the likelihood of known normals, and of an unlabelled mixture. The networks and scores are in engine/models/glow_posterior.py.

The paper trains the two apart (Shibata et al. 2021, section 2). Their difference is then also the difference of two random paths through a
landscape of 10^4 dimensions; its 7,000 images and 200 epochs drown that noise, a few hundred images do not. With `shared_epochs` above 0 both begin as
one flow of all images, normals and mixture together, and part afterwards: what they differ in is what their images differ in. 0 is the paper's way; even then
they start from the same weights. Optimiser, rate, warm-up and moving average are OpenAI's Glow's.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from lightning_fabric import Fabric
from pydantic import Field
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from engine.models.glow import Glow, largest_levels
from engine.models.glow_posterior import GlowPosterior, dequantised
from trainers.method import Batch, MethodTrainer, TrainingImages, as_input
from trainers.plan import Augmentation, TrainingPlan

Side = Literal["normal", "mixture"]


class GlowPosteriorPlan(TrainingPlan):
    """Table 2 of the paper; what it does not name is OpenAI's."""

    rounds: ClassVar[bool] = False
    trial: ClassVar[Mapping[str, Any]] = {
        "size": (32, 32),
        "levels": 2,
        "depth": 2,
        "width": 16,
        "batch": 8,
        "mixture_normals": 0.4,
    }

    method: str = "glow-posterior"
    size: tuple[int, ...] = (512, 512)
    epochs: int = Field(default=200, ge=1)
    batch: int = Field(default=128, ge=1)
    learning_rate: float = Field(default=1e-3, gt=0)
    augmentation: Augmentation = Field(
        default_factory=lambda: Augmentation(shift=0, rotation=0, scale=0),
        description="none: an image that was turned is smoother than one that was not, and a density sees it",
    )
    mixture_normals: float = Field(
        default=0.4,
        ge=0,
        lt=1,
        description="of the training normals' patients, whose images join a mixture drawn from the same cohort: the paper's is half normal",
    )
    levels: int = Field(default=7, ge=1, description="fewer where the image is too small for them")
    depth: int = Field(default=32, ge=1, description="steps of each level")
    width: int = Field(default=512, ge=1, description="channels within the coupling networks")
    bits: int = Field(default=8, ge=1, le=8, description="of a grey value")
    warm_up_epochs: int = Field(default=10, ge=0, description="in which the rate rises to `learning_rate`")
    cool_down_epochs: int = Field(default=0, ge=0, description="at the end, in which the rate falls to 0")
    shared_epochs: int = Field(
        default=0, ge=0, description="at the beginning, in which both flows are one, of normals and mixture together"
    )
    average_epochs: float = Field(
        default=1.0, ge=0, description="length of the moving average of the weights; 0 takes the last weights"
    )
    most_gradient: float = Field(default=100.0, gt=0, description="norm to which a larger gradient is cut")
    retracing: bool = Field(
        default=True,
        description="compute each step's input back from its output: half as slow again, and no deeper flow needs more memory",
    )
    first_batch: int = Field(default=64, ge=2, description="images that the actnorms are set by")


class GlowPosteriorTrainer(MethodTrainer):
    """Two flows, each with its own optimiser and the negative log likelihood of its own images."""

    plan_class = GlowPosteriorPlan
    mixture = "always"
    model_class: ClassVar[type[GlowPosterior]] = GlowPosterior
    plan: GlowPosteriorPlan

    def __init__(self, plan: GlowPosteriorPlan, fabric: Fabric) -> None:
        super().__init__(plan, fabric)
        if plan.shared_epochs >= plan.epochs:
            raise ValueError(f"the two flows must part before the last epoch, not after {plan.shared_epochs}")
        self.network, self.average = self._fresh(), self._fresh()
        self.average.load_state_dict(self.network.state_dict())
        self.average.requires_grad_(False)
        self.modules: dict[str, nn.Module] = {"network": self.network, "average": self.average}
        self.optimizers: dict[str, Optimizer] = {}
        self.flows: dict[Side, nn.Module] = {}
        for side in ("normal", "mixture"):
            flow: Glow = getattr(self.network, side)
            flow.retracing = plan.retracing
            adam = Adam(flow.parameters(), plan.learning_rate, plan.betas, fused=True)
            adam.register_step_pre_hook(self._cut_gradients)
            self.optimizers[side] = adam
            self.flows[side], _ = fabric.setup(flow, adam)
        if plan.average_epochs:
            self.shipped_weights = f"the moving average of the weights over about {plan.average_epochs:g} epochs,"
        self.epoch, self.steps_in_epoch = 0, 1

    def begin(self, images: TrainingImages) -> None:
        """Set the actnorms of both flows by the same first batch, half normals and half mixture, evenly spaced."""
        self.steps_in_epoch = max(1, len(images.normal) // self.plan.batch)
        parts = [images.normal] if images.mixture is None else [images.normal, images.mixture]
        few = np.concatenate(
            [
                part[np.linspace(0, len(part) - 1, min(len(part), self.plan.first_batch // 2)).astype(int)]
                for part in parts
            ]
        )
        y = self._dequantised(as_input(few, self.fabric.device), torch.Generator().manual_seed(self.plan.seed))
        self.network.normal.initialise(y)
        self.network.mixture.load_state_dict(self.network.normal.state_dict())
        self.average.load_state_dict(self.network.state_dict())

    def begin_epoch(self, epoch: int) -> str:
        self.epoch = epoch
        if epoch == self.plan.shared_epochs:
            self._part()
        return "one flow of all" if epoch < self.plan.shared_epochs else "two flows"

    def rate(self, share: float) -> float:
        """The learning rate when `share` of the current epoch is done."""
        done = self.epoch + share
        rising = (done + 1 / self.steps_in_epoch) / self.plan.warm_up_epochs if self.plan.warm_up_epochs else 1.0
        falling = (self.plan.epochs - done) / self.plan.cool_down_epochs if self.plan.cool_down_epochs else 1.0
        return self.plan.learning_rate * min(1.0, rising, falling)

    def step(self, batch: Batch, generator: torch.Generator) -> Mapping[str, Tensor]:
        assert batch.mixture is not None, "the plan asks for a mixture always"
        for optimizer in self.optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = self.rate(batch.share)
        normal, mixture = (self._dequantised(x, generator) for x in (batch.normal, batch.mixture))
        if self.epoch < self.plan.shared_epochs:
            losses = self._learned("normal", torch.cat([normal, mixture]))
            found = {"shared": losses.mean()}
        else:
            found = {
                "normal": self._learned("normal", normal).mean(),
                "mixture": self._learned("mixture", mixture).mean(),
            }
        self._move_average(batch.share)
        return found

    def held_out_loss(self, images: TrainingImages) -> float:
        """Bits per dimension of the flow of normals, with the noise of scoring; infinite while one flow learns for both, and the other cannot score."""
        if self.epoch < self.plan.shared_epochs:
            return math.inf
        model = self._scored()

        def bits(x: Tensor) -> Tensor:
            return model.bits_per_dimension(model.normal(dequantised(x, model.noise, self.plan.bits))).mean()

        return self.mean_over_held(images, bits)

    def scoring_model(self) -> GlowPosterior:
        model = self._fresh()
        model.load_state_dict(self._scored().state_dict())
        return model.to(self.fabric.device).eval()

    def _learned(self, side: Side, y: Tensor) -> Tensor:
        """Update one flow by its images; [B] bits per dimension."""
        bits = self.network.bits_per_dimension(self.flows[side](y))
        self.update(side, bits.mean().float())
        return bits.detach().float()

    def _dequantised(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """A point of each image's cell, other ones each time; drawn in the same way for both flows."""
        return dequantised(x, torch.rand(x.shape, generator=generator).to(x.device), self.plan.bits)

    def _part(self) -> None:
        """The flow of all images becomes both flows, its optimiser's moments and its average included."""
        self.network.mixture.load_state_dict(self.network.normal.state_dict())
        self.average.mixture.load_state_dict(self.average.normal.state_dict())
        self.optimizers["mixture"].load_state_dict(copy.deepcopy(self.optimizers["normal"].state_dict()))

    @torch.no_grad()
    def _move_average(self, share: float) -> None:
        """Exponential moving average, short at first: weights that have just begun to learn must not be dragged along."""
        if not self.plan.average_epochs:
            return
        steps = round((self.epoch + share) * self.steps_in_epoch) + 1
        decay = min(1 - 1 / (1 + self.plan.average_epochs * self.steps_in_epoch), steps / (steps + 10))
        torch._foreach_lerp_(list(self.average.parameters()), list(self.network.parameters()), 1 - decay)

    def _cut_gradients(self, optimizer: Optimizer, *_: Any) -> None:
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        nn.utils.clip_grad_norm_(parameters, self.plan.most_gradient)

    def _scored(self) -> GlowPosterior:
        return self.average if self.plan.average_epochs else self.network

    def _fresh(self) -> GlowPosterior:
        plan = self.plan
        levels = min(plan.levels, largest_levels(plan.size))
        return self.model_class(
            plan.size, levels, plan.depth, plan.width, plan.bits, plan.preprocessing, plan.heatmap_sigma
        ).to(self.fabric.device)
