"""Places a trained network among normals it has not learned from: score tables, heatmap tables, and whether bfloat16 may be used. Trains nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from engine.errors import TrainingFailed
from engine.models.base import AnomalyModel
from engine.models.card import Calibration
from engine.models.inference import computes_bfloat16, prepare_for_inference
from engine.scoring.calibration import heatmap_tables, score_calibration

MOST_MAPS_BYTES = 1 << 30
TRAIN_OTHERWISE = (
    "Train it again, not with --resume, with a lower learning rate, the precision 32-true or another seed."
)
"""The cure of a network that was trained to no numbers: what is left of the run would come to the same."""
BATCH = 8

Inputs = list[npt.NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class Calibrated:
    """What calibration found. `heatmap_mean` and `heatmap_p99` are [1, *S]; `bfloat16_drift` is empty where bfloat16 is not computed."""

    calibration: Calibration
    heatmap_mean: Tensor | None
    heatmap_p99: Tensor | None
    bfloat16_drift: dict[str, float]


def calibrate(model: AnomalyModel, inputs: Inputs, cohort: str, device: torch.device) -> Calibrated:
    """Score the calibration normals in float32, and in bfloat16 where the device computes in it.

    Args:
        inputs: [1, *S] float32 each, as `prepare` makes them.
        cohort: in words, for the card.

    Raises:
        TrainingFailed: a score or a map is not finite, so that nothing can be placed among them.
    """
    scores, maps = _scored(model, inputs, device, torch.float32)
    broken = [name for name, values in scores.items() if not np.isfinite(values).all()]
    if maps is not None and not np.isfinite(maps).all():
        broken.append("heatmap")
    if broken:
        raise TrainingFailed(
            f"the trained network gives no finite {broken[0]} for its own calibration normals", cure=TRAIN_OTHERWISE
        )
    mean = high = None
    if maps is not None:
        mean, high = (torch.from_numpy(table)[None] for table in heatmap_tables(maps))
    drift: dict[str, float] = {}
    if computes_bfloat16(device):
        rounded, _ = _scored(model, inputs, device, torch.bfloat16)
        drift = {name: _drift(values, rounded[name]) for name, values in scores.items()}
    tables = {name: score_calibration(values) for name, values in scores.items()}
    return Calibrated(Calibration(scores=tables, cohort=cohort), mean, high, drift)


def disagreement(model: AnomalyModel, other: AnomalyModel, inputs: Inputs, device: torch.device) -> float:
    """How far two networks place an input apart among the others, at most over scores: as a share of the score's standard deviation among `inputs`.

    A shift that all inputs share is none: each network is calibrated by its own scores, and no percentile moves. Structural dissimilarity in the black
    around a patient, where it weighs a grey level against a constant of 10^-4, has such shifts.
    """
    first, _ = _scored(model, inputs, device, torch.float32)
    second, _ = _scored(other, inputs, device, torch.float32)
    return max(_moved(values, second[name]) / max(float(values.std()), 1e-12) for name, values in first.items())


def _moved(first: npt.NDArray[np.float64], second: npt.NDArray[np.float64]) -> float:
    """The largest change of one score that is not every input's."""
    change = second - first
    return float(np.abs(change - np.median(change)).max())


def _drift(exact: npt.NDArray[np.float64], rounded: npt.NDArray[np.float64]) -> float:
    """99th percentile of a score's change, as a share of the normals' standard deviation."""
    return round(float(np.quantile(np.abs(rounded - exact), 0.99) / max(float(exact.std()), 1e-12)), 5)


def _scored(
    model: AnomalyModel, inputs: Inputs, device: torch.device, dtype: torch.dtype
) -> tuple[dict[str, npt.NDArray[np.float64]], npt.NDArray[np.float32] | None]:
    """Every score of every input, and the heatmaps [N, *S] as far as they fit in memory."""
    anomaly = prepare_for_inference(model, device, dtype)
    scores: dict[str, list[float]] = {}
    maps: list[npt.NDArray[np.float32]] = []
    most = max(1, MOST_MAPS_BYTES // inputs[0].nbytes)
    for batch in _batches(inputs):
        found = anomaly(torch.from_numpy(batch))
        for name, values in found.scores.items():
            scores.setdefault(name, []).extend(values.double().cpu().tolist())
        if found.heatmap is not None and len(maps) < most:
            maps.extend(found.heatmap[:, 0].float().cpu().numpy())
    stacked = np.stack(maps[:most]) if maps else None
    return {name: np.asarray(values) for name, values in scores.items()}, stacked


def _batches(inputs: Inputs) -> Iterator[npt.NDArray[np.float32]]:
    for first in range(0, len(inputs), BATCH):
        yield np.stack(inputs[first : first + BATCH])
