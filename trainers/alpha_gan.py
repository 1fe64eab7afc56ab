"""How an alpha-GAN learns: four losses, four updates, growing resolution. The network and its scores are in engine/models/alpha_gan.py.

Losses are Rosca et al. 2017, algorithm 1 (arXiv:1706.04987), with a deterministic encoder as in Nakao et al. 2021. D and C give logits; x are
images, z = E(x), x' = G(z), n ~ N(0, 1), x" = G(n), and l(y) = -log sigmoid(y):

    encoder             lambda |x - x'|_1 + b l(C(z))
    generator           lambda |x - x'|_1 + a (l(D(x')) + l(D(x")))
    discriminator       l(D(x)) + l(-D(x')) + l(-D(x"))
    code discriminator  l(C(n)) + l(-C(z))

All four losses are those of the weights before the step, so that each pass through a network is made once where a line of the algorithm a loss
would repeat it. x' serves the encoder's loss and the generator's, and D's verdict on x' and x" its own loss and the generator's: the verdict on image i
reaches a loss through its logit y alone, so that one gradient in the image is a multiple of the other,

    d a l(y) / d image = (-a sigmoid(-y) / sigmoid(y)) d l(-y) / d image = -a exp(-y) d l(-y) / d image

a and b are 1 in the algorithm, and Nakao's Adam runs at 5e-4 with betas .5 and .9 for all four networks, on 6,853 images that nothing changes at
random: the plan's defaults. Lambda and the moving average of the weights are ours, as neither paper names a lambda and Nakao's epoch is the one that
labelled images like best. On the hundreds of normals that a site has these rates do not settle well. Mean absolute error on 931 chests, batches of 10, at
16x16 after 300 steps, a = .2: layer-wise equalised rates (2e-3, .5 and .9, b = 1) .165; 3e-4 with .5 and .99, b = .2 and both discriminators at a
quarter of the rate .087; the autoencoder alone .072. At 32x32 after 8 epochs of 630 chests, width 64: the defaults .19, the latter .11 (with a code's
norm of 14 and of 2.9). The starters are made with the latter: learning_rate=3e-4, betas=[0.5,0.99], discriminator_rate=0.25,
adversarial_weight=0.2, code_weight=0.2 and mild augmentation.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from pydantic import Field
from torch import Tensor
from torch.nn.utils import convert_conv2d_weight_memory_format
from torch.optim import Adam

from engine.models.alpha_gan import AlphaGAN, CodeDiscriminator, Downward, resolutions
from engine.models.channels_last import channels_last
from engine.models.depthwise_pooling import quicken_pooling
from engine.models.winograd_training import quicken_wide_convolutions
from trainers.growing import Stage, growing_stages
from trainers.method import Batch, MethodTrainer, TrainingImages
from trainers.plan import Augmentation, TrainingPlan


def _loss(logit: Tensor) -> Tensor:
    """-log sigmoid, a mean over the batch."""
    return F.softplus(-logit.float()).mean()


class AlphaGANPlan(TrainingPlan):
    """Nakao's sizes, epochs, batch and rates, with Rosca's weights of the losses; what neither names is ours (see the module)."""

    trial: ClassVar[Mapping[str, Any]] = {"size": (64, 64), "width": 64}

    method: str = "alpha-gan"
    learning_rate: float = Field(default=5e-4, gt=0)
    betas: tuple[float, float] = (0.5, 0.9)
    augmentation: Augmentation = Field(default_factory=lambda: Augmentation(shift=0, rotation=0, scale=0))
    stage_epochs: int = Field(
        default=1, ge=1, description="of each fade-in and each stable stage while the network grows"
    )
    cool_down_epochs: int = Field(default=0, ge=0, description="at the end, at a third of the learning rate")
    discriminator_rate: float = Field(default=1.0, gt=0, description="of the learning rate, for the discriminators")
    reconstruction_weight: float = Field(default=50.0, ge=0, description="lambda of the mean absolute error")
    adversarial_weight: float = Field(
        default=1.0, ge=0, description="of the image discriminator's verdict in the generator's loss"
    )
    code_weight: float = Field(
        default=1.0, ge=0, description="of the code discriminator's verdict in the encoder's loss"
    )
    width: int = Field(default=512, ge=2, description="channels at the network's smallest resolution")
    code: int = Field(default=128, ge=1)
    average_decay: float = Field(
        default=0.999, ge=0, lt=1, description="of the moving average of the weights; 0 takes the last weights"
    )


class AlphaGANTrainer(MethodTrainer):
    """Nakao's four networks, growing from 4x4 (their "Model implementation and training details")."""

    plan_class = AlphaGANPlan
    plan: AlphaGANPlan

    def __init__(self, plan: AlphaGANPlan, fabric: Fabric) -> None:
        super().__init__(plan, fabric)
        size = plan.size[0]
        self.stages = growing_stages(resolutions(size), plan.epochs, plan.stage_epochs)
        self.network = AlphaGAN(size, plan.code, plan.width, plan.preprocessing, plan.heatmap_sigma, ladder="growing")
        self.average = AlphaGAN(size, plan.code, plan.width, plan.preprocessing, plan.heatmap_sigma, ladder="growing")
        self.average.load_state_dict(self.network.state_dict())
        self.average.requires_grad_(False)
        self.discriminator = Downward(size, 1, plan.width, ladder="growing")
        self.code_discriminator = CodeDiscriminator(plan.code)
        self.modules = {
            "network": self.network,
            "average": self.average,
            "discriminator": self.discriminator,
            "code_discriminator": self.code_discriminator,
        }
        for module in self.modules.values():
            if fabric.device.type == "cpu":
                quicken_pooling(module)
                quicken_wide_convolutions(module)
            convert_conv2d_weight_memory_format(module.to(fabric.device), torch.channels_last)
        slower = plan.learning_rate * plan.discriminator_rate
        self.optimizers = {
            "encoder": Adam(self.network.encoder.parameters(), plan.learning_rate, plan.betas, fused=True),
            "generator": Adam(self.network.generator.parameters(), plan.learning_rate, plan.betas, fused=True),
            "discriminator": Adam(self.discriminator.parameters(), slower, plan.betas, fused=True),
            "code_discriminator": Adam(self.code_discriminator.parameters(), slower, plan.betas, fused=True),
        }
        self.rates = {name: float(optimizer.param_groups[0]["lr"]) for name, optimizer in self.optimizers.items()}
        self.encode, _ = fabric.setup(self.network.encoder, self.optimizers["encoder"])
        self.generate, _ = fabric.setup(self.network.generator, self.optimizers["generator"])
        self.judge, _ = fabric.setup(self.discriminator, self.optimizers["discriminator"])
        self.judge_code, _ = fabric.setup(self.code_discriminator, self.optimizers["code_discriminator"])
        if plan.average_decay:
            self.shipped_weights = "the moving average of the weights"
        self.stage, self.first_epoch, self.epoch = self.stages[0], 0, 0
        self.steps_in_epoch, self.steps_in_stage = 1, 0

    def begin(self, images: TrainingImages) -> None:
        self.steps_in_epoch = max(1, len(images.normal) // self.plan.batch)

    def begin_epoch(self, epoch: int) -> str:
        first = 0
        for stage in self.stages:
            if epoch < first + stage.epochs:
                break
            first += stage.epochs
        self.stage, self.first_epoch, self.epoch = stage, first, epoch
        # of the epochs before too, which a resumed run has not seen
        self.steps_in_stage = (epoch - first) * self.steps_in_epoch
        cooling = epoch >= self.plan.epochs - self.plan.cool_down_epochs
        for name, optimizer in self.optimizers.items():
            for group in optimizer.param_groups:
                # the code discriminator keeps its rate, and so catches up with the encoder
                group["lr"] = self.rates[name] / (3 if cooling and name != "code_discriminator" else 1)
        return f"{stage.resolution} x {stage.resolution}" + (", fading in" if stage.fading else "")

    def fade(self, share: float) -> float:
        """How much of the newest rung is blended in, `share` of the current epoch being done."""
        return (self.epoch - self.first_epoch + share) / self.stage.epochs if self.stage.fading else 1.0

    def step(self, batch: Batch, generator: torch.Generator) -> Mapping[str, Tensor]:
        stage, fade, weight = self.stage, self.fade(batch.share), self.plan.reconstruction_weight
        x = channels_last(at_resolution(batch.normal, stage, fade))  # [B, 1, r, r]
        noise = torch.randn(x.shape[0], self.plan.code, generator=generator).to(x.device)  # [B, 128]

        z = self.encode(x, fade)
        reconstruction = self.generate(z, stage.resolution, fade)
        sample = self.generate(noise, stage.resolution, fade)
        error = F.l1_loss(reconstruction.float(), x)

        drawn = channels_last(torch.cat([reconstruction, sample]).detach()).requires_grad_()  # [2B, 1, r, r]
        verdict = self.judge(drawn, fade).float()  # [2B, 1]
        discriminator_loss = _loss(self.judge(x, fade)) + sum(_loss(-half) for half in verdict.chunk(2))
        judged = self.update("discriminator", discriminator_loss, beside=[drawn])

        encoder_loss = weight * error + self.plan.code_weight * _loss(self.judge_code(z))
        self.update("encoder", encoder_loss, again=True)

        pull = self._pull(drawn, verdict) if judged else torch.full_like(drawn, torch.nan)  # no verdict, no step
        self.update("generator", weight * error + (torch.cat([reconstruction, sample]) * pull).sum())

        z = z.detach()
        judged_noise, judged_code = self.judge_code(torch.cat([noise, z])).chunk(2)
        code_discriminator_loss = _loss(judged_noise) + _loss(-judged_code)
        self.update("code_discriminator", code_discriminator_loss)

        self._move_average()
        return {
            "reconstruction": error.detach(),
            "encoder": encoder_loss.detach(),
            "generator": (weight * error + self.plan.adversarial_weight * sum(map(_loss, verdict.chunk(2)))).detach(),
            "discriminator": discriminator_loss.detach(),
            "code_discriminator": code_discriminator_loss.detach(),
            "code_norm": z.norm(dim=1).mean(),
        }

    def _pull(self, drawn: Tensor, verdict: Tensor) -> Tensor:
        """[2B, 1, r, r]: the gradient of the generator's adversarial loss in its images, from that of the discriminator's (see the module)."""
        assert drawn.grad is not None
        # a verdict beyond 60 would overflow, and is as sure as float32 can say
        factor = -self.plan.adversarial_weight * torch.exp(-verdict.detach().clamp(min=-60))
        return drawn.grad * factor[..., None, None]

    @torch.no_grad()
    def _move_average(self) -> None:
        """Exponential moving average, short at the start of each stage: a rung that has just begun to learn must not drag its first weights along."""
        self.steps_in_stage += 1
        decay = min(self.plan.average_decay, self.steps_in_stage / (self.steps_in_stage + 10))
        torch._foreach_lerp_(list(self.average.parameters()), list(self.network.parameters()), 1 - decay)

    def held_out_loss(self, images: TrainingImages) -> float:
        """The scored network's mean absolute error at the final size, and infinite until it has grown: errors of smaller images are no measure.

        The paper chose its epoch by labelled validation images, as `best_by` "auroc" does by patients who are not reported on; this needs no label.
        """
        if self.stage is not self.stages[-1]:
            return math.inf
        model = self._scored()
        return self.mean_over_held(images, lambda x: F.l1_loss(model.generator(model.encoder(x)).float(), x))

    def _scored(self) -> AlphaGAN:
        return self.average if self.plan.average_decay else self.network

    def scoring_model(self) -> AlphaGAN:
        source = self._scored()
        model = AlphaGAN(**source.architecture)
        kept = model.state_dict().keys()
        model.load_state_dict({name: tensor for name, tensor in source.state_dict().items() if name in kept})
        return model.to(self.fabric.device).eval()


def at_resolution(x: Tensor, stage: Stage, fade: float) -> Tensor:
    """Real images as the networks see them in a stage: averaged down, and while fading in as blurred as the generator's (Karras 2018)."""
    factor = x.shape[-1] // stage.resolution
    if factor > 1:
        x = F.avg_pool2d(x, factor)
    if fade < 1:
        x = torch.lerp(F.interpolate(F.avg_pool2d(x, 2), scale_factor=2, mode="nearest"), x, fade)
    return x
