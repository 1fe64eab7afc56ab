"""A run on several devices: each learns from its part of every batch, and their weights stay the same. What comes before and after is on one device.

The processes read training images from files that all of them map into memory, and leave their run in its checkpoint, from which it is taken over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric

from engine.errors import CohortRejected, NormascopeError
from trainers.devices import Devices, Say, on_every_device
from trainers.method import Bytes, MethodTrainer, TrainingImages
from trainers.plan import TrainingPlan
from trainers.registry import trainer_of
from trainers.training import OnProgress, Progress, every_epoch, taken_over


def check_shares(plan: TrainingPlan, devices: int) -> None:
    """Raises NormascopeError unless the plan's batch can be dealt out evenly, in parts that the method can learn from."""
    if devices == 1:
        return
    fewest = _fewest_at_once(plan)
    if plan.batch % devices or plan.batch // devices < fewest:
        whole = max(round(plan.batch / devices), fewest) * devices
        raise NormascopeError(
            f"a batch of {plan.batch} images cannot be shared by {devices} devices: each needs as many, and {fewest} at least",
            cure=f"Give --option batch={whole}, or another number of devices.",
        )


def train_together(
    devices: int,
    trainer: MethodTrainer,
    images: TrainingImages,
    checkpoint: Path,
    *,
    resume: bool = False,
    on_progress: OnProgress | None = None,
) -> list[Progress]:
    """As `training.run_training`, on several devices of the kind that the trainer is on; it ends as if it had been there.

    Raises:
        CohortRejected: there are too few images for so many devices.
    """
    _check_enough(trainer.plan, images, devices)
    work = partial(_learn, trainer.plan, _Files.of(images, checkpoint.parent), checkpoint, resume)
    torch.cuda.empty_cache()  # the first device is also another process's now
    where = Devices(trainer.fabric.device.type, devices, trainer.plan.precision)
    on_every_device(work, where, on_progress or _unheard)
    return taken_over(trainer, images, checkpoint)


def _learn(plan: TrainingPlan, files: _Files, checkpoint: Path, resume: bool, fabric: Fabric, say: Say) -> None:
    """One device's part."""
    every_epoch(trainer_of(plan, fabric), files.opened(), checkpoint, resume=resume, on_progress=say)


def _unheard(progress: Progress) -> None:
    pass


def _check_enough(plan: TrainingPlan, images: TrainingImages, devices: int) -> None:
    sides = [images.normal] if images.mixture is None else [images.normal, images.mixture]
    few, fewest = min(len(side) for side in sides), _fewest_at_once(plan)
    if few < devices * fewest:
        raise CohortRejected(
            f"{few} training images are too few for {devices} devices, each of which needs {fewest}",
            cure="Train on one device.",
        )


def _fewest_at_once(plan: TrainingPlan) -> int:
    """The smallest batch that the method's plan takes: two where images are compared with each other."""
    limits = [getattr(limit, "ge", None) for limit in type(plan).model_fields["batch"].metadata]
    return max((int(limit) for limit in limits if limit is not None), default=1)


@dataclass(frozen=True)
class _Rows:
    """The first `count` rows of an array's file."""

    path: Path
    count: int

    @classmethod
    def of(cls, array: Bytes, copy: Path) -> _Rows:
        """The file that an array is mapped from, or one that it is written to."""
        whole = array
        while isinstance(whole.base, np.memmap):
            whole = whole.base
        if isinstance(whole, np.memmap) and whole.filename and whole.ctypes.data == array.ctypes.data:
            return cls(Path(whole.filename), len(array))
        np.save(copy, array)
        return cls(copy, len(array))

    def opened(self) -> Bytes:
        return np.load(self.path, mmap_mode="r")[: self.count]


@dataclass(frozen=True)
class _Files:
    """`TrainingImages` as a process can be told of them: images by file, what is small (patients) as it is."""

    parts: Mapping[str, object]

    @classmethod
    def of(cls, images: TrainingImages, folder: Path) -> _Files:
        parts = {field.name: getattr(images, field.name) for field in fields(images)}
        return cls({name: _named(part, folder / f"{name}.npy") for name, part in parts.items()})

    def opened(self) -> TrainingImages:
        parts = {name: part.opened() if isinstance(part, _Rows) else part for name, part in self.parts.items()}
        return TrainingImages(**parts)  # type: ignore[arg-type]


def _named(part: object, copy: Path) -> object:
    if isinstance(part, np.ndarray) and part.dtype == np.uint8:
        return _Rows.of(part, copy)
    return part
