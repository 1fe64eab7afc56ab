"""Divides a cohort by patient, or by body part of a patient; never by image, so that none of these is on both sides. Reads no files.

A *unit* is what stays together: all images of a patient, or all that show one body part of them (SALAD, section 3).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence, Set
from dataclasses import dataclass, fields

import numpy as np

FEWEST_CALIBRATION = 5
"""Images at least, and units where a cohort is so small that its share would be fewer; of fewer units than that are left, all but one."""


@dataclass(frozen=True)
class Split:
    """Indices into the cohort.

    Attributes:
        train: normals that the network learns from.
        calibration: normals it never learns from: percentiles and heatmap tables are made on them.
        validation: normals of which only the final report is made, and all images of units with an abnormal one, less the next.
        selection: abnormal units' images for watching a run and choosing among runs, beside the calibration normals; never reported on.
        mixture: images learned from without their labels, of normal and abnormal units in no other part.
        stopping: normals that tell a run's best epoch.
        unused: of units kept apart for the mixture, and not drawn: in no other part, so that no choice of a rate changes who validates.
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

    def who(self, units: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """The units in each part, sorted: frozen in the card. One whose images were drawn for the mixture in part only is in the mixture, and not unused."""
        drawn = {units[i] for i in self.mixture}
        parts = {part.name: {units[i] for i in getattr(self, part.name)} for part in fields(self)}
        parts["unused"] -= drawn
        return {name: tuple(sorted(who)) for name, who in parts.items() if who}


@dataclass(frozen=True)
class Shares:
    """How units are shared out.

    Attributes:
        train, calibration: of the normal units; the rest are for validation.
        selection: of the abnormal units.
        mixture_normals: of the training units, whose images join the mixture instead.
        mixture_abnormals: of the abnormal units, set apart for the mixture.
        mixture_rate: share of the mixture's images that are of abnormal units; None takes all that were set apart.
        stopping: of the training units that are left.
    """

    train: float = 0.7
    calibration: float = 0.12
    selection: float = 0.0
    mixture_normals: float = 0.0
    mixture_abnormals: float = 0.0
    mixture_rate: float | None = None
    stopping: float = 0.0


def split_by_unit(units: Sequence[str], abnormal: Sequence[bool], *, seed: int, shares: Shares | None = None) -> Split:
    """Random shares of units, the same for the same seed whatever the order of the images.

    The validation units depend on the seed, `train`, `calibration`, `selection` and `mixture_abnormals` alone, so that models with other
    choices are judged on the same people.

    Args:
        units: of each image.
        abnormal: of each image. A unit with any abnormal image is an abnormal one, with all its images: never learned from as a normal.
    """
    shares = shares or Shares()
    positive = {unit for unit, is_abnormal in zip(units, abnormal, strict=True) if is_abnormal}
    generator = np.random.default_rng(seed)
    normals = _shuffled(set(units) - positive, generator)
    positives = _shuffled(positive, generator)
    members_of = Counter(units)
    first, second = _bounds([members_of[unit] for unit in normals], shares)
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
    for index, unit in enumerate(units):
        members[part.get(unit, "validation")].append(index)
    drawn, left = _at_rate(
        members["mixture"], members.pop("abnormal mixture"), shares.mixture_rate, normals + positives, units
    )
    members["mixture"], members["unused"] = sorted(drawn), sorted(left)
    return Split(**{name: tuple(indices) for name, indices in members.items()})


def _bounds(images: Sequence[int], shares: Shares) -> tuple[int, int]:
    """How many normal units come before calibration, and how many before validation.

    A small cohort calibrates on `FEWEST_CALIBRATION` units at the cost of validation, as long as somebody is left to validate; and on so many
    images, and one unit, at the cost of all validation and then of training.

    Args:
        images: how many there are of each normal unit, in the units' random order.
    """
    count = len(images)
    first = min(round(shares.train * count), max(count - 1, 1))
    second = round((shares.train + shares.calibration) * count)
    second = max(second, min(first + FEWEST_CALIBRATION, count - 1))
    while second < count and sum(images[first:second]) < FEWEST_CALIBRATION:
        second += 1
    while first > 1 and sum(images[first:second]) < FEWEST_CALIBRATION:
        first -= 1
    return first, second


def _at_rate(
    normal: list[int], abnormal: list[int], rate: float | None, order: list[str], units: Sequence[str]
) -> tuple[list[int], list[int]]:
    """Images of the mixture, and those left out, so that `rate` of them are of abnormal units: the larger side is cut, in the units' random order."""
    if rate is None or not abnormal:
        return normal + abnormal, []
    place = {unit: index for index, unit in enumerate(order)}
    normal, abnormal = (sorted(side, key=lambda i: (place[units[i]], i)) for side in (normal, abnormal))
    if rate >= 1:
        return abnormal, normal
    wanted = round(len(normal) * rate / (1 - rate))
    if wanted <= len(abnormal):
        return normal + abnormal[:wanted], abnormal[wanted:]
    kept = round(len(abnormal) * (1 - rate) / rate)
    return normal[:kept] + abnormal, normal[kept:]


def _shuffled(units: set[str], generator: np.random.Generator) -> list[str]:
    ordered = sorted(units)
    return [ordered[i] for i in generator.permutation(len(ordered))]
