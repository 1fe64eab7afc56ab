"""A model in one file: weights, calibration tables and card as safetensors. No pickle: a bundle from a stranger cannot run code.

Tensors are named `model.*`, `calibration.heatmap.mean` and `calibration.heatmap.p99`; the card is JSON under `card` in the header.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor
from torch.overrides import TorchFunctionMode

from engine.errors import BundleRejected, StorageUnavailable
from engine.models.base import AnomalyModel
from engine.models.card import Card
from engine.models.registry import model_class
from engine.models.shelf import bundle_hash, read_card, read_header

WEIGHTS = "model."
HEATMAP_MEAN = "calibration.heatmap.mean"
HEATMAP_P99 = "calibration.heatmap.p99"
ABANDONED = 3600
"""Seconds after which a file that was being written belongs to a process that was killed: writing takes a few."""


@dataclass(frozen=True, eq=False)
class Bundle:
    """A loaded model. `heatmap_mean` and `heatmap_p99` are [1, *S] float32 on the CPU, or None when the method has no heatmap."""

    model: AnomalyModel
    card: Card
    hash: str
    heatmap_mean: Tensor | None
    heatmap_p99: Tensor | None
    path: Path


def save_bundle(
    path: str | Path,
    model: AnomalyModel,
    card: Card,
    heatmap_mean: Tensor | None,
    heatmap_p99: Tensor | None,
    *,
    dtype: torch.dtype = torch.float32,
) -> str:
    """Write a bundle atomically; returns its hash. What a save of the same file left when it was killed, an hour ago or earlier, is removed.

    Args:
        dtype: of the stored weights, as `rounded` has it; float16 halves the file and is for networks whose scores were seen to agree.

    Raises:
        StorageUnavailable: the disk is full or the folder cannot be written.
    """
    path = Path(path)
    tensors = {WEIGHTS + name: value for name, value in rounded(model.state_dict(), dtype).items()}
    if heatmap_mean is not None and heatmap_p99 is not None:
        tensors |= {HEATMAP_MEAN: heatmap_mean.float(), HEATMAP_P99: heatmap_p99.float()}
    tensors = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(save(tensors, metadata={"card": card.model_dump_json()}))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except (OSError, SafetensorError) as error:
        temporary.unlink(missing_ok=True)
        raise StorageUnavailable(
            f"the model could not be saved ({error})", where=path, cure="Free some space, or choose another folder."
        ) from error
    _remove_abandoned(path)
    return bundle_hash(path)


def _remove_abandoned(path: Path) -> None:
    """By age and not by process: the folder may be shared, and another machine's processes cannot be asked. Ages are by the folder's own clock."""
    beginning, end = f".{path.name}.", ".tmp"
    with suppress(OSError):  # the bundle is saved: what cannot be tidied stays
        written = path.stat().st_mtime
        for file in path.parent.iterdir():
            process = file.name.removeprefix(beginning).removesuffix(end)
            unfinished = process.isdigit() and file.name == f"{beginning}{process}{end}"
            if unfinished and written - file.stat().st_mtime > ABANDONED:
                file.unlink()


def rounded(weights: Mapping[str, Tensor], dtype: torch.dtype) -> dict[str, Tensor]:
    """A network's weights as a bundle stores them: matrices in `dtype`; counts, biases and the statistics of normalisations as they are.

    These are a hundredth of a file, and each acts on a whole channel: rounded, they moved scores four times as far as all of the matrices.
    """
    return {
        name: value.to(dtype) if value.is_floating_point() and value.ndim > 1 else value
        for name, value in weights.items()
    }


def load_bundle(path: str | Path, device: str | torch.device = "cpu") -> Bundle:
    """Read a bundle and rebuild its network, in eval mode, float32, on `device`.

    Raises:
        BundleRejected: truncated, not safetensors, of another architecture than its card says, of a newer version, or with weights that
            are not numbers.
    """
    path = Path(path)
    card = read_card(path)
    stored = {
        name.removeprefix(WEIGHTS): tuple(entry["shape"])
        for name, entry in read_header(path).items()
        if name.startswith(WEIGHTS)
    }
    model = _network(path, card, stored)
    try:
        with safe_open(path, framework="pt") as file:
            names = set(file.keys())
            weights = {name: file.get_tensor(WEIGHTS + name).float() for name in stored}
            tables = [file.get_tensor(n).float() if n in names else None for n in (HEATMAP_MEAN, HEATMAP_P99)]
    except SafetensorError as error:
        raise BundleRejected(f"the file is damaged ({error})", where=path, cure="Copy it again.") from error
    if not all(
        bool(torch.isfinite(value).all()) for value in [*weights.values(), *(t for t in tables if t is not None)]
    ):
        raise BundleRejected("its weights are not all numbers", where=path, cure="Train the model again.")
    if any(table is not None and tuple(table.shape) != (1, *card.input.size) for table in tables):
        raise BundleRejected("its heatmap tables do not fit its input size", where=path, cure="Train the model again.")
    model.load_state_dict(weights)
    model.requires_grad_(False).eval().to(device)
    return Bundle(model, card, bundle_hash(path), tables[0], tables[1], path)


class _Undrawn(TorchFunctionMode):
    """Leaves out the drawing of first weights on the meta device, where there are none: for normal ones torch imports its compiler, for seconds."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        named = kwargs or {}
        if func in (Tensor.normal_, torch.nn.init.normal_):
            return args[0] if args else named["tensor"]
        return func(*args, **named)


def _network(path: Path, card: Card, stored: dict[str, tuple[int, ...]]) -> AnomalyModel:
    """The card's network, built only after its shapes were seen to be those in the file: a card cannot ask for more memory than it brings."""
    kind = model_class(card.method)
    wrong = BundleRejected(
        f"its weights are not those of {card.method} as its card describes it",
        where=path,
        cure="Ask its maker for a bundle whose card and weights belong together.",
    )
    try:
        with torch.device("meta"), _Undrawn():
            described: dict[str, Any] = kind(**card.architecture).state_dict()
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise wrong from error
    if {name: tuple(value.shape) for name, value in described.items()} != stored:
        raise wrong
    model = kind(**card.architecture)
    if model.spec.size != card.input.size or model.spec.spatial_dims != card.input.spatial_dims:
        raise wrong
    return model
