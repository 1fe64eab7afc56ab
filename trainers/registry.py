"""Which trainer teaches which method: by name, from engine.models.registry, so that a method is registered in one place."""

from __future__ import annotations

import importlib

from lightning_fabric import Fabric

from engine.models.registry import METHODS
from trainers.method import MethodTrainer
from trainers.plan import TrainingPlan


def trainer_class(method: str) -> type[MethodTrainer]:
    """The trainer of `engine.models.NAME:Class`, which is `trainers.NAME:ClassTrainer`. Raises KeyError for an unknown method."""
    module, _, attribute = METHODS[method].partition(":")
    found: type[MethodTrainer] = getattr(
        importlib.import_module(f"trainers.{module.rpartition('.')[2]}"), f"{attribute}Trainer"
    )
    return found


def trainer_of(plan: TrainingPlan, fabric: Fabric) -> MethodTrainer:
    """A method's trainer with fresh networks, the same for the same seed."""
    fabric.seed_everything(plan.seed, verbose=False)
    return trainer_class(plan.method)(plan, fabric)
