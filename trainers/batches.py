"""Random batches of an epoch, augmented one ahead of the step that uses them. Draws from one generator, so that a run can be repeated."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from trainers.augment import augmented
from trainers.method import Batch, Bytes, Indices, TrainingImages, as_input
from trainers.plan import TrainingPlan


@dataclass(frozen=True)
class Part:
    """Which part of every batch is made, where `devices` share it: every so many of its images, beginning with image `number`."""

    number: int = 0
    devices: int = 1

    @property
    def rows(self) -> slice:
        """Of the whole batch."""
        return slice(self.number, None, self.devices)


ALL = Part()


def epoch_batches(
    images: TrainingImages,
    plan: TrainingPlan,
    device: torch.device,
    generator: torch.Generator,
    part: Part = ALL,
    mixture_once: Indices | None = None,
) -> Iterator[Batch]:
    """Every normal once in random order, each batch with as many images of the mixture; made one ahead in a thread.

    With `mixture_once`, these of the mixture are spread over the batches instead, in random order: each is seen once, and no other is.

    Parts of the same batches, made with generators of the same state, hold together what one device would see, image for image, changed alike.

    `generator` is in one thread's hands at a time: nobody else may draw from it until the iterator is exhausted.
    """
    made = _batches(images, plan, device, generator, part, mixture_once)
    with ThreadPoolExecutor(1, "batches") as pool:
        following = pool.submit(next, made, None)
        while (batch := following.result()) is not None:
            following = pool.submit(next, made, None)
            yield batch


def _batches(
    images: TrainingImages,
    plan: TrainingPlan,
    device: torch.device,
    generator: torch.Generator,
    part: Part,
    mixture_once: Indices | None,
) -> Iterator[Batch]:
    def loaded(source: Bytes, indices: Indices) -> tuple[Tensor, Tensor]:
        mine = indices[part.rows]
        x = augmented(as_input(source[mine], device), plan.augmentation, generator, of=len(indices), rows=part.rows)
        return x, torch.from_numpy(mine).to(device)

    normals = list(_drawn(len(images.normal), plan.batch, generator, part.devices))
    mixture = None
    if images.mixture is not None and mixture_once is not None:
        mixture = _spread(mixture_once, len(normals), generator)
    elif images.mixture is not None:
        drawn = _drawn_again(len(images.mixture), plan.batch, generator, part.devices)
        mixture = (indices[: len(normals[0])] for indices in drawn)
    for done, indices in enumerate(normals):
        other = others = None
        if images.mixture is not None and mixture is not None and len(beside := next(mixture)):
            other, others = loaded(images.mixture, beside)
        normal, chosen = loaded(images.normal, indices)
        yield Batch(normal, chosen, other, done / len(normals), others)


def _drawn(count: int, batch: int, generator: torch.Generator, devices: int) -> Iterator[Indices]:
    """Sorted indices of each batch: a memory map is read in order. What is left over at the end waits for another epoch's shuffle.

    So does what a batch of all the images there are cannot deal out evenly.
    """
    order = torch.randperm(count, generator=generator).numpy()
    taken = min(batch, count) // devices * devices
    for first in range(0, max(count - batch, 0) + 1, batch):
        yield np.sort(order[first : first + taken])


def _drawn_again(count: int, batch: int, generator: torch.Generator, devices: int) -> Iterator[Indices]:
    """As `_drawn`, for ever: a cohort smaller than the normals is gone through more than once an epoch."""
    while True:
        yield from _drawn(count, batch, generator, devices)


def _spread(chosen: Indices, batches: int, generator: torch.Generator) -> Iterator[Indices]:
    """Each once, sorted within a batch. Batches differ by one at most, and some have none where there are fewer than batches."""
    shuffled = chosen[torch.randperm(len(chosen), generator=generator).numpy()]
    return (np.sort(part) for part in np.array_split(shuffled, batches))
