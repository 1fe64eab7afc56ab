"""The loop that every method shares: epochs, batches, progress, checkpoints, resuming, a time limit. Knows no losses; its one file is the checkpoint."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from trainers.augment import augmented
from trainers.checkpoint import load_checkpoint, save_checkpoint
from trainers.method import MethodTrainer


@dataclass(frozen=True)
class Progress:
    """Where a run is. `share` of the whole is done, in [0, 1]; `what` says it in words."""

    epoch: int
    epochs: int
    share: float
    what: str
    losses: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    skipped: int = 0

    def __str__(self) -> str:
        if not self.epoch:
            return self.what
        losses = ", ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in self.losses.items())
        skipped = f"; {self.skipped} steps skipped as not finite" if self.skipped else ""
        return f"epoch {self.epoch} of {self.epochs} ({self.what}), {self.seconds:.0f} s: {losses}{skipped}"

    def __rich__(self) -> str:
        """What a rich console shows: the line, not the fields."""
        return str(self)


OnProgress = Callable[[Progress], None]


def run_training(
    trainer: MethodTrainer,
    images: npt.NDArray[np.uint8],
    checkpoint: Path | None,
    *,
    resume: bool = False,
    on_progress: OnProgress | None = None,
) -> list[Progress]:
    """Train to the plan's last epoch, or to its time limit; a checkpoint is written at the end of every epoch.

    Args:
        images: [N, *S] uint8, 0 and 255 standing for -1 and 1; may be memory-mapped.
        checkpoint: where the run's state is kept; None keeps none.
        resume: go on from `checkpoint` if it exists.

    Returns:
        One entry an epoch, those before a resumption included.
    """
    plan = trainer.plan
    generator = torch.Generator().manual_seed(plan.seed)
    history: list[Progress] = []
    if resume and checkpoint is not None and checkpoint.exists():
        history = [Progress(**entry) for entry in load_checkpoint(checkpoint, trainer, generator)["history"]]
    before = history[-1].seconds if history else 0.0
    started, longest = time.monotonic() - before, 0.0
    for epoch in range(len(history), plan.epochs):
        epoch_started = time.monotonic()
        what = trainer.begin_epoch(epoch)
        losses = _run_epoch(trainer, images, generator)
        seconds = time.monotonic() - started
        progress = Progress(
            epoch + 1, plan.epochs, (epoch + 1) / plan.epochs, what, losses, round(seconds, 1), trainer.skipped
        )
        history.append(progress)
        if checkpoint is not None:
            save_checkpoint(checkpoint, trainer, {"history": [asdict(p) for p in history]}, generator)
        if on_progress is not None:
            on_progress(progress)
        longest = max(longest, time.monotonic() - epoch_started)
        if plan.minutes is not None and time.monotonic() - started + longest > plan.minutes * 60:
            break
    return history


def _run_epoch(trainer: MethodTrainer, images: npt.NDArray[np.uint8], generator: torch.Generator) -> dict[str, float]:
    """One pass in random order; returns the mean of each loss."""
    totals: dict[str, list[Tensor]] = {}
    batches = list(_batches(len(images), trainer.plan.batch, generator))
    for done, indices in enumerate(batches):
        x = torch.from_numpy(images[indices]).unsqueeze(1).to(trainer.fabric.device).float().div_(127.5).sub_(1)
        x = augmented(x, trainer.plan.augmentation, generator)
        for name, loss in trainer.step(x, done / len(batches), generator).items():
            totals.setdefault(name, []).append(loss)
    return {name: round(float(torch.stack(values).float().nanmean()), 5) for name, values in totals.items()}


def _batches(count: int, batch: int, generator: torch.Generator) -> Iterator[npt.NDArray[np.int64]]:
    """Sorted indices of each batch: a memory map is read in order. What is left over at the end waits for another epoch's shuffle."""
    order = torch.randperm(count, generator=generator).numpy()
    for first in range(0, max(count - batch, 0) + 1, batch):
        yield np.sort(order[first : first + batch])
