"""Prepares the images that a run learns from, its normals and its mixture, and those that tell its best epoch. Trains nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from engine.errors import CohortRejected, NormascopeError, first_reason
from engine.models.card import Preprocessing
from trainers.cohort import Cohort, prepare_cohort
from trainers.copies import copies_within, units_with_copies
from trainers.method import Bytes, Patients, TrainingImages
from trainers.split import Split

FEWEST_TRAINING = 5
SAID_PARTS = 20
"""Preparing a part of the cohort is reported in so many steps."""


def training_images(
    cohort: Cohort,
    split: Split,
    views: Sequence[Preprocessing],
    size: tuple[int, ...],
    folder: Path,
    say: Callable[[str], None],
    *,
    abnormal: Sequence[int] = (),
) -> tuple[TrainingImages, tuple[NormascopeError, ...], frozenset[int]]:
    """Every part of the cohort that a weight or the choice of an epoch sees, why the others could not be read, and which of the cohort these are.

    Args:
        views: what images are prepared with; the first is scoring's, and the only one of images that no weight learns from.
        folder: keeps what is prepared, for a run that is resumed.
        say: told in words how far it is.
        abnormal: images of the cohort that tell the best epoch beside the held-out normals; see `draw.watched_abnormals`.

    Raises:
        CohortRejected: too few normals could be read.
    """
    preparation = _Preparation(cohort, size, folder, say)
    normal, normal_patients = preparation.part("images", split.train, views)
    if normal is None or len(normal) < FEWEST_TRAINING:
        raise CohortRejected(
            f"only {0 if normal is None else len(normal)} training images could be read{first_reason(preparation.failures)}",
            where=cohort.path,
            cure="Check the files.",
        )
    mixture, mixture_patients = preparation.part("unlabelled images", split.mixture, views)
    held, _ = preparation.part("images to stop by", split.stopping, views[:1])
    held_abnormal, _ = preparation.part("abnormal images to stop by", abnormal, views[:1])
    images = TrainingImages(normal, mixture, held, normal_patients, mixture_patients, held_abnormal)
    return images, tuple(preparation.failures), frozenset(preparation.unread)


@dataclass
class _Preparation:
    """What every part of a cohort is prepared with; `failures` and `unread`, the images that they are of, grow with each."""

    cohort: Cohort
    size: tuple[int, ...]
    folder: Path
    say: Callable[[str], None]
    failures: list[NormascopeError] = field(default_factory=list)
    unread: set[int] = field(default_factory=set)

    def part(
        self, what: str, indices: Sequence[int], views: Sequence[Preprocessing]
    ) -> tuple[Bytes | None, Patients | None]:
        """[N, *S], the first view's images first, and the number of each image's patient; None for a part without images."""
        if not indices:
            return None, None
        said: set[int] = set()
        series = [self.cohort.series[index] for index in indices]
        images: list[Bytes] = []
        patients = self.cohort.patients
        # copies in two folds would be learned from in one and judged by in the other
        whose = units_with_copies([patients[index] for index in indices], copies_within(series))
        owners: list[str] = []
        for number, view in enumerate(views):

            def on_share(share: float, number: int = number) -> None:
                share = (number + share) / len(views)
                if (step := int(share * SAID_PARTS)) not in said:
                    said.add(step)
                    self.say(f"preparing {what}, {share:.0%}")

            found = prepare_cohort(series, view, self.size, self.folder, on_share)
            if number == 0:
                self.failures.extend(found.failures)  # a file that cannot be read fails in every view
                self.unread |= set(indices) - {indices[place] for place in found.kept}
            images.append(found.images)
            owners += [whose[place] for place in found.kept]
        prepared = images[0] if len(images) == 1 else np.concatenate(images)
        return prepared, np.unique(owners, return_inverse=True)[1].astype(np.int64)
