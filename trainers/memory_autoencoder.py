"""What SALAD and its baseline have in common as learners: one autoencoder, one bank of codes, the squared error. No method itself.

Reductions are written out: an image's reconstruction loss is the mean of its squared error over pixels times `reconstruction_weight`, and a batch's is
the mean over its images. The paper writes a squared norm, the sum over pixels, which at its 65,536 pixels would leave the losses on the code no say.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from lightning_fabric import Fabric
from pydantic import Field
from torch import Tensor, nn
from torch.nn.utils import convert_conv2d_weight_memory_format
from torch.optim import Adam

from engine.models.memory_bank import MemoryBank, usable_neighbours
from engine.models.normalised_autoencoder import NetworkName, normalised_autoencoder
from engine.models.salad import SALAD
from trainers.method import Batch, Bytes, MethodTrainer, TrainingImages, as_input
from trainers.plan import Augmentation, TrainingPlan
from trainers.together import gathered


class MemoryAutoencoderPlan(TrainingPlan):
    """The paper's for chests; for limbs, `network` "resnet18" and 512 pixels. The random changes of an image are ours: the paper names none."""

    trial: ClassVar[Mapping[str, Any]] = {"size": (64, 64), "width": 8}

    size: tuple[int, ...] = (256, 256)
    epochs: int = Field(default=550, ge=1)
    batch: int = Field(default=16, ge=2)
    learning_rate: float = Field(default=1e-4, gt=0)
    betas: tuple[float, float] = (0.5, 0.999)
    augmentation: Augmentation = Field(
        default_factory=lambda: Augmentation(shift=0.03, rotation=5, scale=0.05, exposure=0.2)
    )
    network: NetworkName = Field(default="unet", description="unet for chests, resnet18 for limbs")
    width: int = Field(default=64, ge=1, description="channels of the first layer")
    code: int = Field(default=200, ge=2)
    memory_rate: float = Field(default=0.5, gt=0, le=1, description="t, of a new code in the bank's moving average")
    refreshed_bank: bool = Field(
        default=True,
        description="score against codes computed anew with the final weights; the paper keeps the moving averages",
    )
    neighbours: int = Field(
        default=100, ge=1, description="K of the score; at most a quarter of the training normals is used"
    )
    reconstruction_weight: float = Field(
        default=1.0, gt=0, description="of the squared error's mean over pixels, beside the losses on the code"
    )
    final_rate: float = Field(
        default=1.0, gt=0, le=1, description="of the learning rate, reached at the end along a cosine; 1 keeps it"
    )
    thumbnail: int = Field(
        default=0,
        ge=0,
        le=128,
        description="side of small pictures of ALL training normals that the bundle then carries, to show which an image is most like; 0 carries none",
    )


class MemoryAutoencoderTrainer(MethodTrainer, ABC):
    """One network, whose codes of each training image go into the bank; a method says what it minimises."""

    plan: MemoryAutoencoderPlan

    def __init__(self, plan: MemoryAutoencoderPlan, fabric: Fabric) -> None:
        super().__init__(plan, fabric)
        self.network = normalised_autoencoder(plan.network, plan.size[0], plan.width, plan.code)
        convert_conv2d_weight_memory_format(self.network.to(fabric.device), torch.channels_last)
        self.modules: dict[str, nn.Module] = {"network": self.network}
        adam = Adam(self.network.parameters(), plan.learning_rate, plan.betas, fused=True)
        self.optimizers = {"network": adam}
        self.network_in_use, _ = fabric.setup(self.network, adam)
        self.epoch = 0

    def begin(self, images: TrainingImages) -> None:
        """An empty bank, as random unit vectors, and the pictures that may go with it."""
        self.normals = len(images.normal)
        self.memory = MemoryBank(self.normals + self.known_abnormals(images), self.plan.code).to(self.fabric.device)
        self.modules["memory"] = self.memory
        self.thumbnails = thumbnails(images.normal, self.plan.thumbnail)
        self.findings["neighbours_used"] = usable_neighbours(self.plan.neighbours, self.normals)

    def known_abnormals(self, images: TrainingImages) -> int:
        """How many images besides the normals the bank keeps codes of."""
        return 0

    def begin_epoch(self, epoch: int) -> str:
        self.epoch = epoch
        return ""

    def learned_from(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """[B, 1, *S] images of a step, and [B] their places in the bank."""
        return batch.normal, batch.indices

    @abstractmethod
    def losses(self, x: Tensor, z: Tensor, reconstruction: Tensor, places: Tensor) -> dict[str, Tensor]:
        """0-dimensional losses by name, means over the batch; the first is what is minimised."""

    def step(self, batch: Batch, generator: torch.Generator) -> Mapping[str, Tensor]:
        """The network by its loss against the bank as it was, then the bank by the codes that this loss was of."""
        self._set_rate((self.epoch + batch.share) / self.plan.epochs)
        x, places = self.learned_from(batch)
        z, reconstruction = self.network_in_use(x.contiguous(memory_format=torch.channels_last))
        losses = self.losses(x, z, reconstruction, places)
        if self.update("network", next(iter(losses.values()))):
            self.memory.update(gathered(self.fabric, places), gathered(self.fabric, z), self.plan.memory_rate)
        return {name: loss.detach() for name, loss in losses.items()}

    def _set_rate(self, done: float) -> None:
        share = self.plan.final_rate + (1 - self.plan.final_rate) * 0.5 * (1 + math.cos(math.pi * done))
        for group in self.optimizers["network"].param_groups:
            group["lr"] = self.plan.learning_rate * share

    @torch.no_grad()
    def finish(self, images: TrainingImages) -> None:
        """The normals' codes as an image to be scored has its own: unchanged, by the final weights and without a batch's statistics.

        Moving averages of randomly changed images' codes lie elsewhere than any unchanged image's, so that all of these look alike far away: on 150
        abnormal chests of children kept for such choices, equation 4 had an AUROC of .61 against the averages and of .71 against these.
        """
        if not self.plan.refreshed_bank:
            return
        self.network.eval()
        for first in range(0, self.normals, self.plan.batch):
            part = images.normal[first : first + self.plan.batch]
            self.memory.codes[first : first + len(part)] = self.network.encode(as_input(part, self.fabric.device))
        self.network.train()

    def held_out_loss(self, images: TrainingImages) -> float:
        """The reconstruction's error: images that are not in the bank have no other loss."""
        return self.mean_over_held(images, lambda x: squared_error(x, self.network_in_use(x)[1]))

    def scored_by(self, kind: type[SALAD]) -> SALAD:
        """The network with the part of the bank that holds normals."""
        plan = self.plan
        model = kind(
            network=plan.network,
            size=plan.size[0],
            width=plan.width,
            code=plan.code,
            bank=self.normals,
            neighbours=plan.neighbours,
            thumbnail=plan.thumbnail,
            preprocessing=plan.preprocessing,
            heatmap_sigma=plan.heatmap_sigma,
        )
        model.autoencoder.load_state_dict(self.network.state_dict())
        model.memory.codes.copy_(self.memory.codes[: self.normals])
        model.thumbnails.copy_(self.thumbnails)
        return model.to(self.fabric.device).eval()


def squared_error(x: Tensor, reconstruction: Tensor) -> Tensor:
    """0-dimensional mean over pixels and images; all images have the same number of pixels."""
    return torch.square(x - reconstruction.float()).mean()


def thumbnails(images: Bytes, side: int, rows: int = 64) -> Tensor:
    """[N, *S] uint8 -> [N, side, side] uint8, averaged over areas; [0, 0, 0] for a side of 0."""
    if not side:
        return torch.zeros(0, 0, 0, dtype=torch.uint8)
    parts = [
        nn.functional.adaptive_avg_pool2d(as_input(images[first : first + rows], torch.device("cpu")), side)
        for first in range(0, len(images), rows)
    ]
    return torch.cat(parts)[:, 0].add(1).mul(127.5).round().byte()
