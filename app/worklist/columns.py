"""The worklist's columns: heading, the store's name to sort by, width, and what each shows of a study. Text only; knows no widget."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from app.results.wording import ordinal, person_name, score_title, shown_percentile
from engine.store.rows import WorklistRow


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        name: one of `engine.store.rows.SORTABLE`.
        needed: the table's width below which the column gives its room to the patient's name.
        width: in pixels at first; the reader's own width is kept in the settings.
        descending_first: what the first click on the heading does.
        text, tip: of a study.
    """

    name: str
    heading: str
    width: int
    descending_first: bool
    text: Callable[[WorklistRow], str]
    tip: Callable[[WorklistRow], str]
    needed: int = 0


STATUS_WORDS = {
    "queued": "queued",
    "scoring": "scoring…",
    "done": "scored",
    "failed": "failed",
    "not scored": "not scored",
}


def status_tip(row: WorklistRow) -> str:
    """What became of the scoring, and why when it failed."""
    words = {
        "queued": "Waiting to be scored",
        "scoring": "Being scored now",
        "done": "Scored",
        "failed": "Could not be scored",
        "not scored": "No installed model applies",
    }[row.status]
    return f"{words}: {row.error}" if row.error else words


def score_tip(row: WorklistRow) -> str:
    """The number with what it is compared to."""
    if row.percentile is None:
        return status_tip(row)
    place = f"{ordinal(shown_percentile(row.percentile))} percentile of"
    if row.percentile >= 100 or row.percentile <= 0:
        place = "Higher than all of" if row.percentile > 0 else "Lower than all of"
    flag = "over the cut-off" if row.flagged else "below the cut-off"
    return f"{place} the model's normal cohort, {flag}\n{score_title(row.score_name)} · {row.bundle_id}"


def patient_text(row: WorklistRow) -> str:
    """The name, else the identifier, else the study's description."""
    return person_name(row.patient_name) or row.patient_id or row.description or "Unnamed"


def patient_tip(row: WorklistRow) -> str:
    """Everything that tells this patient from another."""
    parts = [person_name(row.patient_name), row.patient_id, row.sex, row.age, row.description, row.accession_number]
    return "\n".join(part for part in (*parts, "Synthetic phantom, not a patient" if row.synthetic else "") if part)


def read_text(row: WorklistRow) -> str:
    """The verdict; nothing while unread."""
    return "" if row.read_state == "unread" else row.read_state.capitalize()


def read_tip(row: WorklistRow) -> str:
    """What the verdict means."""
    if row.read_state == "outdated":
        return "Read before its images changed, or before more of them came: read it again"
    return f"Read as {row.read_state}" if read_text(row) else "Unread"


COLUMNS: tuple[Column, ...] = (
    Column("status", "", 24, False, lambda row: "", status_tip),
    Column("percentile", "Percentile", 96, True, lambda row: STATUS_WORDS[row.status], score_tip),
    Column("patient_name", "Patient", 128, False, patient_text, patient_tip),
    Column("modality", "Mod", 36, False, lambda row: row.modality, lambda row: row.modality),
    Column(
        "body_part",
        "Part",
        50,
        False,
        lambda row: row.body_part.capitalize(),
        lambda row: f"{row.body_part} {row.view}",
        needed=400,
    ),
    Column("study_date", "Date", 74, True, lambda row: row.study_date, lambda row: row.study_date, needed=420),
    Column(
        "read_state",
        "Read",
        62,
        False,
        read_text,
        read_tip,
    ),
)
