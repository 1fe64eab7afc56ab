"""What every method's trainer looks like to the loop that runs it. One file per method implements it, named as in engine/models."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim import Optimizer

from engine.errors import TrainingFailed
from engine.models.base import AnomalyModel
from trainers.plan import TrainingPlan
from trainers.together import share_gradients

Bytes = npt.NDArray[np.uint8]
Patients = npt.NDArray[np.int64]
Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class TrainingImages:
    """What a run learns from; each array may be memory-mapped, and 0 and 255 stand for -1 and 1.

    Attributes:
        normal: [N, *S] known normals.
        mixture: [M, *S] unlabelled images, normal and abnormal, none of them among `normal`; None for methods that learn from normals alone.
        held: [H, *S] normals that no weight learns from, by which the best epoch is known; None where none is looked for.
        normal_patients, mixture_patients: [N] and [M], equal for images of one patient, or of two who share an image; None where each image is taken
            for a patient of its own.
        held_abnormal: [A, *S] abnormal images that no weight learns from, where labels tell the best epoch; else None.
    """

    normal: Bytes
    mixture: Bytes | None = None
    held: Bytes | None = None
    normal_patients: Patients | None = None
    mixture_patients: Patients | None = None
    held_abnormal: Bytes | None = None


@dataclass(frozen=True, eq=False)
class Batch:
    """What one step sees, on the training device.

    Attributes:
        normal: [B, 1, *S] float32 in [-1, 1], augmented; on several devices this one's part of the batch.
        indices: [B] int64, which of `TrainingImages.normal` they are.
        mixture: [M, 1, *S] likewise from the mixture: as many as normals, drawn anew each epoch, or those of the trainer's `mixture_once` that fall
            to this batch; None where there are none.
        share: of the epoch that is done, in [0, 1).
        mixture_indices: [M] int64, which of `TrainingImages.mixture` they are, or None.
    """

    normal: Tensor
    indices: Tensor
    mixture: Tensor | None
    share: float
    mixture_indices: Tensor | None = None


class MethodTrainer(ABC):
    """The networks, their optimisers and one step of a method.

    Attributes:
        plan_class: the method's plan; its defaults are the paper's.
        mixture: whether the method learns from a second, unlabelled cohort: never, if it is given one, or always.
        mixture_once: [K] which of the mixture every epoch sees once, spread over its batches, set by `begin`; None where every batch has as many of the
            mixture as it has normals.
        modules: every network with weights to keep, by name, whatever else must survive a kill among their buffers; restored from a checkpoint.
        optimizers: likewise.
        shipped_weights, shipped_epoch: which weights `scoring_model` takes and after which epoch, in words for the card.
        findings: what the run found out that belongs in the card's recipe, JSON-able.
        taken: updates made since this trainer was.
        skipped: updates left out because a loss or a gradient was not finite.
    """

    plan_class: ClassVar[type[TrainingPlan]]
    mixture: ClassVar[Literal["never", "optional", "always"]] = "never"
    mixture_once: Indices | None = None

    modules: dict[str, nn.Module]
    optimizers: dict[str, Optimizer]
    shipped_weights: str = "the weights"
    shipped_epoch: str = "the last epoch"

    def __init__(self, plan: TrainingPlan, fabric: Fabric) -> None:
        self.plan = plan
        self.fabric = fabric
        self.taken = self.skipped = 0
        self.findings: dict[str, object] = {}

    @property
    def checkpoint_rule(self) -> str:
        """Which weights are shipped, and why these, in words for the card."""
        return f"{self.shipped_weights} after {self.shipped_epoch}"

    def begin(self, images: TrainingImages) -> None:  # noqa: B027 - most methods need nothing
        """Called once before the first epoch of a run, resumed or not, and before weights are restored: make what depends on the cohort."""

    @abstractmethod
    def begin_epoch(self, epoch: int) -> str:
        """Prepare for an epoch, counted from 0; returns what it is, in words ("64 x 64, fading in")."""

    @abstractmethod
    def step(self, batch: Batch, generator: torch.Generator) -> Mapping[str, Tensor]:
        """One update of each network. Random numbers come from `generator` (on the CPU) or torch's own, which is seeded anew each epoch.

        On several devices both differ between them, and every device must come to the same updates: what one device alone sees must not decide
        on them (`together.everywhere`), and what is kept of a batch besides weights is kept of all of it (`together.gathered`).

        Returns:
            Detached losses by name, 0-dimensional; NaN is left out of the epoch's mean.
        """

    def end_epoch(self, epoch: int, images: TrainingImages) -> None:  # noqa: B027 - most methods need nothing
        """Called after the last step of an epoch and before its checkpoint: a memory bank's clean-up, say."""

    def finish(self, images: TrainingImages) -> None:  # noqa: B027 - most methods need nothing
        """Called after the last epoch: what the network for scoring needs besides its weights. Not part of the checkpoint; must be repeatable."""

    @abstractmethod
    def held_out_loss(self, images: TrainingImages) -> float:
        """What tells a better epoch without a label: a loss of `images.held`; infinite while it is too early to judge. Called in eval mode, without gradients.

        It depends on weights and images alone, not on how these fall into batches; noise, if any, is the same at every epoch.
        """

    def held_batches(self, images: TrainingImages) -> Iterator[Tensor]:
        """The held-out normals in order and as they are, [B, 1, *S] at a time. Raises TrainingFailed where there are none."""
        held = held_normals(images)
        for first in range(0, len(held), self.plan.batch):
            yield as_input(held[first : first + self.plan.batch], self.fabric.device)

    def mean_over_held(self, images: TrainingImages, loss: Callable[[Tensor], Tensor]) -> float:
        """Mean over the held-out normals of a loss that is a mean over a batch, 0-dimensional."""
        sums = [(float(loss(x)) * len(x), len(x)) for x in self.held_batches(images)]
        return sum(total for total, _ in sums) / sum(count for _, count in sums)

    @abstractmethod
    def scoring_model(self) -> AnomalyModel:
        """The network as it would be shipped now, in eval mode."""

    def update(self, network: str, loss: Tensor, *, beside: Sequence[Tensor] = (), again: bool = False) -> bool:
        """Update one network, and no other, by its own loss. A step that is not finite is skipped and counted.

        On several devices by the mean of their gradients; a loss that is not finite on one of them is skipped on all.

        Args:
            network: name of the optimiser.
            loss: 0-dimensional.
            beside: leaves that get the loss's gradient in the same pass, for whoever made them.
            again: whether another update goes back through part of this loss's graph.

        Returns:
            Whether the step was taken. Without it, `beside` has no gradient to be used.
        """
        optimizer = self.optimizers[network]
        optimizer.zero_grad(set_to_none=True)
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        finite = bool(torch.isfinite(loss))
        if finite:
            self.fabric.backward(loss, inputs=[*parameters, *beside], retain_graph=again)
        if share_gradients(self.fabric, parameters, finite):
            gradients = [p.grad for p in parameters if p.grad is not None]
            if torch.isfinite(torch.nn.utils.get_total_norm(gradients)):
                optimizer.step()
                self.taken += 1
                return True
        self.skipped += 1
        return False


def held_normals(images: TrainingImages) -> Bytes:
    """[H, *S], at least one. Raises TrainingFailed."""
    if images.held is None or not len(images.held):
        raise TrainingFailed(
            "no normals were held out to choose an epoch by",
            cure="Set stopping_share, or leave out patience and best_by.",
        )
    return images.held


def as_input(images: Bytes, device: torch.device) -> Tensor:
    """[B, *S] uint8 -> [B, 1, *S] float32 in [-1, 1]."""
    return torch.from_numpy(np.array(images)).unsqueeze(1).to(device).float().div_(127.5).sub_(1)
