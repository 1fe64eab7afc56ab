"""What every method's trainer is put through: a short run on drawn images, interrupted or not. Imported by the methods' tests."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric

from tests.trainers.conftest import drawn
from trainers.method import Batch, MethodTrainer, TrainingImages
from trainers.plan import TrainingPlan
from trainers.registry import trainer_of
from trainers.training import Progress, run_training
from trainers.watching import held_out_loss


class PulledPlug(Exception):
    """The run was killed."""


def fresh_trainer(plan: TrainingPlan) -> MethodTrainer:
    """A trainer with the plan's seed, on the CPU."""
    return trainer_of(plan, Fabric(accelerator="cpu", devices=1))


def drawn_images(count: int, side: int) -> TrainingImages:
    """Drawn chests, [count, side, side]."""
    return TrainingImages(np.stack([drawn(seed, side=side) for seed in range(count)]))


def loss_of(trainer: MethodTrainer, held: np.ndarray) -> float:
    """What the trainer loses by held-out normals, [H, *S] uint8, when it is judged by them alone."""
    loss = held_out_loss(trainer, TrainingImages(held, held=held))
    assert loss is not None
    return loss


def seen(images: np.ndarray) -> torch.Tensor:
    """[N, *S] uint8 -> [N, 1, *S], as networks see them."""
    return torch.from_numpy(images)[:, None].float() / 127.5 - 1


def batch_of(x: torch.Tensor) -> Batch:
    """A batch of normals in the middle of an epoch."""
    return Batch(x, torch.arange(len(x)), None, 0.5)


def resumed_after(plan: TrainingPlan, images: TrainingImages, epoch: int, checkpoint: Path) -> MethodTrainer:
    """A trainer whose run was killed after `epoch`, and another that went on to the plan's end."""

    def pull(progress: Progress) -> None:
        if progress.epoch == epoch:
            raise PulledPlug

    with contextlib.suppress(PulledPlug):
        run_training(fresh_trainer(plan), images, checkpoint, on_progress=pull)
    second = fresh_trainer(plan)
    run_training(second, images, checkpoint, resume=True)
    return second


def changed_by(
    learner: str, trainer: MethodTrainer, names: Iterable[str], x: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> set[str]:
    """Which of the networks in `names` a step on `x` changes when only `learner` is updated."""
    network = trainer.modules["network"]
    every = {name: network.get_submodule(name) for name in names}
    before = {name: [p.detach().clone() for p in module.parameters()] for name, module in every.items()}
    update = trainer.update
    monkeypatch.setattr(trainer, "update", lambda name, loss: name == learner and update(name, loss))
    trainer.step(batch_of(x), torch.Generator().manual_seed(0))
    return {
        name
        for name, module in every.items()
        if any(not torch.equal(a, b) for a, b in zip(before[name], module.parameters(), strict=True))
    }


def through_and_resumed(
    plan: TrainingPlan, images: TrainingImages, checkpoint: Path
) -> tuple[MethodTrainer, MethodTrainer]:
    """A trainer whose run nothing interrupted, and one that went on where another was killed after its first epoch."""
    whole = fresh_trainer(plan)
    run_training(whole, images, None)
    return whole, resumed_after(plan, images, 1, checkpoint)


def same_weights(first: torch.nn.Module, second: torch.nn.Module) -> bool:
    """Whether two networks agree bit for bit."""
    other = second.state_dict()
    return all(torch.equal(value, other[name]) for name, value in first.state_dict().items())
