"""Estimates what a training step will hold in memory before the first one is taken, by taking a small one with a copy, and refuses what cannot fit.

A system without memory left does not say so to a process on the processor: it ends the process, without a word. So that is told beforehand.
"""

from __future__ import annotations

import math
import os
from contextlib import suppress
from pathlib import Path

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from engine.errors import NormascopeError, TrainingFailed
from trainers.batches import epoch_batches
from trainers.method import TrainingImages
from trainers.one_device import fabric_on
from trainers.plan import TrainingPlan
from trainers.registry import trainer_of

PROBE = 2
"""Images in the small step: batch normalisation needs two."""
IMAGES_AT_ONCE = 16
"""Images in memory while a cohort is prepared, as float32."""
_LIMIT = Path("/sys/fs/cgroup/memory.max")
"""What a container may use, where there is one."""


def machine_memory() -> int:
    """Bytes that the processes of this machine, or of this container, can have altogether; a lot where nobody knows."""
    found = [1 << 62]
    with suppress(AttributeError, ValueError, OSError):  # not a POSIX system
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    with suppress(ValueError, OSError):  # "max", or no container
        found.append(int(_LIMIT.read_text()))
    return min(found)


def check_size(plan: TrainingPlan) -> None:
    """Raises NormascopeError when not even the images of a cohort can be prepared in this machine's memory."""
    if IMAGES_AT_ONCE * 4 * math.prod(plan.size) > machine_memory():
        size = " x ".join(map(str, plan.size))
        raise NormascopeError(f"images of {size} do not fit into this machine's memory", cure="Choose a smaller size.")


def check_step(needed: int, plan: TrainingPlan, graphs: int) -> str:
    """What to say beforehand of a step on the processor that needs so many bytes: "" where it fits.

    Args:
        needed: as `step_memory` estimates it, all networks' graphs together.
        graphs: how many there are, of which the largest at least is alive at one time.

    Raises:
        TrainingFailed: it cannot fit.
    """
    there = machine_memory()
    if needed <= there:
        return ""
    cure = f"Train with a batch under {plan.batch} (--option batch=N) or at a smaller size."
    if needed / graphs <= there:
        return f"a step may need {needed / 1e9:.1f} GB of this machine's {there / 1e9:.1f}: the system may end the run. {cure}"
    least = needed / graphs / 1e9
    raise TrainingFailed(f"a step needs {least:.1f} GB at least, and this machine has {there / 1e9:.1f}", cure=cure)


def step_memory(plan: TrainingPlan, images: TrainingImages, device: torch.device) -> int:
    """Bytes of weights, gradients, Adam's two moments, and what backward passes keep, for a batch of the plan's size.

    What is kept is counted in a step of two images with a copy of the trainer and multiplied; all networks' graphs are counted as if they were alive
    at once, so this is an upper bound of what the method asks for. The allocator's own overhead is not in it.
    """
    probe = plan.model_copy(update={"batch": PROBE})
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        trainer = trainer_of(probe, fabric_on(device, plan.precision))
        few = TrainingImages(images.normal[:PROBE], None if images.mixture is None else images.mixture[:PROBE])
        trainer.begin(few)
        trainer.begin_epoch(plan.epochs - 1)
        batch = next(epoch_batches(few, probe, device, torch.Generator(), mixture_once=trainer.mixture_once))
        kept: dict[int, int] = {}

        def keep(tensor: Tensor) -> Tensor:
            storage = tensor.untyped_storage()
            kept[storage.data_ptr()] = storage.nbytes()
            return tensor

        with saved_tensors_hooks(keep, lambda tensor: tensor):
            trainer.step(batch, torch.Generator())
    weights = {p.data_ptr(): p.nbytes for module in trainer.modules.values() for p in module.parameters()}
    activations = sum(size for pointer, size in kept.items() if pointer not in weights)
    return 4 * sum(weights.values()) + activations * plan.batch // PROBE
