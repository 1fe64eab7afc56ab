"""The card of a model that a run has made: what only people know of it, and what the run measured. Trains nothing, judges nothing, writes no file."""

from __future__ import annotations

import hashlib
import platform
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from engine.imaging.series import Series
from engine.models.base import AnomalyModel
from engine.models.card import Applicability, Card, CohortSummary, InputSpec, Preprocessing
from trainers.calibrate import Calibrated
from trainers.cohort import Cohort, inferred_applicability, mixed_sizes, unnamed_patients
from trainers.device_name import device_name
from trainers.method import MethodTrainer
from trainers.parts import in_words, regions
from trainers.plan import TrainingPlan
from trainers.split import Split
from trainers.training import Progress

FINE_PERCENTILES = 100
"""Calibration normals below which the card says that percentiles are coarse."""


@dataclass(frozen=True)
class CardText:
    """What only people know of a model; the rest of the card is measured. Everything has a plain default."""

    id: str = ""
    title: str = ""
    summary: str = ""
    cohort: str = ""
    source: str = ""
    data_licence: str = ""
    licence: str = ""
    primary_score: str = ""
    evaluation_note: str = ""
    limits: tuple[str, ...] = ()
    applicability: Applicability | None = None
    public_patients: bool = False
    recipe: dict[str, Any] = field(default_factory=dict)


def written_card(
    text: CardText,
    name: str,
    plan: TrainingPlan,
    preprocessing: Preprocessing,
    model: AnomalyModel,
    cohort: Cohort,
    split: Split,
    found: Calibrated,
    recipe: dict[str, Any],
) -> Card:
    """A card that lacks only its evaluation.

    Args:
        name: the bundle's id and title where `text` gives none.
        cohort, split: every image of the run, and who is in which part of it; patients are named only where `text` says that they are public.
        recipe: what was done; see `recipe_of`.
    """
    spec = model.spec
    normals = [cohort.series[index] for index in (*split.train, *split.calibration)]
    summary = _cohort_summary(text, cohort, split, plan)
    return Card(
        id=text.id or name,
        title=text.title or name,
        summary=text.summary or f"{plan.method} trained on {len(split.train)} normals of {summary.name}",
        method=plan.method,
        architecture=model.architecture,
        input=InputSpec(spatial_dims=spec.spatial_dims, size=spec.size, channels=spec.channels),
        preprocessing=preprocessing,
        applicability=text.applicability or inferred_applicability(normals),
        primary_score=text.primary_score or type(model).primary_score,
        calibration=found.calibration,
        training=summary,
        recipe=recipe,
        evaluation_note=text.evaluation_note,
        paper=type(model).paper,
        limits=(
            *text.limits,
            *coarse_percentiles(len(split.calibration)),
            *_several_parts(plan, [cohort.series[index] for index in split.train]),
            *cohort.notes,
            *filter(None, [mixed_sizes(cohort.series), unnamed_patients(cohort.series)]),
        ),
        licence=text.licence,
        versions={name: version(name) for name in ("normascope", "torch", "numpy")}
        | {"python": platform.python_version()},
        created=datetime.now(UTC).date().isoformat(),
    )


def recipe_of(
    trainer: MethodTrainer, history: Sequence[Progress], found: Calibrated, device: torch.device, devices: int
) -> dict[str, Any]:
    """What was done, for the card."""
    return {
        "plan": trainer.plan.model_dump(mode="json"),
        "epochs_done": len(history),
        "checkpoint_rule": f"{trainer.checkpoint_rule}; no validation image takes part in the choice",
        "last_losses": history[-1].losses if history else {},
        "findings": trainer.findings,
        "steps_skipped_as_not_finite": trainer.skipped,
        "waited_for_images": round(sum(p.waited for p in history) / max(len(history), 1), 4),
        "seconds": round(history[-1].seconds) if history else 0,
        "device": device.type,
        "device_name": device_name(device),
        "devices": devices,
        "bfloat16_drift": found.bfloat16_drift,
    }


def _cohort_summary(text: CardText, cohort: Cohort, split: Split, plan: TrainingPlan) -> CohortSummary:
    parts = split.who(cohort.units(plan.split_by))
    if not text.public_patients:
        # thrown away: the split can be compared within a card, and nobody can be found again
        salt = secrets.token_hex(16)
        parts = {part: tuple(sorted(_hashed(patient, salt) for patient in who)) for part, who in parts.items()}
    abnormal = [cohort.series[index].label == "abnormal" for index in split.validation]
    return CohortSummary(
        name=text.cohort or Path(cohort.path).name,
        source=text.source,
        licence=text.data_licence,
        n_train=len(split.train),
        n_mixture=len(split.mixture),
        n_calibration=len(split.calibration),
        n_validation_normal=abnormal.count(False),
        n_validation_abnormal=abnormal.count(True),
        split_seed=plan.seed_of_split,
        split_by=plan.split_by,
        split=parts,
    )


_COARSE = "Percentiles come from "
"""How the limit begins that a new calibration puts right."""


def coarse_percentiles(normals: int) -> tuple[str, ...]:
    """The limit of a model with few calibration normals; none for many."""
    if normals >= FINE_PERCENTILES:
        return ()
    return (f"{_COARSE}{normals} normals: no finer than steps of {100 / normals:.0f}, so a flag means little.",)


def recalibrated_limits(limits: Sequence[str], normals: int) -> tuple[str, ...]:
    """A card's limits once its percentiles come from other normals."""
    return (*(limit for limit in limits if not limit.startswith(_COARSE)), *coarse_percentiles(normals))


def _several_parts(plan: TrainingPlan, learned: Sequence[Series]) -> Iterator[str]:
    """What must be known of a model that reads several body parts, and of figures from a split that may divide a patient."""
    found = regions(learned)
    if len(found) > 1:
        yield (
            f"One model of {len(found)} body parts (it learned from {in_words(found)}): a percentile is among the normals of all of them, so that one"
            " part may be flagged more often than another. Its figures for each part stand in an evaluation's groups."
        )
    if plan.split_by == "patient-and-body-part":
        yield (
            "Split by body part of a patient, as SALAD's on MURA: what it learned from and what it was judged on may be different parts of one patient,"
            " which can flatter its figures."
        )


def _hashed(patient: str, salt: str) -> str:
    return hashlib.sha256((salt + patient).encode()).hexdigest()[:12]
