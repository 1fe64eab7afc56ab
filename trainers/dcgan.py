"""How the DCGAN of Davletshina et al. 2020 learns: soft labels, spectral normalisation, two rates. The networks are in engine/models/dcgan.py.

With x images, n noise, H the cross-entropy of a logit and a label, and u uniform up to the paper's soft delta, drawn for each image:

    discriminator  H(D(x), 1 - u) + H(D(G(n)), u)
    generator      H(D(G(n)), 1)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from pydantic import Field
from torch import Tensor

from engine.models.dcgan import DCGAN
from trainers.adversarial import AdversarialPlan, AdversarialTrainer
from trainers.method import Batch, TrainingImages
from trainers.two_samples import median_square_distance, small_averages, squared_discrepancy

DRAWN = 256
"""Images that are drawn to be compared with held-out normals."""


class DCGANPlan(AdversarialPlan):
    """The paper's (supplement .4, DCGAN)."""

    method: str = "dcgan"
    trial: ClassVar[Mapping[str, Any]] = {"size": (64, 64), "width": 64, "noise": 64}
    size: tuple[int, ...] = (512, 512)
    batch: int = Field(default=80, ge=2)
    discriminator_rate: float = Field(default=0.01, gt=0, description="of the learning rate, for the discriminator")
    soft_delta: float = Field(default=0.01, ge=0, lt=0.5, description="by which a label is softened at most")
    width: int = Field(default=1024, ge=4, description="the generator's channels at 4 x 4")
    noise: int = Field(default=2048, ge=1, description="length of the generator's input")


class DCGANTrainer(AdversarialTrainer):
    """Generator against discriminator."""

    plan_class = DCGANPlan
    plan: DCGANPlan
    network: DCGAN

    def __init__(self, plan: DCGANPlan, fabric: Fabric) -> None:
        network = DCGAN(plan.size[0], plan.width, plan.noise, plan.preprocessing)
        super().__init__(plan, fabric, network, {name: (name,) for name in ("generator", "discriminator")})

    def normalised(self) -> tuple[str, ...]:
        """Both networks: neither has batch normalisation."""
        return ("generator", "discriminator")

    def step(self, batch: Batch, generator: torch.Generator) -> Mapping[str, Tensor]:
        generate, judge = self.parts["generator"], self.parts["discriminator"]
        x = batch.normal.contiguous(memory_format=torch.channels_last)  # [B, 1, S, S]
        sample = generate(self.noise(len(x), self.plan.noise, generator))
        softened = self.plan.soft_delta * torch.rand(2, len(x), generator=generator).to(x.device)  # [2, B]

        real, drawn = judge(x).float(), judge(sample.detach()).float()
        discriminator_loss = F.binary_cross_entropy_with_logits(real, 1 - softened[0])
        discriminator_loss = discriminator_loss + F.binary_cross_entropy_with_logits(drawn, softened[1])
        self.update("discriminator", discriminator_loss)

        judged = judge(sample).float()
        generator_loss = F.binary_cross_entropy_with_logits(judged, torch.ones_like(judged))
        self.update("generator", generator_loss)
        return {"discriminator": discriminator_loss.detach(), "generator": generator_loss.detach()}

    def held_out_loss(self, images: TrainingImages) -> float:
        """How far what G draws of the same noise at every epoch lies from the held-out normals, as a population: see trainers/two_samples.py.

        Nothing encodes an image here. The kernel's width is the training normals' own, so that all epochs are measured by one kernel.
        """
        noise = self.noise(DRAWN, self.plan.noise, torch.Generator().manual_seed(self.plan.seed))
        drawn = [small_averages(self.network.generator(part)) for part in noise.split(self.plan.batch)]
        held = [small_averages(x) for x in self.held_batches(images)]
        scale = median_square_distance(small_averages(self.compared_images(images)))
        return squared_discrepancy(torch.cat(drawn), torch.cat(held), scale)

    def finish(self, images: TrainingImages) -> None:
        self.network.eval()
        with torch.no_grad():
            self.network.discriminator.remember(self.compared_images(images))
        self.network.train()
