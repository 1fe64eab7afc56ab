"""From images to studies: a study's score is the highest percentile among its images (or their mean). Reads no pixels, scores nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from engine.models.card import Metric
from trainers.groups import Facts
from trainers.judging import FEWEST_SCORED, Evaluation
from trainers.metrics import measured

StudyRule = Literal["max", "mean"]
STUDY_COLUMNS = ("study_id", "study_uid", "study")
"""Columns of a cohort's CSV that name an image's study, where the files have no study UID."""


@dataclass(frozen=True, eq=False)
class Studies:
    """Metrics of every score, a study each, abnormal when any of its images is."""

    rule: StudyRule
    metrics: dict[str, Metric]
    n_with_several: int

    def to_json(self) -> dict[str, Any]:
        """As studies.json has it."""
        which = "the highest percentile" if self.rule == "max" else "the mean percentile"
        note = (
            f"A study's score is {which} among its images; cut-offs are percentiles. {self.n_with_several} studies have several images. "
            "Percentiles are no finer than the calibration cohort is large, so that ties lower these figures a little."
        )
        scores = {name: metric.model_dump() for name, metric in self.metrics.items()}
        return {"rule": self.rule, "note": note, "scores": scores}


def by_study(evaluation: Evaluation, facts: Sequence[Facts], rule: StudyRule) -> Studies | None:
    """The studies' metrics; None where no study has several images, or too few are of either class."""
    members: dict[str, list[int]] = {}
    for index, (result, fact) in enumerate(zip(evaluation.results, facts, strict=True)):
        named = next((fact[column] for column in STUDY_COLUMNS if column in fact), "")
        # a site numbers its studies anew for each patient
        key = f"{evaluation.patients[index]} {named}" if named else result.series.study_uid
        members.setdefault(key, []).append(index)
    studies = list(members.values())
    several = sum(len(images) > 1 for images in studies)
    abnormal = [any(evaluation.abnormal[i] for i in images) for images in studies]
    if not several or min(sum(abnormal), len(abnormal) - sum(abnormal)) < FEWEST_SCORED:
        return None
    patients = [evaluation.patients[images[0]] for images in studies]
    reduce = np.max if rule == "max" else np.mean
    metrics = {}
    for name in evaluation.metrics:
        places = [[evaluation.results[i].scores[name].percentile for i in images] for images in studies]
        metrics[name], _ = measured([float(reduce(place)) for place in places], abnormal, patients)
    return Studies(rule, metrics, several)
