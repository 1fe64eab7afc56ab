"""Keeps a run's state in one safetensors file with its counters as JSON in the header, written atomically. No pickle."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from trainers.method import MethodTrainer

Generators = dict[str, torch.Generator]


def save_checkpoint(path: Path, trainer: MethodTrainer, state: dict[str, Any], generators: Generators) -> None:
    """Write every network, optimiser and generator; `state` is JSON-able. A run killed while writing leaves the former file whole."""
    tensors = _weights(trainer) | {f"random/{name}": generator.get_state() for name, generator in generators.items()}
    for name, optimizer in trainer.optimizers.items():
        for index, entries in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer/{name}/{index}/{key}": torch.as_tensor(value) for key, value in entries.items()}
    _write(path, tensors, state | {"skipped": trainer.skipped, "findings": trainer.findings})


def load_checkpoint(path: Path, trainer: MethodTrainer, generators: Generators) -> dict[str, Any]:
    """Put a trainer back where `save_checkpoint` left it; returns `state`."""
    with safe_open(path, framework="pt") as file:
        state: dict[str, Any] = json.loads(file.metadata()["state"])
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a mapping
    for name, generator in generators.items():
        generator.set_state(tensors.pop(f"random/{name}"))
    _restore(trainer, tensors)
    for name, optimizer in trainer.optimizers.items():
        kept: dict[int, dict[str, Tensor]] = {}
        for key, value in tensors.items():
            if key.startswith(f"optimizer/{name}/"):
                _, _, index, entry = key.split("/")
                kept.setdefault(int(index), {})[entry] = value
        optimizer.load_state_dict({"state": kept, "param_groups": optimizer.state_dict()["param_groups"]})
        for parameter, entries in optimizer.state.items():
            for entry, value in entries.items():
                if value.shape == parameter.shape:
                    # in the parameter's own memory order: fused optimisers walk both by position, and a moment in another order is noise
                    entries[entry] = torch.empty_like(parameter, requires_grad=False).copy_(value)
    trainer.skipped, trainer.findings = int(state["skipped"]), dict(state["findings"])
    return state


def save_modules(path: Path, trainer: MethodTrainer) -> None:
    """Write the networks alone: the best so far."""
    _write(path, _weights(trainer), {})


def load_modules(path: Path, trainer: MethodTrainer) -> None:
    """Put the networks back as `save_modules` left them."""
    with safe_open(path, framework="pt") as file:
        _restore(trainer, {key: file.get_tensor(key) for key in file.keys()})  # noqa: SIM118 - not a mapping


def _weights(trainer: MethodTrainer) -> dict[str, Tensor]:
    return {
        f"module/{name}/{key}": value
        for name, module in trainer.modules.items()
        for key, value in module.state_dict().items()
    }


def _restore(trainer: MethodTrainer, tensors: dict[str, Tensor]) -> None:
    for name, module in trainer.modules.items():
        prefix = f"module/{name}/"
        module.load_state_dict({k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)})


def _write(path: Path, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
    """All of the file or nothing, also when the power fails."""
    # a copy each: safetensors refuses tensors that share memory, and wants them contiguous
    tensors = {key: value.detach().cpu().contiguous().clone() for key, value in tensors.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("wb") as file:
        file.write(save(tensors, metadata={"state": json.dumps(state)}))
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
