"""The demonstration cohort: chests, hands and heads as DICOM, a share of them with lesions, and a CSV that says which.

Layout of the folder:

    cohort.csv                       path, patient_id, label, kind, lesions, size_mm, side, mask (paths relative to the CSV)
    chest/PHANTOM-CHEST-000000.dcm   one file a radiograph; hand/ alike
    head/PHANTOM-HEAD-000000/        one file a slice
    masks/PHANTOM-CHEST-000000.npy   bool, the image's shape, for each study with a lesion
    cohort.json                      what was asked for, and the size of each finished file

A second call makes only what is missing, of another size than written, or of another recipe. Never deletes what it did not make.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.phantoms import chest as chest_radiograph
from engine.phantoms import hand as hand_radiograph
from engine.phantoms import head as head_ct
from engine.phantoms.dicom import Identity, write_ct_series, write_radiograph
from engine.phantoms.phantom import LESION_KINDS, LesionKind, LesionRequest, Phantom, PhantomKind
from engine.phantoms.whole_file import write_whole

RECIPE = 1  # raise when the same seed gives other images: older cohorts are then made anew
COLUMNS = ("path", "patient_id", "label", "kind", "lesions", "size_mm", "side", "mask")
OnStudy = Callable[[int, int, str], None]


@dataclass(frozen=True)
class PlannedStudy:
    """One study of a cohort before it is rendered."""

    kind: PhantomKind
    seed: int
    lesion: LesionKind | None


def planned_studies(seed: int, counts: dict[PhantomKind, int], lesion_share: float) -> tuple[PlannedStudy, ...]:
    """Which studies a cohort has: for each kind `lesion_share` of them with a lesion, spread evenly, the lesion kinds in turn.

    Raises:
        ValueError: a negative count, or a share outside [0, 1].
    """
    if not 0 <= lesion_share <= 1 or min(counts.values(), default=0) < 0:
        raise ValueError("counts must not be negative, and the share of lesions lies between 0 and 1")
    studies = []
    for kind, count in counts.items():
        ill = 0
        for index in range(count):
            has_lesion = int((index + 1) * lesion_share + 1e-9) > ill
            lesion = LESION_KINDS[kind][ill % len(LESION_KINDS[kind])] if has_lesion else None
            ill += has_lesion
            studies.append(PlannedStudy(kind, seed * 1000 + index, lesion))
    return tuple(studies)


def rendered(study: PlannedStudy) -> Phantom:
    """The phantom of a planned study."""
    request = None if study.lesion is None else LesionRequest(study.lesion)
    if study.kind == "chest":
        return chest_radiograph.render(study.seed, request)
    if study.kind == "hand":
        return hand_radiograph.render(study.seed, request)
    return head_ct.render(study.seed, request)


def make_cohort(
    folder: str | Path,
    seed: int = 0,
    *,
    chest: int = 24,
    hands: int = 12,
    heads: int = 6,
    lesion_share: float = 1 / 3,
    on_study: OnStudy | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Path:
    """Make, complete or reuse a cohort; the path of its `cohort.csv`.

    Args:
        folder: made when absent.
        seed: another seed is another set of patients. Patients 1000 seeds apart never repeat.
        on_study: called with (studies done, studies in all, patient) after each study, reused ones included.
        cancelled: asked before each study; True stops. What is finished stays, and the CSV is written by the call that completes the cohort.

    Raises:
        ValueError: a negative count, or a share outside [0, 1].
        StorageUnavailable: the folder cannot be written or the disk is full.
    """
    place = Path(folder)
    studies = planned_studies(seed, {"chest": chest, "hand": hands, "head": heads}, lesion_share)
    ledger = _Ledger.opened(place)
    rows = []
    for done, study in enumerate(studies, start=1):
        if cancelled is not None and cancelled():
            return place / "cohort.csv"
        row = ledger.finished(study)
        if row is None:
            row = _made(place, study, done)
            ledger.note(study, row)
        rows.append(row)
        if on_study is not None:
            on_study(done, len(studies), row["patient_id"])
    table = io.StringIO(newline="")
    writer = csv.DictWriter(table, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: row[name] for name in COLUMNS} for row in rows)
    write_whole(place / "cohort.csv", table.getvalue().encode())
    return place / "cohort.csv"


def _made(place: Path, study: PlannedStudy, number: int) -> dict[str, Any]:
    """Render and write one study; its CSV row, with `files` for the ledger."""
    phantom = rendered(study)
    identity = Identity.of(phantom)
    name = identity.patient_id
    if study.kind == "head":
        path = f"head/{name}"
        files = write_ct_series(phantom, place / path)
    else:
        path = f"{study.kind}/{name}.dcm"
        # what a department's archive holds: some plates read as CR, some stored with the lowest value white
        plate = study.kind == "hand" or number % 4 == 0
        files = (
            write_radiograph(phantom, place / path, modality="CR" if plate else "DX", minimum_is_white=number % 5 == 0),
        )
    mask = ""
    if phantom.lesions:
        mask = f"masks/{name}.npy"
        stream = io.BytesIO()
        np.save(stream, np.logical_or.reduce([lesion.mask for lesion in phantom.lesions]))
        write_whole(place / mask, stream.getvalue())
        files = (*files, place / mask)
    return {
        "path": path,
        "patient_id": name,
        "label": phantom.label,
        "kind": study.kind,
        "lesions": " ".join(lesion.kind for lesion in phantom.lesions),
        "size_mm": " ".join(f"{lesion.size_mm:.1f}" for lesion in phantom.lesions),
        "side": " ".join(lesion.side for lesion in phantom.lesions),
        "mask": mask,
        "files": {file.relative_to(place).as_posix(): file.stat().st_size for file in files},
    }


@dataclass(eq=False)
class _Ledger:
    """`cohort.json`: the rows of finished studies with the size of each of their files, so that half-written ones are found."""

    place: Path
    rows: dict[str, dict[str, Any]]

    @classmethod
    def opened(cls, place: Path) -> _Ledger:
        try:
            kept = json.loads((place / "cohort.json").read_text())
            rows = kept["studies"] if kept["recipe"] == RECIPE else {}
        except (OSError, ValueError, KeyError, TypeError):
            rows = {}  # absent, cut short or not ours: everything is made anew
        return cls(place, rows if isinstance(rows, dict) else {})

    def finished(self, study: PlannedStudy) -> dict[str, Any] | None:
        row = self.rows.get(_key(study))
        if not isinstance(row, dict) or set(COLUMNS) - row.keys() or not isinstance(row.get("files"), dict):
            return None
        for name, size in row["files"].items():
            try:
                if (self.place / name).stat().st_size != size:
                    return None
            except OSError:
                return None
        return row

    def note(self, study: PlannedStudy, row: dict[str, Any]) -> None:
        # the same patient with another lesion has the same files, of the same size
        own = _key(study)
        self.rows = {key: other for key, other in self.rows.items() if key == own or other.get("path") != row["path"]}
        self.rows[own] = row
        text = json.dumps({"recipe": RECIPE, "studies": self.rows}, indent=1)
        write_whole(self.place / "cohort.json", text.encode())


def _key(study: PlannedStudy) -> str:
    return f"{study.kind} {study.seed} {study.lesion or 'normal'}"
