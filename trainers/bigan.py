"""How the BiGAN of Davletshina et al. 2020 learns: one adversarial game about pairs. The networks and their scores are in engine/models/bigan.py.

Hinge losses (supplement .4) on Donahue's pairs; x are images, n ~ N(0, 1), h(y) = max(0, 1 - y):

    generator and encoder  D(x, E(x)) - D(G(n), n)
    discriminator          h(D(x, E(x))) + h(-D(G(n), n))
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from lightning_fabric import Fabric
from pydantic import Field
from torch import Tensor

from engine.models.bigan import BiGAN
from trainers.adversarial import AdversarialPlan, AdversarialTrainer, hinge_loss, redrawn_error, taken_for_real
from trainers.method import Batch, TrainingImages


class BiGANPlan(AdversarialPlan):
    """The paper's (supplement .4, BiGAN)."""

    method: str = "bigan"
    trial: ClassVar[Mapping[str, Any]] = {"size": (32, 32), "width": 8, "code": 32}
    width: int = Field(default=64, ge=1, description="channels next to the image")
    code: int = Field(default=200, ge=1)


class BiGANTrainer(AdversarialTrainer):
    """Generator and encoder against the discriminator."""

    plan_class = BiGANPlan
    plan: BiGANPlan
    network: BiGAN

    def __init__(self, plan: BiGANPlan, fabric: Fabric) -> None:
        network = BiGAN(plan.size[0], plan.width, plan.code, plan.preprocessing, plan.heatmap_sigma)
        learners = {"generator_and_encoder": ("generator", "encoder"), "discriminator": ("discriminator",)}
        super().__init__(plan, fabric, network, learners)

    def step(self, batch: Batch, generator: torch.Generator) -> Mapping[str, Tensor]:
        encode, generate, judge = self.parts["encoder"], self.parts["generator"], self.parts["discriminator"]
        x = batch.normal.contiguous(memory_format=torch.channels_last)  # [B, 1, S, S]
        noise = self.noise(len(x), self.plan.code, generator)  # [B, code]

        z, sample = encode(x), generate(noise)
        drawing_loss = -taken_for_real(judge(x, z)) + taken_for_real(judge(sample, noise))
        self.update("generator_and_encoder", drawing_loss)

        z, sample = z.detach(), sample.detach()
        discriminator_loss = hinge_loss(judge(x, z), judge(sample, noise))
        self.update("discriminator", discriminator_loss)
        with torch.no_grad():
            error = redrawn_error(x, generate(z))
        return {
            "generator_and_encoder": drawing_loss.detach(),
            "discriminator": discriminator_loss.detach(),
            "reconstruction": error,
        }

    def held_out_loss(self, images: TrainingImages) -> float:
        """The score `mse`: how far an image lies from what is drawn of its code. Losses about D say who is ahead in the game, and not how well it is played."""
        network = self.network
        return self.mean_over_held(images, lambda x: redrawn_error(x, network.generator(network.encoder(x))))
