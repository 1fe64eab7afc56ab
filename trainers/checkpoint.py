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


def save_checkpoint(path: Path, trainer: MethodTrainer, state: dict[str, Any], generator: torch.Generator) -> None:
    """Write every network, optimiser and the random state; `state` is JSON-able. A run killed while writing leaves the former file whole."""
    tensors: dict[str, Tensor] = {"random": generator.get_state()}
    for name, module in trainer.modules.items():
        tensors |= {f"module/{name}/{key}": value for key, value in module.state_dict().items()}
    for name, optimizer in trainer.optimizers.items():
        for index, entries in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer/{name}/{index}/{key}": torch.as_tensor(value) for key, value in entries.items()}
    # a copy each: safetensors refuses tensors that share memory, and wants them contiguous
    tensors = {key: value.detach().cpu().contiguous().clone() for key, value in tensors.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("wb") as file:
        file.write(save(tensors, metadata={"state": json.dumps(state | {"skipped": trainer.skipped})}))
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def load_checkpoint(path: Path, trainer: MethodTrainer, generator: torch.Generator) -> dict[str, Any]:
    """Put a trainer back where `save_checkpoint` left it; returns `state`."""
    with safe_open(path, framework="pt") as file:
        state: dict[str, Any] = json.loads(file.metadata()["state"])
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a mapping
    generator.set_state(tensors.pop("random"))
    for name, module in trainer.modules.items():
        prefix = f"module/{name}/"
        module.load_state_dict({k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)})
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
    trainer.skipped = int(state["skipped"])
    return state
