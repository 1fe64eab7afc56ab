"""What the store hands out: plain frozen rows, one class a kind. Holds values only; never reads the database and never imports SQLAlchemy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from engine.imaging.series import Series

StudyStatus = Literal["queued", "scoring", "done", "failed", "not scored"]
ReadState = Literal["unread", "normal", "abnormal", "unsure", "outdated"]
NEEDS_READING: tuple[ReadState, ...] = ("unread", "outdated")
"""States of a study that nobody has read as it is now."""
Verdict = Literal["unread", "normal", "abnormal", "unsure"]
JobState = Literal["queued", "running", "done", "failed", "not scored"]
StudyScore = Literal["highest", "mean"]

SORTABLE = (
    "percentile",
    "status",
    "patient_id",
    "patient_name",
    "modality",
    "body_part",
    "view",
    "study_date",
    "description",
    "accession_number",
    "series_count",
    "score_name",
    "flagged",
    "read_state",
    "synthetic",
    "label",
    "error",
    "added_at",
)
"""Values of `order` that `Store.worklist` takes: every column of `WorklistRow` that a list shows."""


@dataclass(frozen=True)
class WorklistRow:
    """One study as the worklist shows it.

    Attributes:
        study_uid: DICOM StudyInstanceUID, or the UID that discovery derived.
        modality: distinct modalities of the series, sorted, joined by "/"; body_part, view: likewise.
        study_date: YYYY-MM-DD or "".  description: of the study, else of its first series.
        status: "scoring" or "queued" while any job is; then "failed" when any failed (the others' percentile is shown all the same,
            and `error` says that it is partial); then "done" when any series has a result, else "not scored".
        percentile: 0..100 share of the normal calibration cohort that scores lower; highest among the series, or the mean when
            asked; None when nothing is scored yet.
        score_name, bundle_id: which score of which model `percentile` is (of the most abnormal series).
        flagged: True when any series is above its model's cut-off.
        read_state: the latest reading's verdict; "outdated" when the study's images have changed since, or more have come.
        error: why the study, or one of its series, was not scored; "" when all is well.
        label: "normal", "abnormal" or "" from a cohort CSV.  added_at: seconds since 1970.
    """

    study_uid: str
    patient_id: str
    patient_name: str
    modality: str
    body_part: str
    view: str
    study_date: str
    description: str
    series_count: int
    status: StudyStatus
    percentile: float | None
    score_name: str
    flagged: bool
    read_state: ReadState
    synthetic: bool
    error: str
    bundle_id: str = ""
    accession_number: str = ""
    sex: str = ""
    age: str = ""
    label: str = ""
    added_at: float = 0.0


@dataclass(frozen=True)
class Job:
    """One series to be scored by one bundle, claimed by one worker.

    Attributes:
        attempts: times this job failed before.  crashes: engines that died while they had it.
        named: the user asked for this very model, so files without tags are scored too.
    """

    id: int
    series: Series
    bundle_hash: str
    bundle_id: str
    bundle_path: str
    priority: int
    attempts: int
    crashes: int
    named: bool
    worker: str


@dataclass(frozen=True)
class ScoreRow:
    """One score of one series: raw, and where it stands in the model's normal cohort (0..100)."""

    score: float
    percentile: float | None
    flagged: bool


@dataclass(frozen=True)
class ResultRow:
    """What one bundle says of one series, or why it says nothing.

    Attributes:
        state: of the job; `scores` is empty unless "done".
        current: False for a bundle that another one of the same id has replaced; it ranks the series only until that one has scored it.
        heatmap, reconstruction, neighbours, difference: paths below the store's array folder ("" when there is none), for `Store.arrays.open`. Shapes and
            units: `engine.scoring.result.SeriesResult`.
        error: why the job failed or the model does not apply, in words; "" otherwise.
    """

    series_key: str
    study_uid: str
    bundle_id: str
    bundle_hash: str
    state: JobState
    current: bool = True
    scores: Mapping[str, ScoreRow] = field(default_factory=dict)
    primary: str = ""
    posterior: float | None = None
    heatmap: str = ""
    reconstruction: str = ""
    neighbours: str = ""
    warnings: tuple[str, ...] = ()
    error: str = ""
    created_at: float = 0.0
    difference: str = ""

    @property
    def percentile(self) -> float | None:
        """Of the primary score; None when there is none."""
        score = self.scores.get(self.primary)
        return None if score is None else score.percentile


@dataclass(frozen=True)
class ReadingRow:
    """What a reader said of a study, and what the worklist showed then. Never changed: a later reading follows it."""

    study_uid: str
    verdict: Verdict
    note: str
    reader: str
    read_at: float
    percentile: float | None = None
    score_name: str = ""
    bundle_id: str = ""


@dataclass(frozen=True)
class QueueCounts:
    """Jobs by state."""

    queued: int = 0
    running: int = 0
    done: int = 0
    failed: int = 0
    not_scored: int = 0

    @property
    def waiting(self) -> int:
        """Jobs that are not finished."""
        return self.queued + self.running
