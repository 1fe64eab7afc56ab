"""How the alpha-GAN of Davletshina et al. 2020 learns: four losses, four updates. The networks and their scores are in engine/models/hand_alpha_gan.py.

Rosca et al. 2017, algorithm 1 (arXiv:1706.04987), with hinge losses (supplement .4). x are images, z ~ E(x), x' = G(z), n ~ N(0, 1), x" = G(n), h(y) =
max(0, 1 - y), and |x - x'| the masked mean absolute error:

    encoder             lambda |x - x'| - C(z)
    generator           lambda |x - x'| - D(x') - D(x")
    discriminator       h(D(x)) + h(-D(x')) + h(-D(x"))
    code discriminator  h(C(n)) + h(-C(z))

Each network is updated through a graph of its own. Minibatch discrimination compares real with real, reconstructed with reconstructed and drawn with
drawn images, so that each is judged in a batch of its own. The paper gives no lambda.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from lightning_fabric import Fabric
from pydantic import Field
from torch import Tensor

from engine.models.hand_alpha_gan import HandAlphaGAN
from engine.models.masked_error import foreground, masked_mean
from trainers.adversarial import AdversarialPlan, AdversarialTrainer, hinge_loss, redrawn_error, taken_for_real
from trainers.method import Batch, TrainingImages


class HandAlphaGANPlan(AdversarialPlan):
    """The paper's (supplement .4, alpha-GAN)."""

    method: str = "hand-alpha-gan"
    trial: ClassVar[Mapping[str, Any]] = {"size": (32, 32), "width": 8, "code": 32}
    width: int = Field(default=64, ge=1, description="channels next to the image")
    code: int = Field(default=200, ge=8)
    reconstruction_weight: float = Field(default=10.0, ge=0, description="lambda of the masked mean absolute error")


class HandAlphaGANTrainer(AdversarialTrainer):
    """Encoder, generator, discriminator and code discriminator."""

    plan_class = HandAlphaGANPlan
    plan: HandAlphaGANPlan
    network: HandAlphaGAN
    judging: ClassVar[tuple[str, ...]] = ("discriminator", "code_discriminator")

    def __init__(self, plan: HandAlphaGANPlan, fabric: Fabric) -> None:
        network = HandAlphaGAN(plan.size[0], plan.width, plan.code, plan.preprocessing, plan.heatmap_sigma)
        names = ("encoder", "generator", "discriminator", "code_discriminator")
        super().__init__(plan, fabric, network, {name: (name,) for name in names})

    def step(self, batch: Batch, generator: torch.Generator) -> Mapping[str, Tensor]:
        encode, generate = self.parts["encoder"], self.parts["generator"]
        judge, judge_code = self.parts["discriminator"], self.parts["code_discriminator"]
        weight = self.plan.reconstruction_weight
        x = batch.normal.contiguous(memory_format=torch.channels_last)  # [B, 1, S, S]
        mask = foreground(x)
        noise = self.noise(len(x), self.plan.code, generator)  # [B, code]

        mean, log_variance = encode(x)
        # of a log-variance the half is the logarithm of a standard deviation
        z = mean + torch.exp(0.5 * log_variance) * self.noise(len(x), self.plan.code, generator)
        error = masked_mean((x - generate(z).float()).abs(), mask).mean()
        encoder_loss = weight * error + taken_for_real(judge_code(z))
        self.update("encoder", encoder_loss)

        z = z.detach()  # the code before the encoder's step, as in Rosca's algorithm; its graph is not used again
        reconstruction, sample = generate(z), generate(noise)
        again = masked_mean((x - reconstruction.float()).abs(), mask).mean()
        generator_loss = weight * again + taken_for_real(judge(reconstruction), judge(sample))
        self.update("generator", generator_loss)

        real, judged = judge(x), [judge(reconstruction.detach()), judge(sample.detach())]
        discriminator_loss = hinge_loss(real, *judged)
        self.update("discriminator", discriminator_loss)

        code_discriminator_loss = hinge_loss(judge_code(noise), judge_code(z))
        self.update("code_discriminator", code_discriminator_loss)
        return {
            "reconstruction": error.detach(),
            "encoder": encoder_loss.detach(),
            "generator": generator_loss.detach(),
            "discriminator": discriminator_loss.detach(),
            "code_discriminator": code_discriminator_loss.detach(),
        }

    def held_out_loss(self, images: TrainingImages) -> float:
        """The score `mse`, of the code's mean. Losses about D and C say who is ahead in the game, and not how well it is played."""
        network = self.network
        return self.mean_over_held(images, lambda x: redrawn_error(x, network.generator(network.encoder(x)[0])))

    def finish(self, images: TrainingImages) -> None:
        self.network.eval()
        with torch.no_grad():
            self.network.discriminator.remember(self.compared_images(images))
        self.network.train()
