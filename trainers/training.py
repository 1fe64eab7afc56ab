"""The loop that every method shares: epochs, batches, progress, checkpoints, resuming, early stopping, a time limit. Knows no losses."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from engine.errors import TrainingFailed
from engine.models.freed_memory import keep_freed_memory
from engine.models.registry import model_class
from trainers.batches import Part, epoch_batches
from trainers.checkpoint import load_checkpoint, load_modules, save_checkpoint, save_modules
from trainers.method import MethodTrainer, TrainingImages
from trainers.plan import BestBy, TrainingPlan
from trainers.together import gathered, share_statistics
from trainers.watching import held_out_auroc, held_out_loss

DEVICES_APART, STEPS_APART = 2_654_435_761, 1 << 31
"""Between seeds, of which the processor's generator takes the lowest 32 bits: epochs and devices never come to the same."""


@dataclass(frozen=True)
class Progress:
    """Where a run is. `share` of the whole is done, in [0, 1]; `what` says it in words.

    `waited` is the share of the time in which the device had nothing to do because images were not ready; `held_out_loss`
    and `held_out_auroc` tell the best epoch, where one is looked for.
    """

    epoch: int
    epochs: int
    share: float
    what: str
    losses: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    skipped: int = 0
    waited: float = 0.0
    held_out_loss: float | None = None
    held_out_auroc: float | None = None

    def __str__(self) -> str:
        if not self.epoch:
            return self.what
        losses = ", ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in self.losses.items())
        held = f"; held-out normals {self.held_out_loss:.4g}" if self.held_out_loss is not None else ""
        if self.held_out_auroc is not None:
            held += f", AUROC {self.held_out_auroc:.3f} beside abnormal ones"
        skipped = f"; {self.skipped} steps skipped as not finite" if self.skipped else ""
        what = f"{self.what}, " if self.what else ""
        timing = f"{self.seconds:.0f} s, {self.waited:.0%} waiting for images"
        return f"epoch {self.epoch} of {self.epochs} ({what}{timing}): {losses}{held}{skipped}"

    def __rich__(self) -> str:
        """What a rich console shows: the line, not the fields."""
        return str(self)


OnProgress = Callable[[Progress], None]


def run_training(
    trainer: MethodTrainer,
    images: TrainingImages,
    checkpoint: Path | None,
    *,
    resume: bool = False,
    on_progress: OnProgress | None = None,
) -> list[Progress]:
    """Train to the plan's last epoch, its time limit or early stopping; a checkpoint is written at the end of every epoch.

    Killed at any moment and resumed, a run ends with the weights of one that was never interrupted: all that is random comes from two generators
    that the checkpoint keeps, and from torch's own, which is seeded from the plan at each epoch.

    Args:
        checkpoint: where the run's state is kept; None keeps none.
        resume: go on from `checkpoint` if it exists.

    Returns:
        One entry an epoch, those before a resumption included.

    Raises:
        TrainingFailed: no step of an epoch gave a finite loss.
    """
    history = every_epoch(trainer, images, checkpoint, resume=resume, on_progress=on_progress)
    _finish(trainer, images, checkpoint, history)
    return history


def every_epoch(
    trainer: MethodTrainer,
    images: TrainingImages,
    checkpoint: Path | None,
    *,
    resume: bool = False,
    on_progress: OnProgress | None = None,
) -> list[Progress]:
    """As `run_training`, up to the last epoch's checkpoint; one of several devices runs this, and the first alone writes and tells."""
    plan, fabric = trainer.plan, trainer.fabric
    keep_freed_memory()
    generators = _generators(plan.seed)
    history = _begun(trainer, images, checkpoint if resume else None, generators)
    kept = checkpoint if fabric.is_global_zero else None
    clock = _Clock(time.monotonic() - (history[-1].seconds if history else 0.0))
    while len(history) < plan.epochs and not _patience_is_over(history, plan):
        with clock.epoch():
            # the first device's loss and time count for all: they decide when to stop, and must not differ by a rounding
            progress = fabric.broadcast(_epoch(trainer, images, generators, len(history), clock))
            if kept is not None and _is_best(progress, history, plan.watched):
                save_modules(_best(kept), trainer)
            history.append(progress)
            if kept is not None:
                save_checkpoint(kept, trainer, {"history": [asdict(p) for p in history]}, generators)
            if on_progress is not None and fabric.is_global_zero:
                on_progress(progress)
        if not fabric.broadcast(clock.allows_another_epoch(plan.minutes)):
            break
    return history


def taken_over(trainer: MethodTrainer, images: TrainingImages, checkpoint: Path) -> list[Progress]:
    """Put a fresh trainer where `every_epoch` in other processes has come to, as if it had been there itself."""
    known = dict(trainer.findings)
    history = _begun(trainer, images, checkpoint, _generators(trainer.plan.seed))
    trainer.findings = known | trainer.findings
    _finish(trainer, images, checkpoint, history)
    return history


def _begun(
    trainer: MethodTrainer, images: TrainingImages, checkpoint: Path | None, generators: dict[str, torch.Generator]
) -> list[Progress]:
    """Make what depends on the cohort, and go to where `checkpoint` is, if there is one."""
    torch.manual_seed(trainer.plan.seed)
    trainer.begin(images)
    if checkpoint is None or not checkpoint.exists():
        return []
    return [Progress(**entry) for entry in load_checkpoint(checkpoint, trainer, generators)["history"]]


def _finish(trainer: MethodTrainer, images: TrainingImages, checkpoint: Path | None, history: list[Progress]) -> None:
    """Take the best epoch's weights where one was looked for, and make what scoring needs besides weights."""
    if trainer.plan.watched is not None and checkpoint is not None and _best(checkpoint).exists():
        load_modules(_best(checkpoint), trainer)
        trainer.shipped_epoch = _best_in_words(trainer, images, history)
    trainer.finish(images)


def _best(checkpoint: Path) -> Path:
    """Where the best epoch's weights are."""
    return checkpoint.with_name("best.safetensors")


def _generators(seed: int) -> dict[str, torch.Generator]:
    """One for batches, drawn ahead in a thread of their own, and one for the method's steps."""
    return {"batches": torch.Generator().manual_seed(seed), "steps": torch.Generator().manual_seed(seed + 1)}


@dataclass
class _Clock:
    """What a run has taken: `started` is when it would have begun had it never been interrupted, `longest` its longest epoch since then, in seconds."""

    started: float
    longest: float = 0.0

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    @contextmanager
    def epoch(self) -> Iterator[None]:
        """Everything that belongs to one epoch, its checkpoint too."""
        began = time.monotonic()
        yield
        self.longest = max(self.longest, time.monotonic() - began)

    def allows_another_epoch(self, minutes: float | None) -> bool:
        """Whether an epoch as long as the longest would end within `minutes` of the run's start."""
        return minutes is None or self.seconds + self.longest <= minutes * 60


def _epoch(
    trainer: MethodTrainer,
    images: TrainingImages,
    generators: dict[str, torch.Generator],
    epoch: int,
    clock: _Clock,
) -> Progress:
    """One epoch, counted from 0, from its seed to what held-out images say of it."""
    plan, began = trainer.plan, time.monotonic()
    _seed_epoch(trainer, generators["steps"], epoch)
    what = trainer.begin_epoch(epoch)
    losses, waited = _every_batch(trainer, images, generators)
    share_statistics(trainer.fabric, trainer.modules.values())
    trainer.end_epoch(epoch, images)
    held = held_out_loss(trainer, images) if plan.watched is not None else None
    # no loss, no verdict: while a network is still growing, what it would say of an image is nothing that was learned
    auroc = held_out_auroc(trainer, images) if plan.watched == "auroc" and held is not None else None
    return Progress(
        epoch=epoch + 1,
        epochs=plan.epochs,
        share=(epoch + 1) / plan.epochs,
        what=what,
        losses=losses,
        seconds=round(clock.seconds, 1),
        skipped=trainer.skipped,
        waited=round(waited / max(time.monotonic() - began, 1e-9), 4),
        held_out_loss=held,
        held_out_auroc=auroc,
    )


def _seed_epoch(trainer: MethodTrainer, steps: torch.Generator, epoch: int) -> None:
    """Torch's own generator anew; on several devices the steps' too, to each its own: a checkpoint keeps one device's alone."""
    seed = trainer.plan.seed * 100_003 + epoch + trainer.fabric.global_rank * DEVICES_APART
    torch.manual_seed(seed)
    if trainer.fabric.world_size > 1:
        steps.manual_seed(seed + STEPS_APART)


def _every_batch(
    trainer: MethodTrainer, images: TrainingImages, generators: dict[str, torch.Generator]
) -> tuple[dict[str, float], float]:
    """One pass in random order; returns the mean of each loss, and the seconds in which the next batch was not ready."""
    totals: dict[str, list[Tensor]] = {}
    taken, skipped, waited = trainer.taken, trainer.skipped, 0.0
    part = Part(trainer.fabric.global_rank, trainer.fabric.world_size)
    batches = epoch_batches(
        images, trainer.plan, trainer.fabric.device, generators["batches"], part, trainer.mixture_once
    )
    while True:
        asked = time.monotonic()
        batch = next(batches, None)
        waited += time.monotonic() - asked
        if batch is None:
            break
        for name, loss in trainer.step(batch, generators["steps"]).items():
            totals.setdefault(name, []).append(loss)
    means = {name: gathered(trainer.fabric, torch.stack(values).float()).nanmean() for name, values in totals.items()}
    losses = {name: round(float(mean), 5) for name, mean in means.items()}
    if trainer.skipped > skipped and trainer.taken == taken:
        raise TrainingFailed(
            f"no step of an epoch gave a finite loss ({', '.join(f'{k} {v:g}' for k, v in losses.items())})",
            cure="Train again with a lower learning rate or another seed; what was learned before is kept.",
        )
    return losses, waited


def _badness(progress: Progress, watched: BestBy | None) -> float:
    """What the best epoch has least of; infinite for an epoch that cannot be judged."""
    if watched == "auroc":
        return math.inf if progress.held_out_auroc is None else -progress.held_out_auroc
    return math.inf if progress.held_out_loss is None else progress.held_out_loss


def _is_best(progress: Progress, history: list[Progress], watched: BestBy | None) -> bool:
    """Whether it is better than every epoch before it."""
    return _badness(progress, watched) < min((_badness(earlier, watched) for earlier in history), default=math.inf)


def _patience_is_over(history: list[Progress], plan: TrainingPlan) -> bool:
    """Whether the best epoch lies `patience` epochs back or more. Never before there is one that can be judged."""
    if plan.patience is None or not history:
        return False
    values = [_badness(progress, plan.watched) for progress in history]
    return math.isfinite(min(values)) and len(values) - 1 - values.index(min(values)) >= plan.patience


def _best_in_words(trainer: MethodTrainer, images: TrainingImages, history: list[Progress]) -> str:
    """Which epoch was kept and why, for the card; of equally good epochs it is the first."""
    watched = trainer.plan.watched
    best = min(history, key=lambda progress: _badness(progress, watched))
    normals = 0 if images.held is None else len(images.held)
    which = f"epoch {best.epoch} of {len(history)}"
    if watched == "loss" or images.held_abnormal is None:
        return f"{which}, the one with the lowest loss on {normals} normals held out for it; no label was read"
    score = model_class(trainer.plan.method).primary_score
    return (
        f"{which}, the one whose {score} told {len(images.held_abnormal)} abnormal images of patients set apart for it best from {normals} held-out "
        f"normals (AUROC {best.held_out_auroc:.3f}); the labels of these were read"
    )
