"""What the processes of tests/trainers/test_shared_run.py and test_devices.py do: a module of its own, so that a process can import it by name."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from engine.errors import TrainingFailed
from engine.models.registry import METHODS
from tests.trainers.conftest import drawn
from trainers.alpha_gan import AlphaGANPlan
from trainers.cae import CAEPlan, CAETrainer
from trainers.checkpoint import save_modules
from trainers.devices import Devices, Say, on_every_device
from trainers.glow_posterior import GlowPosteriorPlan
from trainers.method import MethodTrainer, TrainingImages
from trainers.plan import Augmentation, TrainingPlan
from trainers.ratio_posterior import RatioPosteriorPlan
from trainers.registry import trainer_class, trainer_of
from trainers.together import everywhere, gathered, share_gradients
from trainers.training import every_epoch

PARITY: dict[str, TrainingPlan] = {
    "alpha-gan": AlphaGANPlan(
        size=(8, 8), epochs=4, width=16, code=4, batch=4, augmentation=Augmentation(exposure=0.2, mirror=True)
    ),
    "glow-posterior": GlowPosteriorPlan(size=(16, 16), epochs=2, levels=2, depth=1, width=8, batch=4),
}
"""Methods whose layers and losses know no other image of the batch."""
SMALL = CAEPlan(size=(32, 32), width=2, bottleneck=4, epochs=2, batch=4)
DRAWING = RatioPosteriorPlan(size=(32, 32), width=8, epochs=3, batch=4)
"""A method that draws from its generator and from torch's own at each step; of so few images, a device often has nothing for one of its members."""


def plan_of(method: str) -> TrainingPlan:
    """The smallest run of a method: its trial's networks, one epoch of two steps or so."""
    kind = trainer_class(method).plan_class
    return kind.model_validate({**kind.trial, "method": method, "epochs": 1, "batch": 4})


def images_for(plan: TrainingPlan, count: int = 9) -> TrainingImages:
    """Drawn chests, some as a mixture for the methods that want one; a volume is a chest in each slice."""

    def some(first: int, count: int) -> np.ndarray:
        flat = np.stack([drawn(first + seed, seed % 2 == 1, side=plan.size[-1]) for seed in range(count)])
        return flat if len(plan.size) == 2 else np.repeat(flat[:, None], plan.size[0], axis=1)

    mixed = trainer_class(plan.method).mixture != "never"
    return TrainingImages(some(0, count), some(100, 7) if mixed else None)


class Spoiled(CAETrainer):
    """Its second step is not finite on the second device alone, its third has gradients that are not."""

    steps = 0

    def losses(self, x: Tensor) -> dict[str, Tensor]:
        self.steps += 1
        found = super().losses(x)
        spoils = self.fabric.global_rank == 1
        if spoils and self.steps == 2:
            return {name: value * torch.nan for name, value in found.items()}
        if spoils and self.steps == 3:
            return {name: value + (value - value.detach()).sqrt() * 0 for name, value in found.items()}
        return found


class Divided(CAETrainer):
    """Devices that disagree on which epoch was the best."""

    def held_out_loss(self, normal: Tensor) -> Tensor:
        return torch.tensor(float(self.epoch if self.fabric.global_rank == 0 else -self.epoch))


def _kept(trainer: MethodTrainer, folder: Path, name: str) -> None:
    save_modules(folder / f"{name}-{trainer.fabric.global_rank}.safetensors", trainer)


def _trained(trainer: MethodTrainer, folder: Path, name: str) -> None:
    every_epoch(trainer, images_for(trainer.plan), None)
    _kept(trainer, folder, name)


def exchanged(fabric: Fabric) -> dict[str, object]:
    """What two devices make together of gradients, answers and codes that each has of its own."""
    number, device = fabric.global_rank, fabric.device
    parameters = [nn.Parameter(torch.zeros(2, device=device)) for _ in range(3)]
    parameters[0].grad = torch.tensor([1.0, 2.0], device=device) + 10 * number
    if number == 1:
        parameters[1].grad = torch.tensor([4.0, 6.0], device=device)
    shared = share_gradients(fabric, parameters, finite=True)
    return {
        "gradients": [None if p.grad is None else p.grad.tolist() for p in parameters],
        "finite": [shared, share_gradients(fabric, parameters, finite=number == 0)],
        "everywhere": [everywhere(fabric, True), everywhere(fabric, number == 0)],
        "gathered": gathered(fabric, torch.arange(number + 1.0, device=device) + 10 * number).tolist(),
    }


def everything(folder: Path, fabric: Fabric, say: Say) -> None:
    """All the runs that test_shared_run.py looks at, in one pair of processes."""
    say(exchanged(fabric))
    for method in METHODS:
        _trained(trainer_of(plan_of(method), fabric), folder, method)
        say(method)
    for name, plan in PARITY.items():
        _trained(trainer_of(plan, fabric), folder, f"parity {name}")

    fabric.seed_everything(0, verbose=False)
    spoiled = Spoiled(SMALL.model_copy(update={"epochs": 1}), fabric)
    every_epoch(spoiled, images_for(SMALL, 20), None)
    _kept(spoiled, folder, "spoiled")
    say((spoiled.taken, spoiled.skipped))

    patient = SMALL.model_copy(update={"epochs": 9, "patience": 2, "stopping_share": 0.2})
    images = images_for(SMALL)
    fabric.seed_everything(0, verbose=False)
    divided = Divided(patient, fabric)
    history = every_epoch(divided, replace(images, held=images.normal[:2]), None)
    say([progress.held_out_loss for progress in history])

    _trained(trainer_of(DRAWING, fabric), folder, "whole")
    say(("drew next", float(torch.rand(1))))
    checkpoint = folder / "checkpoint.safetensors"
    short = DRAWING.model_copy(update={"minutes": 1e-9})
    every_epoch(trainer_of(short, fabric), images_for(DRAWING), checkpoint)
    resumed = trainer_of(DRAWING, fabric)
    every_epoch(resumed, images_for(DRAWING), checkpoint, resume=True, on_progress=lambda progress: say(progress.epoch))
    _kept(resumed, folder, "resumed")


def refused_by_one(fabric: Fabric, say: Say) -> None:
    """The second device fails while the first waits for it."""
    if fabric.global_rank == 1:
        raise TrainingFailed("the second device cannot", cure="Try another.")
    fabric.barrier()


def killed_one(fabric: Fabric, say: Say) -> None:
    """The second device's process is killed while the first waits for it."""
    if fabric.global_rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    fabric.barrier()


def telling(fabric: Fabric, say: Say) -> None:
    """Says who it is, and works on for long."""
    fabric.barrier()
    say(os.getpid())
    time.sleep(300)


def leading(writer: Connection) -> None:
    """Starts two processes that work on for long, and passes on who they are."""
    on_every_device(telling, Devices("cpu", 2), writer.send)
