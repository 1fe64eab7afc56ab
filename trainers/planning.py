"""Turns what a person asked for into a trainer with a plan, before anything is read: a plan that cannot be carried out costs no time."""

from __future__ import annotations

import json
from collections.abc import Mapping

import torch
from pydantic import ValidationError

from engine.errors import CohortRejected, NormascopeError, TrainingFailed
from engine.models.card import Preprocessing
from engine.models.inference import computes_bfloat16
from engine.models.registry import METHODS
from engine.preprocess import chosen_options
from engine.scoring.scorer import is_out_of_memory
from trainers.method import MethodTrainer
from trainers.one_device import fabric_on
from trainers.plan import TrainingPlan
from trainers.registry import trainer_class, trainer_of


def default_plan(
    method: str,
    size: int | None,
    epochs: int | None,
    seed: int,
    device: torch.device,
    options: Mapping[str, object] | None = None,
) -> TrainingPlan:
    """A method's own plan on this device, with what a person asked for. Raises ValueError for what the plan does not take.

    bfloat16 is taken unasked on CUDA alone: on a processor that has it a step gains a few per cent to a third, and what a seed gives would depend on
    the processor.
    """
    kind = trainer_class(method).plan_class
    values: dict[str, object] = {"method": method, "seed": seed}
    if (
        device.type == "cuda"
        and computes_bfloat16(device)
        and kind.model_fields["precision"].default == "32-true"
        and kind.rounds
    ):
        values["precision"] = "bf16-mixed"
    if size is not None:
        values["size"] = kind.sized(size)
    if epochs is not None:
        values["epochs"] = epochs
    return kind.model_validate(values | {name: _read(value) for name, value in (options or {}).items()})


def planned(
    plan: TrainingPlan | None,
    method: str,
    size: int | None,
    epochs: int | None,
    seed: int,
    device: torch.device,
    options: Mapping[str, object],
) -> MethodTrainer:
    """A trainer for the plan, or for the method's own.

    Raises:
        CohortRejected: no method has that name.
        NormascopeError: the plan cannot be carried out, with the reason.
        TrainingFailed: there is no memory for the networks.
    """
    if method not in METHODS:
        raise CohortRejected(f"no method is called {method!r}", cure=f"Choose one of {', '.join(METHODS)}.")
    try:
        plan = plan or default_plan(method, size, epochs, seed, device, options)
        for view in ({}, *plan.views):
            chosen_options(Preprocessing(name=plan.preprocessing, options=plan.preprocessing_options | view))
        return trainer_of(plan, fabric_on(device, plan.precision))
    except ValueError as error:
        reason = str(error)
        if isinstance(error, ValidationError):
            first = error.errors()[0]
            reason = " ".join([*(str(part) for part in first["loc"]), first["msg"]])
        raise NormascopeError(
            f"{method} cannot be trained so: {reason}", cure="Choose another size, number of epochs or option."
        ) from error
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise TrainingFailed(
            f"{device} has no memory for the networks of {method}", cure="Choose a smaller size or narrower networks."
        ) from error


def _read(value: object) -> object:
    """An option as typed on a command line: a number, true, a list, or the word itself."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value
