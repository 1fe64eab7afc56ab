"""The card of a network that has learned nothing: for tests of what carries a card, not of what it says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from engine.models.card import (
    Applicability,
    Calibration,
    Card,
    CohortSummary,
    InputSpec,
    Metric,
    Preprocessing,
    ScoreCalibration,
)

if TYPE_CHECKING:  # the window's tests need no network
    from engine.models.base import AnomalyModel


def plain_card(**values: Any) -> Card:
    """A card of films of 64 pixels, of any kind, two normals being all of its calibration; `values` says what a test is about."""
    ranks_by = values.get("primary_score", "error")
    usual: dict[str, Any] = {
        "id": "small",
        "title": "Small",
        "summary": "",
        "method": "alpha-gan",
        "architecture": {},
        "input": InputSpec(spatial_dims=2, size=(64, 64)),
        "preprocessing": Preprocessing(name="chest"),
        "applicability": Applicability(),
        "primary_score": ranks_by,
        "calibration": Calibration(scores={ranks_by: ScoreCalibration(normal_scores=(0.0, 1.0), n=2)}),
        "training": CohortSummary(name="none"),
    }
    return Card(**usual | values)


def metric_of(auroc: float, lowest: float | None = None, highest: float = 1.0) -> Metric:
    """A figure on nine patients of either class; its interval begins at `lowest`, at the figure itself by default."""
    return Metric(
        auroc=auroc,
        auroc_ci95=(auroc if lowest is None else lowest, highest),
        auprc=auroc,
        youden_cutoff=0,
        sensitivity=0,
        specificity=0,
        n_normal=9,
        n_abnormal=9,
    )


def card_of(
    model: AnomalyModel, normals: Sequence[float] = (0.0, 1.0), scores: Sequence[str] = (), **more: Any
) -> Card:
    """A card with what the network says of itself, and `normals` as the calibration of its `scores`, by default the one that ranks."""
    table = ScoreCalibration(normal_scores=tuple(map(float, normals)), n=len(normals))
    values: dict[str, Any] = {
        "method": model.method,
        "architecture": model.architecture,
        "input": InputSpec(spatial_dims=model.spec.spatial_dims, size=model.spec.size),
        "preprocessing": Preprocessing(name=model.spec.preprocessing),
        "primary_score": model.primary_score,
        "calibration": Calibration(scores=dict.fromkeys(scores or (model.primary_score,), table)),
    }
    return plain_card(**values | more)
