"""How a one-class GAN learns: four losses, two updates. The networks and their scores are in engine/models/one_class_gan.py.

Tang et al. 2019, equations 1 to 5. x is an image, m Gaussian noise, x' and the maps F of U(x + m), the last of them the code z; F' and z' are E's of x'; D
gives logits, and l(y) = -log sigmoid(y):

    D         l(D(x)) + l(-D(x'))
    U and E   20 |x - x'|_1 + 4 l(D(x')) + 8 |z - z'|^2 + sum over the levels before the code of |F - F'|^2

Every norm is a mean over its elements. The least of log(1 - D(x')) that equation 2 asks of U has no slope while D is sure of itself; l(D(x')) has
the same end and one (Goodfellow et al. 2014). D moves first, on what U draws before its own step.

An autoencoder with skips at full width can hand every image through unseen: what keeps it from that is the noise, which it must know a normal chest to
take away. The paper does not say how much there is.

A network and its judge chase each other, and what either says of an image depends on the step at which they are stopped. A moving average of all weights,
ours and off unless asked for, evens that out.

"Initialized with standard normal distribution" is read as DCGAN's, of a deviation of .02: one of 1 saturates the Tanh that draws the image, which no
normalisation precedes, so that nothing is learned.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from pydantic import Field
from torch import Tensor, nn
from torch.nn.utils import convert_conv2d_weight_memory_format
from torch.optim import Adam

from engine.models.one_class_gan import Networks, OneClassGAN
from trainers.method import Batch, MethodTrainer, TrainingImages
from trainers.moving_average import follow, young
from trainers.plan import Augmentation, TrainingPlan

DEVIATION = 0.02


class OneClassGANPlan(TrainingPlan):
    """The paper's (section 3.1), which changes no image at random; the noise and the channels are ours, as it leaves them open."""

    trial: ClassVar[Mapping[str, Any]] = {"width": 16}

    method: str = "one-class-gan"
    size: tuple[int, ...] = (64, 64)
    epochs: int = Field(default=15, ge=1)
    batch: int = Field(default=64, ge=2)
    learning_rate: float = Field(default=5e-4, gt=0)
    betas: tuple[float, float] = (0.5, 0.999)
    augmentation: Augmentation = Field(default_factory=lambda: Augmentation(shift=0, rotation=0, scale=0))
    width: int = Field(default=64, ge=1, description="channels after the first level")
    code: int = Field(default=100, ge=1)
    networks: Networks = Field(default="U+D+E", description="the paper's ablations: without D, E or both")
    noise: float = Field(default=0.2, ge=0, description="standard deviation, on a scale of greys from -1 to 1")
    reconstruction_weight: float = Field(default=20.0, ge=0, description="lambda 1, of the mean absolute error")
    adversarial_weight: float = Field(default=4.0, ge=0, description="lambda 2, of the discriminator's verdict")
    code_weight: float = Field(default=8.0, ge=0, description="lambda 3, of the difference of the codes")
    average_decay: float = Field(
        default=0.0, ge=0, lt=1, description="of the moving average of the weights; 0 takes the last weights"
    )


class OneClassGANTrainer(MethodTrainer):
    """U and E learn together, D against them."""

    plan_class = OneClassGANPlan
    plan: OneClassGANPlan

    def __init__(self, plan: OneClassGANPlan, fabric: Fabric) -> None:
        super().__init__(plan, fabric)
        self.weights = (plan.reconstruction_weight, plan.adversarial_weight, plan.code_weight)
        self.network = OneClassGAN(
            plan.size[0],
            plan.code,
            plan.width,
            plan.networks,
            plan.preprocessing,
            plan.heatmap_sigma,
            self.weights,
            code_distance="norm",
        )
        self.network.apply(initialise)
        convert_conv2d_weight_memory_format(self.network.to(fabric.device), torch.channels_last)
        self.modules: dict[str, nn.Module] = {"network": self.network}
        self.scored = self.network
        if plan.average_decay:
            self.scored = copy.deepcopy(self.network).requires_grad_(False).eval()
            self.modules["average"] = self.scored
            self.shipped_weights = "the moving average of the weights"
        self.epoch, self.steps_in_epoch = 0, 1
        judge, encoder = self.network.discriminator, self.network.second_encoder
        drawing = [p for part in (self.network.autoencoder, encoder) if part is not None for p in part.parameters()]
        self.optimizers = {"autoencoder": Adam(drawing, plan.learning_rate, plan.betas, fused=True)}
        if judge is not None:
            self.optimizers["discriminator"] = Adam(judge.parameters(), plan.learning_rate, plan.betas, fused=True)
        self.reconstruct = fabric.setup_module(self.network.autoencoder)
        self.judge = fabric.setup_module(judge) if judge is not None else None
        self.encode_again = fabric.setup_module(encoder) if encoder is not None else None
        for optimizer in self.optimizers.values():
            fabric.setup_optimizers(optimizer)

    def begin(self, images: TrainingImages) -> None:
        self.steps_in_epoch = max(1, len(images.normal) // self.plan.batch)

    def begin_epoch(self, epoch: int) -> str:
        self.epoch = epoch
        return ""

    def step(self, batch: Batch, generator: torch.Generator) -> Mapping[str, Tensor]:
        x = batch.normal.contiguous(memory_format=torch.channels_last)  # [B, 1, S, S]
        noise = torch.randn(batch.normal.shape, generator=generator).to(x.device)
        reconstruction, maps = self.reconstruct(x + self.plan.noise * noise)
        shown: dict[str, Tensor] = {}
        error = F.l1_loss(reconstruction.float(), x)  # equation 1
        loss = self.plan.reconstruction_weight * error
        shown["reconstruction"] = error
        if self.judge is not None:
            shown["discriminator"] = cross_entropy(self.judge(x), self.judge(reconstruction.detach()))  # equation 2
            self.update("discriminator", shown["discriminator"])
            shown["adversarial"] = F.softplus(-self.judge(reconstruction).float()).mean()
            loss = loss + self.plan.adversarial_weight * shown["adversarial"]
        if self.encode_again is not None:
            *features, code = [
                F.mse_loss(again.float(), first.float())
                for first, again in zip(maps, self.encode_again(reconstruction), strict=True)
            ]
            shown["code"], shown["features"] = code, torch.stack(features).sum()  # equations 3 and 4
            loss = loss + self.plan.code_weight * code + shown["features"]
        self.update("autoencoder", loss)  # equation 5
        if self.plan.average_decay:
            steps = (self.epoch + batch.share) * self.steps_in_epoch
            follow(self.scored, self.network, min(self.plan.average_decay, young(steps)))
        return {name: value.detach() for name, value in shown.items()}

    def held_out_loss(self, images: TrainingImages) -> float:
        """20 |x - x'|_1 + 8 |z - z'|^2 of noised normals: of U's and E's loss the terms that also score, with their weights there.

        The noise stays: without it skips can hand the image through unseen, and an epoch that does so would be the best. It is drawn for one image
        after another, the same at every epoch. D's verdict is left out, as it says how far D is ahead of U and not how well U draws; so are the
        other maps, which do not score.
        """
        generator = torch.Generator().manual_seed(self.plan.seed)

        def loss(x: Tensor) -> Tensor:
            noise = torch.stack([torch.randn(x.shape[1:], generator=generator) for _ in x]).to(x.device)
            reconstruction, maps = self.scored.autoencoder(x + self.plan.noise * noise)
            total = self.plan.reconstruction_weight * F.l1_loss(reconstruction, x)
            if self.scored.second_encoder is not None:
                again = self.scored.second_encoder(reconstruction)[-1]
                total = total + self.plan.code_weight * F.mse_loss(again, maps[-1])
            return total

        return self.mean_over_held(images, loss)

    def scoring_model(self) -> OneClassGAN:
        model = OneClassGAN(**self.scored.architecture)
        model.load_state_dict(self.scored.state_dict())
        return model.to(self.fabric.device).eval()


def cross_entropy(real: Tensor, drawn: Tensor) -> Tensor:
    """What D loses by its logits of real and of drawn images, each a mean over its batch."""
    return F.softplus(-real.float()).mean() + F.softplus(drawn.float()).mean()


def initialise(layer: nn.Module) -> None:
    """DCGAN's weights, for one layer."""
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(layer.weight, 0.0, DEVIATION)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    elif isinstance(layer, nn.BatchNorm2d):
        nn.init.normal_(layer.weight, 1.0, DEVIATION)
