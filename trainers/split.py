"""Divides a cohort by patient, never by image, so that no patient is on both sides. Reads no files."""

from __future__ import annotations

from collections.abc import Sequence, Set
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
        mixture: images learned from without their labels, of normal and abnormal patients in no other part.
        stopping: normals that early stopping watches.
        unused: of patients kept apart for the mixture, and not drawn: in no other part, so that no choice of a rate changes who validates.
    """

    train: tuple[int, ...]
    calibration: tuple[int, ...]
    validation: tuple[int, ...]
    selection: tuple[int, ...] = ()
    mixture: tuple[int, ...] = ()
    stopping: tuple[int, ...] = ()
    unused: tuple[int, ...] = ()

    def without(self, indices: Set[int]) -> Split:
        """Less these images, which turned out to be unreadable."""
        kept = {part.name: tuple(i for i in getattr(self, part.name) if i not in indices) for part in fields(self)}
        return Split(**kept)

    def patients(self, patient_ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Who is in each part, sorted: frozen in the card. Whose images were drawn for the mixture in part only is in the mixture, and not unused."""
        drawn = {patient_ids[i] for i in self.mixture}
        parts = {part.name: {patient_ids[i] for i in getattr(self, part.name)} for part in fields(self)}
        parts["unused"] -= drawn
        return {name: tuple(sorted(who)) for name, who in parts.items() if who}


@dataclass(frozen=True)
class Shares:
    """How patients are shared out.

    Attributes:
        train, calibration: of the normal patients; the rest are for validation.
        selection: of the abnormal patients.
        mixture_normals: of the training patients, whose images join the mixture instead.
        mixture_abnormals: of the abnormal patients, set apart for the mixture.
        mixture_rate: share of the mixture's images that are of abnormal patients; None takes all that were set apart.
        stopping: of the training patients that are left.
    """

    train: float = 0.7
    calibration: float = 0.12
    selection: float = 0.0
    mixture_normals: float = 0.0
    mixture_abnormals: float = 0.0
    mixture_rate: float | None = None
    stopping: float = 0.0


def split_by_patient(
    patient_ids: Sequence[str], abnormal: Sequence[bool], *, seed: int, shares: Shares | None = None
) -> Split:
    """Random shares of patients, the same for the same seed whatever the order of the images.

    The validation patients depend on the seed, `train`, `calibration`, `selection` and `mixture_abnormals` alone, so that models with other
    choices are judged on the same people.

    Args:
        patient_ids: of each image.
        abnormal: of each image. A patient with any abnormal image is an abnormal patient, with all images: never learned from as a normal.
    """
    shares = shares or Shares()
    positive = {p for p, is_abnormal in zip(patient_ids, abnormal, strict=True) if is_abnormal}
    generator = np.random.default_rng(seed)
    normals = _shuffled(set(patient_ids) - positive, generator)
    positives = _shuffled(positive, generator)
    first, second = round(shares.train * len(normals)), round((shares.train + shares.calibration) * len(normals))
    unlabelled = round(shares.mixture_normals * first)
    watched = unlabelled + round(shares.stopping * (first - unlabelled))
    third = round(shares.selection * len(positives))
    fourth = third + round(shares.mixture_abnormals * len(positives))
    part = dict.fromkeys(normals[:unlabelled], "mixture")
    part |= dict.fromkeys(normals[unlabelled:watched], "stopping")
    part |= dict.fromkeys(normals[watched:first], "train")
    part |= dict.fromkeys(normals[first:second], "calibration")
    part |= dict.fromkeys(positives[:third], "selection")
    part |= dict.fromkeys(positives[third:fourth], "abnormal mixture")
    members: dict[str, list[int]] = {name: [] for name in (*(item.name for item in fields(Split)), "abnormal mixture")}
    for index, patient in enumerate(patient_ids):
        members[part.get(patient, "validation")].append(index)
    drawn, left = _at_rate(
        members["mixture"], members.pop("abnormal mixture"), shares.mixture_rate, normals + positives, patient_ids
    )
    members["mixture"], members["unused"] = sorted(drawn), sorted(left)
    return Split(**{name: tuple(indices) for name, indices in members.items()})


def _at_rate(
    normal: list[int], abnormal: list[int], rate: float | None, order: list[str], patient_ids: Sequence[str]
) -> tuple[list[int], list[int]]:
    """Images of the mixture, and those left out, so that `rate` of them are of abnormal patients: the larger side is cut, in the patients' random order."""
    if rate is None or not abnormal:
        return normal + abnormal, []
    place = {patient: index for index, patient in enumerate(order)}
    normal, abnormal = (sorted(side, key=lambda i: (place[patient_ids[i]], i)) for side in (normal, abnormal))
    if rate >= 1:
        return abnormal, normal
    wanted = round(len(normal) * rate / (1 - rate))
    if wanted <= len(abnormal):
        return normal + abnormal[:wanted], abnormal[wanted:]
    kept = round(len(abnormal) * (1 - rate) / rate)
    return normal[:kept] + abnormal, normal[kept:]


def _shuffled(patients: set[str], generator: np.random.Generator) -> list[str]:
    ordered = sorted(patients)
    return [ordered[i] for i in generator.permutation(len(ordered))]
