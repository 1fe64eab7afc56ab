"""How a cohort is shared out over a model's split and over body parts, in units that are normal, abnormal or mixed (SALAD, figures 4 and 7). Counts only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from engine.imaging.terms import region_of
from engine.models.card import Card, SplitBy
from trainers.cohort import Cohort
from trainers.judging import names_nobody


@dataclass(frozen=True)
class Row:
    """One part of the split, or one body part.

    Attributes:
        normal, mixed, abnormal: units found here: with normal images alone, with both kinds, with abnormal ones alone.
        elsewhere: units that the card names and that are not here.
        images: of the units found here.
    """

    name: str
    normal: int
    mixed: int
    abnormal: int
    elsewhere: int
    images: int

    @property
    def here(self) -> int:
        """All units found here."""
        return self.normal + self.mixed + self.abnormal


@dataclass(frozen=True)
class Repartition:
    """What `report.split_picture` draws.

    Attributes:
        named: the card names its units; else who of them is here cannot be told.
        parts: none where fewer than two body parts are stated.
    """

    split_by: SplitBy
    named: bool
    split: tuple[Row, ...]
    judged: Row
    parts: tuple[Row, ...]


def repartition(card: Card, cohort: Cohort, judged: Cohort) -> Repartition:
    """Where the units of a labelled cohort are in a card's split, and those of it that were judged.

    Args:
        cohort: every labelled image that was given, those that the model has learned from among them.
    """
    by = card.training.split_by
    units = cohort.units(by)
    rows = tuple(_row(name, cohort, units, who) for name, who in card.training.split.items())
    regions = [region_of(one.body_part) for one in cohort.series]
    parts = []
    for part in sorted(set(regions) - {""}):
        shown = Cohort(
            cohort.path, tuple(s for s, region in zip(cohort.series, regions, strict=True) if region == part)
        )
        # all of one body part: a patient is a body part of a patient here
        parts.append(_row(part.replace("_", " ").lower(), shown, shown.patients, shown.patients))
    ours = judged.units(by)
    named = not names_nobody(card)
    return Repartition(by, named, rows, _row("judged here", judged, ours, ours), tuple(parts) if len(parts) > 1 else ())


def _row(name: str, cohort: Cohort, units: Sequence[str], who: Iterable[str]) -> Row:
    """Of the units `who`; `units` are those of the cohort's series."""
    members = set(who)
    labels: dict[str, set[str]] = {}
    images = 0
    for series, unit in zip(cohort.series, units, strict=True):
        if unit in members:
            labels.setdefault(unit, set()).add(series.label)
            images += 1
    kinds = [("abnormal" in found, "normal" in found) for found in labels.values()]
    return Row(
        name,
        normal=sum(not ill for ill, _ in kinds),
        mixed=sum(ill and well for ill, well in kinds),
        abnormal=sum(ill and not well for ill, well in kinds),
        elsewhere=len(members - labels.keys()),
        images=images,
    )
