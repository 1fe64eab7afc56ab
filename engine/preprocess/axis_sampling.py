"""Weights that carry samples along one axis to other positions along it. Positions are millimetres and may run either way, unevenly."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Positions = npt.NDArray[np.float64]
Weights = npt.NDArray[np.float32]


def linear_weights(source: Positions, target: Positions) -> Weights:
    """[len(target), len(source)] linear interpolation; a row of zeros where a target lies more than half a step outside the source."""
    order = np.argsort(source)
    positions = source[order]
    weights = np.zeros((len(target), len(source)), np.float32)
    if len(source) == 1:
        return weights
    steps = np.diff(positions)
    inside = (target >= positions[0] - steps[0] / 2) & (target <= positions[-1] + steps[-1] / 2)
    held = np.clip(target, positions[0], positions[-1])
    upper = np.clip(np.searchsorted(positions, held, side="right"), 1, len(positions) - 1)
    span = np.maximum(positions[upper] - positions[upper - 1], 1e-9)
    share = np.clip((held - positions[upper - 1]) / span, 0, 1)
    rows = np.arange(len(target))
    weights[rows, order[upper - 1]] = 1 - share
    weights[rows, order[upper]] = share
    weights[~inside] = 0
    return weights


def averaging_weights(source: Positions, target: Positions) -> Weights:
    """As `linear_weights`, but a target that is wider spaced than the source averages what lies within its own step (no aliasing)."""
    weights = linear_weights(source, target)
    if len(target) < 2 or len(source) < 2:
        return weights
    step = float(np.median(np.abs(np.diff(target))))
    distance = np.abs(target[:, None] - source[None, :])
    # each source sample stands for the length around it, so that uneven spacing does not favour where samples crowd
    order = np.argsort(source)
    length = np.empty(len(source))
    length[order] = np.gradient(source[order])
    kernel = np.clip(1 - distance / step, 0, None) * length[None, :]
    total = kernel.sum(1)
    dense = weights.any(1) & ((distance < step).sum(1) > 2)
    weights[dense] = (kernel[dense] / total[dense, None]).astype(np.float32)
    return weights
