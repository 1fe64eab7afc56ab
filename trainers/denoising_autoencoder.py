"""How the denoising autoencoder learns: coarse noise is added to normals, and the network says what was added. The network is in engine/models.

Kascenas et al. 2022 add noise of one coarseness (16 x 16 values, drawn out to the image's size) and one strength to the whole brain. Here both are drawn for
each image, since lesions come in all sizes; and half of the images get it in patches, since what is around a lesion is normal and tells what should be
there. In some images' patches another normal may show through instead (Tan et al. 2022, Detecting outliers with foreign patch interpolation, MELBA 1:13,
arXiv:2011.04197): noise alone has no sharp detail in the wrong place, as metal is and a fracture's edge.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from pydantic import Field
from torch import Tensor, nn
from torch.nn.utils import convert_conv2d_weight_memory_format, convert_conv3d_weight_memory_format
from torch.optim import AdamW

from engine.models.denoising_autoencoder import DenoisingAutoencoder
from engine.models.masked_error import DARKEST
from trainers.method import Batch, MethodTrainer, TrainingImages, as_input, held_normals
from trainers.plan import TrainingPlan


class DenoisingAutoencoderPlan(TrainingPlan):
    """The paper's size and strength of noise, which it gives for images in [0, 1]."""

    trial: ClassVar[Mapping[str, Any]] = {"size": (64, 64), "width": 4, "levels": 3}

    method: str = "denoising-autoencoder"
    size: tuple[int, ...] = (128, 128)
    epochs: int = Field(default=100, ge=1)
    batch: int = Field(default=8, ge=2)
    learning_rate: float = Field(default=2e-3, gt=0)
    betas: tuple[float, float] = (0.9, 0.99)
    width: int = Field(default=16, ge=1, description="channels at half the size")
    levels: int = Field(default=4, ge=1, description="halvings after the first")
    noise: float = Field(
        default=0.3, gt=0, description="standard deviation on the scale from -1 to 1, at its strongest"
    )
    fewest_cells: int = Field(default=3, ge=1, description="noise values along a side, at its coarsest")
    most_cells: int = Field(default=25, ge=1, description="at its finest")
    patchy_share: float = Field(default=0.5, ge=0, le=1, description="of the images, whose noise is in patches")
    patch_edges: float = Field(
        default=8.0,
        gt=0,
        description="how fast it falls off there, by a deviation of the noise that says where patches are",
    )
    foreign_share: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="of the images, among the patchy ones, in whose patches another normal shows through instead of noise",
    )


class DenoisingAutoencoderTrainer(MethodTrainer):
    """One network, one loss."""

    plan_class = DenoisingAutoencoderPlan
    model_class: ClassVar[type[DenoisingAutoencoder]] = DenoisingAutoencoder
    plan: DenoisingAutoencoderPlan

    def __init__(self, plan: DenoisingAutoencoderPlan, fabric: Fabric) -> None:
        super().__init__(plan, fabric)
        self.network = self.model_class(plan.size, plan.width, plan.levels, plan.preprocessing, plan.heatmap_sigma)
        volumes = len(plan.size) == 3
        convert = convert_conv3d_weight_memory_format if volumes else convert_conv2d_weight_memory_format
        self.layout = torch.channels_last_3d if volumes else torch.channels_last
        convert(self.network.to(fabric.device), self.layout)
        self.modules: dict[str, nn.Module] = {"network": self.network}
        adam = AdamW(self.network.parameters(), plan.learning_rate, plan.betas, weight_decay=1e-4, fused=True)
        self.optimizers = {"network": adam}
        self.network_in_use, _ = fabric.setup(self.network, adam)
        self.network_in_use.mark_forward_method("excess")
        self.epoch = 0

    def begin_epoch(self, epoch: int) -> str:
        self.epoch = epoch
        return ""

    def step(self, batch: Batch, generator: torch.Generator) -> Mapping[str, Tensor]:
        done = (self.epoch + batch.share) / self.plan.epochs
        for group in self.optimizers["network"].param_groups:
            group["lr"] = self.plan.learning_rate * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * done)))
        noisy = self.noisy(batch.normal, generator)
        added = noisy - batch.normal
        found = self.network_in_use.excess(noisy.contiguous(memory_format=self.layout)).float()
        error = F.mse_loss(found, added)
        self.update("network", error)
        return {"error": error.detach(), "added": added.square().mean()}

    def held_out_loss(self, images: TrainingImages) -> float:
        """The training loss, of the same noise at every epoch: how far an image lies from what is left of it once its noise is taken off.

        Images without noise would not do: a network that takes nothing off, as it begins, makes no error in them. Noise is drawn for one image after
        another, and the image that may show through is the one before it, so that batches play no part.
        """
        generator = torch.Generator().manual_seed(self.plan.seed)
        before = as_input(held_normals(images)[-1:], self.fabric.device)

        def loss(x: Tensor) -> Tensor:
            nonlocal before
            others, before = torch.cat([before, x[:-1]]), x[-1:]
            noisy = self.noisy(x, generator, others)
            return F.mse_loss(self.network.excess(noisy).float(), noisy - x)

        return self.mean_over_held(images, loss)

    def noisy(self, x: Tensor, generator: torch.Generator, others: Tensor | None = None) -> Tensor:
        """[B, 1, *S] -> the same with coarse noise where the patient is, within the range of grey values.

        `others`, [B, 1, *S], are what may show through instead: each image's neighbour in the batch where none are given.
        """
        others = x.roll(1, 0) if others is None else others
        plan = self.plan
        low, high = math.log(plan.fewest_cells), math.log(plan.most_cells)
        images, foreign = [], []
        for _ in range(len(x)):
            coarseness, strength, kind = torch.rand(3, generator=generator).tolist()
            cells = math.exp(low + (high - low) * coarseness)
            noise = strength * plan.noise * coarse_noise(x.shape[2:], cells, generator)
            patches = torch.ones_like(noise)
            if kind < plan.patchy_share:
                patches = torch.sigmoid(plan.patch_edges * (coarse_noise(x.shape[2:], cells, generator) - 0.5))
            is_foreign = kind < plan.foreign_share
            images.append(torch.zeros_like(noise) if is_foreign else noise * patches)
            foreign.append(strength * patches if is_foreign else torch.zeros_like(noise))
        added = torch.stack(images)[:, None].to(x.device)
        added = added + torch.stack(foreign)[:, None].to(x.device) * (others - x)
        return (x + added * (x > DARKEST)).clamp(-1, 1)

    @torch.no_grad()
    def finish(self, images: TrainingImages) -> None:
        """What the normals' own errors are at each place."""
        self.network.eval()
        total = torch.zeros_like(self.network.usual)
        for first in range(0, len(images.normal), self.plan.batch):
            x = as_input(images.normal[first : first + self.plan.batch], self.fabric.device)
            drawn = (x - self.network.excess(x)).clamp(-1, 1)
            total += self.network.local_excess(x, drawn).square().sum(0)
        self.network.set_usual(total / len(images.normal))
        self.network.train()

    def scoring_model(self) -> DenoisingAutoencoder:
        model = self.model_class(**self.network.architecture)
        model.load_state_dict(self.network.state_dict())
        return model.to(self.fabric.device).eval()


def coarse_noise(sides: Sequence[int], cells: float, generator: torch.Generator) -> Tensor:
    """[*S] of standard normal values, `cells` along a side and linear between them; where the first one lies is random."""
    extents = [math.ceil(side * (1 + 1 / cells)) for side in sides]
    values = torch.randn(1, 1, *(math.ceil(cells) + 2 for _ in sides), generator=generator)
    linear = "trilinear" if len(sides) == 3 else "bilinear"
    noise = F.interpolate(values, size=extents, mode=linear, align_corners=True)[0, 0]
    for axis, (side, extent) in enumerate(zip(sides, extents, strict=True)):
        first = int(torch.randint(extent - side + 1, (1,), generator=generator))
        noise = noise.narrow(axis, first, side)
    return noise
