"""The card of a network that has learned nothing: for tests of what carries a card, not of what it says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from engine.models.base import AnomalyModel
from engine.models.card import (
    Applicability,
    Calibration,
    Card,
    CohortSummary,
    InputSpec,
    Preprocessing,
    ScoreCalibration,
)


def card_of(
    model: AnomalyModel, normals: Sequence[float] = (0.0, 1.0), scores: Sequence[str] = (), **more: Any
) -> Card:
    """A card with what the network says of itself, and `normals` as the calibration of its `scores`, by default the one that ranks."""
    table = ScoreCalibration(normal_scores=tuple(map(float, normals)), n=len(normals))
    values: dict[str, Any] = {
        "id": "small",
        "title": "Small",
        "summary": "",
        "method": model.method,
        "architecture": model.architecture,
        "input": InputSpec(spatial_dims=model.spec.spatial_dims, size=model.spec.size),
        "preprocessing": Preprocessing(name=model.spec.preprocessing),
        "applicability": Applicability(),
        "primary_score": model.primary_score,
        "calibration": Calibration(scores=dict.fromkeys(scores or (model.primary_score,), table)),
        "training": CohortSummary(name="none"),
    }
    return Card(**values | more)
