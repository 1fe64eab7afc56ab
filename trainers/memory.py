"""Estimates what a training step will hold in memory before the first one is taken, by taking a small one with a copy."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from trainers.batches import epoch_batches
from trainers.method import TrainingImages
from trainers.one_device import fabric_on
from trainers.plan import TrainingPlan
from trainers.registry import trainer_of

PROBE = 2
"""Images in the small step: batch normalisation needs two."""


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
        batch = next(epoch_batches(few, probe, device, torch.Generator()))
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
