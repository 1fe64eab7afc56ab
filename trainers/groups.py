"""How well a score does for each finding, and within each view, sex and age. Reads what a cohort's CSV says of an image; scores nothing.

A finding: the abnormal images that have it against ALL normals. A group: its abnormal against its own normal images.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.imaging.cohort_csv import read_cohort_csv
from engine.imaging.series import Series
from engine.imaging.terms import age_in_years, region_of
from engine.models.card import Metric
from trainers.metrics import measured, resampled_patients

FINDINGS = ("findings", "finding", "rsna_class", "cause", "grade", "lesions")
"""Columns whose cells name what an abnormal image shows; several are separated by "|"."""
GROUPS = ("view", "sex", "age", "body_part")
FEWEST = 5
"""Images of each class, below which a part has no figure."""
_AGES = ((1, "under 1"), (6, "1 to 5"), (18, "6 to 17"), (40, "18 to 39"), (60, "40 to 59"), (75, "60 to 74"))
_OLDEST = "75 and over"

Facts = Mapping[str, str]


@dataclass(frozen=True, eq=False)
class Part:
    """One finding or group: `column` and `value` name it, `images` are indices into the evaluated ones."""

    column: str
    value: str
    images: npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Groups:
    """Metrics by score, column and value; and the parts that are too small for any."""

    metrics: dict[str, dict[str, dict[str, Metric]]]
    left_out: tuple[dict[str, Any], ...]

    def to_json(self) -> dict[str, Any]:
        """As groups.json has it."""
        scores = {
            score: {
                column: {value: metric.model_dump() for value, metric in values.items()}
                for column, values in columns.items()
            }
            for score, columns in self.metrics.items()
        }
        note = (
            f"{', '.join(FINDINGS)}: abnormal images with that finding against all normals. {', '.join(GROUPS)}: within the group. "
            f"Parts with under {FEWEST} images of either class are left out. Many parts are looked at: one in twenty intervals misses by chance."
        )
        return {"note": note, "scores": scores, "left_out": list(self.left_out)}


def facts_of(series: Sequence[Series], *tables: str | Path) -> list[Facts]:
    """What the CSVs among `tables` say of each series beside its label, by column; view, sex, age and body part as the series has them, where it does."""
    rows = {
        row.path: row.others
        for table in tables
        if Path(table).suffix.lower() == ".csv"
        for row in read_cohort_csv(table)
    }
    found: list[Facts] = []
    for one in series:
        # a row may name the file, or a folder above it
        places = (one.sources[0], *map(str, Path(one.sources[0]).parents))
        stated = next((rows[place] for place in places if place in rows), {})
        tags = {"view": one.view, "sex": one.sex, "age": one.age, "body_part": one.body_part}
        found.append(dict(stated) | {name: value for name, value in tags.items() if value})
    return found


def grouped(
    scores: Mapping[str, Sequence[float]], abnormal: Sequence[bool], patients: Sequence[str], facts: Sequence[Facts]
) -> Groups:
    """Every score's metrics for each finding and group with enough images.

    Args:
        scores: of each image, by score name.
        abnormal, patients, facts: of each image.
    """
    truth = np.asarray(abnormal, bool)
    metrics: dict[str, dict[str, dict[str, Metric]]] = {name: {} for name in scores}
    left_out = []
    for part in _parts(truth, facts):
        positive = int(truth[part.images].sum())
        negative = len(part.images) - positive
        if min(positive, negative) < FEWEST:
            left_out.append({"column": part.column, "value": part.value, "n_normal": negative, "n_abnormal": positive})
            continue
        owners = [patients[index] for index in part.images]
        own = truth[part.images]
        drawn = list(resampled_patients(own, owners))
        for name, values in scores.items():
            chosen = np.asarray(values)[part.images]
            metric, _ = measured(chosen.tolist(), own.tolist(), owners, drawn=drawn)
            metrics[name].setdefault(part.column, {})[part.value] = metric
    return Groups(metrics, tuple(left_out))


def age_band(age: str) -> str:
    """The band of a DICOM Age String or a number of years; "" when it is neither."""
    years = age_in_years(age)
    if years is None:
        try:
            years = float(age)
        except ValueError:
            return ""
    return next((name for limit, name in _AGES if 0 <= years < limit), _OLDEST if years >= 0 else "")


def _parts(truth: npt.NDArray[np.bool_], facts: Sequence[Facts]) -> Iterator[Part]:
    normals = np.flatnonzero(~truth)
    for column in FINDINGS:
        members: dict[str, list[int]] = {}
        for index in np.flatnonzero(truth).tolist():
            for value in dict.fromkeys(facts[index].get(column, "").split("|")):
                if value.strip():
                    members.setdefault(value.strip(), []).append(index)
        for value in sorted(members):
            yield Part(column, value, np.concatenate([normals, members[value]]))
    for column in GROUPS:
        values = [_group(column, fact) for fact in facts]
        found = sorted(set(values) - {""}, key=_band_order)
        if len(found) > 1:  # one group alone is everybody
            for value in found:
                yield Part(column, value, np.flatnonzero([each == value for each in values]))


def _group(column: str, fact: Facts) -> str:
    value = fact.get(column, "").strip()
    if column == "body_part":
        return region_of(value)
    return age_band(value) if column == "age" else value.upper()


def _band_order(value: str) -> tuple[int, str]:
    names = [name for _, name in _AGES] + [_OLDEST]
    return (names.index(value) if value in names else 0, value)
