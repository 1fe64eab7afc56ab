"""Divides a cohort by patient, never by image, so that no patient is on both sides. Reads no files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np


@dataclass(frozen=True)
class Split:
    """Indices into the cohort.

    Attributes:
        train: normals that the network learns from.
        calibration: normals it never learns from: percentiles and heatmap tables are made on them.
        validation: normals of which only the final report is made, and all images of patients with an abnormal one, less the next.
        selection: abnormal patients' images for watching a run and choosing among runs, beside the calibration normals; never reported on.
    """

    train: tuple[int, ...]
    calibration: tuple[int, ...]
    validation: tuple[int, ...]
    selection: tuple[int, ...] = ()

    def patients(self, patient_ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Who is in each part, sorted: frozen in the card."""
        return {
            part.name: tuple(sorted({patient_ids[i] for i in getattr(self, part.name)}))
            for part in fields(self)
            if getattr(self, part.name)
        }


def split_by_patient(
    patient_ids: Sequence[str],
    abnormal: Sequence[bool],
    *,
    seed: int,
    train: float = 0.7,
    calibration: float = 0.12,
    selection: float = 0.0,
) -> Split:
    """Random shares of patients, the same for the same seed whatever the order of the images.

    Args:
        patient_ids: of each image.
        abnormal: of each image. A patient with any abnormal image is an abnormal patient, with all images: never learned from.
        train, calibration: shares of the normal patients; the rest are for validation.
        selection: share of the abnormal patients kept for selection.
    """
    positive = {p for p, is_abnormal in zip(patient_ids, abnormal, strict=True) if is_abnormal}
    generator = np.random.default_rng(seed)
    normals = _shuffled(set(patient_ids) - positive, generator)
    positives = _shuffled(positive, generator)
    first, second = round(train * len(normals)), round((train + calibration) * len(normals))
    third = round(selection * len(positives))
    part = dict.fromkeys(normals[:first], "train")
    part |= dict.fromkeys(normals[first:second], "calibration")
    part |= dict.fromkeys(positives[:third], "selection")
    members: dict[str, list[int]] = {"train": [], "calibration": [], "validation": [], "selection": []}
    for index, patient in enumerate(patient_ids):
        members[part.get(patient, "validation")].append(index)
    return Split(**{name: tuple(indices) for name, indices in members.items()})


def _shuffled(patients: set[str], generator: np.random.Generator) -> list[str]:
    ordered = sorted(patients)
    return [ordered[i] for i in generator.permutation(len(ordered))]
