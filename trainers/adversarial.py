"""What the GANs of Davletshina et al. 2020 have in common as learners: rates, hinge losses, and the network that is shipped. No method itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from pydantic import Field
from torch import Tensor, nn
from torch.nn.utils import convert_conv2d_weight_memory_format
from torch.optim import Adam

from engine.models.base import AnomalyModel
from engine.models.masked_error import foreground, masked_mean
from engine.models.minibatch_discrimination import REFERENCES
from trainers.method import MethodTrainer, TrainingImages, as_input
from trainers.plan import Augmentation, TrainingPlan
from trainers.spectral_normalisation import normalise_spectrally, plain_weights


class AdversarialPlan(TrainingPlan):
    """The paper's for its GANs (supplement .4), fully preprocessed without equalising, as its best GANs are (table 1); Adam's betas are those of the
    authors' public code."""

    size: tuple[int, ...] = (128, 128)
    preprocessing: str = "hand"
    preprocessing_options: dict[str, object] = Field(default={"grey": "presentation"})
    epochs: int = Field(default=500, ge=1)
    batch: int = Field(default=16, ge=2)
    learning_rate: float = Field(default=1e-3, gt=0, description="of what draws and encodes")
    betas: tuple[float, float] = (0.5, 0.999)
    discriminator_rate: float = Field(default=0.005, gt=0, description="of the learning rate, for what judges")
    augmentation: Augmentation = Field(default_factory=Augmentation.default_set)


class AdversarialTrainer(MethodTrainer):
    """Networks that draw and networks that judge, each with an Adam of its own.

    Attributes:
        judging: parts of the network that learn at the discriminators' rate, spectrally normalised.
    """

    plan: AdversarialPlan
    judging: ClassVar[tuple[str, ...]] = ("discriminator",)

    def __init__(
        self, plan: AdversarialPlan, fabric: Fabric, network: AnomalyModel, learners: Mapping[str, tuple[str, ...]]
    ) -> None:
        """`learners` names the optimisers and the parts of the network that each of them updates."""
        super().__init__(plan, fabric)
        self.network = network
        convert_conv2d_weight_memory_format(network.to(fabric.device), torch.channels_last)
        for name in self.normalised():
            normalise_spectrally(network.get_submodule(name))
        self.modules: dict[str, nn.Module] = {"network": network}
        self.optimizers = {}
        self.parts: dict[str, nn.Module] = {}
        for learner, names in learners.items():
            rate = plan.learning_rate * (plan.discriminator_rate if learner in self.judging else 1)
            parts = [network.get_submodule(name) for name in names]
            adam = Adam([p for part in parts for p in part.parameters()], rate, plan.betas, fused=True)
            self.optimizers[learner] = adam
            self.parts |= {name: fabric.setup_module(part) for name, part in zip(names, parts, strict=True)}
            fabric.setup_optimizers(adam)

    def normalised(self) -> tuple[str, ...]:
        """Parts under spectral normalisation: those that judge, as in the authors' public code."""
        return self.judging

    def begin_epoch(self, epoch: int) -> str:
        return ""

    def noise(self, count: int, length: int, generator: torch.Generator) -> Tensor:
        """[count, length] of the standard Gaussian, the same on every device."""
        return torch.randn(count, length, generator=generator).to(self.fabric.device)

    def scoring_model(self) -> AnomalyModel:
        model = type(self.network)(**self.network.architecture)
        model.load_state_dict(plain_weights(self.network))
        return model.to(self.fabric.device).eval()

    def compared_images(self, images: TrainingImages) -> Tensor:
        """[N, 1, *S] training normals, evenly spaced, that minibatch discrimination compares with at inference."""
        chosen = np.linspace(0, len(images.normal) - 1, min(REFERENCES, len(images.normal))).astype(np.int64)
        return as_input(images.normal[chosen], self.fabric.device)


def hinge_loss(real: Tensor, *drawn: Tensor) -> Tensor:
    """What a discriminator loses by logits of real and of drawn images or codes, each a mean over its batch (Lim and Ye, Geometric GAN, 2017)."""
    loss = F.relu(1 - real.float()).mean()
    for logits in drawn:
        loss = loss + F.relu(1 + logits.float()).mean()
    return loss


def redrawn_error(x: Tensor, drawn: Tensor) -> Tensor:
    """The score `mse` of images and what was drawn of their codes, [B, 1, S, S] each: masked mean squared error, a mean over the batch."""
    return masked_mean(torch.square(x - drawn.float()), foreground(x)).mean()


def taken_for_real(*drawn: Tensor) -> Tensor:
    """What a generator or an encoder loses by a discriminator's logits of its works: -mean, summed over the batches."""
    return -torch.stack([logits.float().mean() for logits in drawn]).sum()
