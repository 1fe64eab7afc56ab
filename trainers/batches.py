"""Random batches of an epoch, augmented one ahead of the step that uses them. Draws from one generator, so that a run can be repeated."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from trainers.augment import augmented
from trainers.method import Batch, Bytes, TrainingImages, as_input
from trainers.plan import TrainingPlan


def epoch_batches(
    images: TrainingImages, plan: TrainingPlan, device: torch.device, generator: torch.Generator
) -> Iterator[Batch]:
    """Every normal once in random order, each batch with as many images of the mixture; made one ahead in a thread.

    `generator` is in one thread's hands at a time: nobody else may draw from it until the iterator is exhausted.
    """
    made = _batches(images, plan, device, generator)
    with ThreadPoolExecutor(1, "batches") as pool:
        following = pool.submit(next, made, None)
        while (batch := following.result()) is not None:
            following = pool.submit(next, made, None)
            yield batch


def _batches(
    images: TrainingImages, plan: TrainingPlan, device: torch.device, generator: torch.Generator
) -> Iterator[Batch]:
    normals = list(_drawn(len(images.normal), plan.batch, generator))
    mixture = _drawn_again(len(images.mixture), plan.batch, generator) if images.mixture is not None else None
    for done, indices in enumerate(normals):
        other = others = None
        if images.mixture is not None and mixture is not None:
            chosen = next(mixture)[: len(indices)]
            other = _loaded(images.mixture, chosen, plan, device, generator)
            others = torch.from_numpy(chosen).to(device)
        normal = _loaded(images.normal, indices, plan, device, generator)
        yield Batch(normal, torch.from_numpy(indices).to(device), other, done / len(normals), others)


def _loaded(
    images: Bytes, indices: npt.NDArray[np.int64], plan: TrainingPlan, device: torch.device, generator: torch.Generator
) -> Tensor:
    return augmented(as_input(images[indices], device), plan.augmentation, generator)


def _drawn(count: int, batch: int, generator: torch.Generator) -> Iterator[npt.NDArray[np.int64]]:
    """Sorted indices of each batch: a memory map is read in order. What is left over at the end waits for another epoch's shuffle."""
    order = torch.randperm(count, generator=generator).numpy()
    for first in range(0, max(count - batch, 0) + 1, batch):
        yield np.sort(order[first : first + batch])


def _drawn_again(count: int, batch: int, generator: torch.Generator) -> Iterator[npt.NDArray[np.int64]]:
    """As `_drawn`, for ever: a cohort smaller than the normals is gone through more than once an epoch."""
    while True:
        yield from _drawn(count, batch, generator)
