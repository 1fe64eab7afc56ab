"""A bundle's card: what the model is, what it was trained on, how well it does and for which images it may be asked. Torch-free."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

CARD_VERSION = 3
"""Raised when cards say what an older Normascope cannot read: 2 has mixtures, patients and fixed specificities, 3 what a split keeps together."""

SplitBy = Literal["patient", "patient-and-body-part"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class InputSpec(_Part):
    """`engine.models.base.ModelSpec` as JSON."""

    spatial_dims: int
    size: tuple[int, ...]
    channels: int = 1


class Preprocessing(_Part):
    """Name in engine.preprocess, and its options."""

    name: str
    options: dict[str, Any] = Field(default_factory=dict)


class Applicability(_Part):
    """DICOM values a study must have to be scored, upper case; an empty tuple accepts any. Files without tags are scored when the model is named,
    unless a cohort's table says that they show something else.

    `body_part` and `view` are compared only when the study states them; `age_years` is a (lowest, highest) range compared only when stated.
    `synthetic`: True for models trained on phantoms, which score phantoms only; False for models of patients, which never score phantoms.
    """

    modality: tuple[str, ...] = ()
    body_part: tuple[str, ...] = ()
    view: tuple[str, ...] = ()
    age_years: tuple[float, float] | None = None
    synthetic: bool = False


class ScoreCalibration(_Part):
    """How a raw score stands in the normal calibration cohort.

    `normal_scores` are the cohort's raw scores, ascending (one an image; thinned to at most 1000 quantiles), which also draw the histogram.
    """

    normal_scores: tuple[float, ...] = Field(min_length=1)
    n: int = Field(ge=1)

    @field_validator("normal_scores")
    @classmethod
    def _finite_and_ascending(cls, scores: tuple[float, ...]) -> tuple[float, ...]:
        # a percentile is found by bisection: among scores out of order it would be any number
        if not all(map(math.isfinite, scores)):
            raise ValueError("they are not all finite numbers")
        if any(later < earlier for earlier, later in pairwise(scores)):
            raise ValueError("they are not in ascending order")
        return scores


class Calibration(_Part):
    """Tables made on held-out normals. Heatmap tables are the tensors `calibration.heatmap.mean` and `calibration.heatmap.p99` [1, *S]."""

    scores: dict[str, ScoreCalibration]
    flag_percentile: float = Field(default=95.0, ge=0, le=100)
    cohort: str = ""


class CohortSummary(_Part):
    """Who the model was trained on. `split` holds identifiers only for public data; a site's own bundle holds salted hashes.

    `split_by`: what `split` names and never divides: patients, or body parts of patients, as "WRIST/p12".
    """

    name: str
    source: str = ""
    licence: str = ""
    n_train: int = 0
    n_mixture: int = 0
    n_calibration: int = 0
    n_validation_normal: int = 0
    n_validation_abnormal: int = 0
    split_seed: int = 0
    split_by: SplitBy = "patient"
    split: dict[str, tuple[str, ...]] = Field(default_factory=dict)


class Metric(_Part):
    """One score on labelled validation patients, as metrics.json has it. Intervals are 95%.

    What cards written before it was measured lack is None. `auroc_standard_error` and `auroc_ci95_delong` are DeLong's (trainers/delong.py); None
    where one class is of one patient. `interval` says in words how `auroc_ci95` was made.
    """

    auroc: float
    auroc_ci95: tuple[float, float]
    auprc: float
    youden_cutoff: float
    sensitivity: float
    specificity: float
    n_normal: int
    n_abnormal: int
    n_patients: int | None = None
    sensitivity_at_90_specificity: float | None = None
    sensitivity_at_95_specificity: float | None = None
    auroc_standard_error: float | None = None
    auroc_ci95_delong: tuple[float, float] | None = None
    interval: str = ""


class Card(_Part):
    """Everything a bundle says of itself; stored as JSON in the safetensors header under `card`."""

    card_version: int = CARD_VERSION
    id: str
    title: str
    summary: str
    method: str
    architecture: dict[str, Any]
    input: InputSpec
    preprocessing: Preprocessing
    applicability: Applicability
    primary_score: str
    calibration: Calibration
    training: CohortSummary
    recipe: dict[str, Any] = Field(default_factory=dict)
    """epochs, seed, sizes, checkpoint rule in words, seconds, device and its name: what `trainers` did."""
    evaluation: dict[str, Metric] = Field(default_factory=dict)
    evaluation_note: str = ""
    paper: dict[str, str] = Field(default_factory=dict)
    """citation, doi, and the paper's own figures in words."""
    limits: tuple[str, ...] = ()
    """What the model is known to be bad at, in the radiologist's words."""
    licence: str = ""
    versions: dict[str, str] = Field(default_factory=dict)
    created: str = ""

    @model_validator(mode="after")
    def _ranks_by_a_calibrated_score(self) -> Self:
        if self.primary_score not in self.calibration.scores:
            raise ValueError(f"it ranks by {self.primary_score!r}, for which it has no calibration")
        return self
