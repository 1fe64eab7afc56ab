"""Scores labelled images with a bundle, or several together, and measures every score. Never trains, never changes a bundle, writes no file.

An image is what is judged; patients are what intervals are drawn over. Scores come from the same scorers that read for radiologists, so that
what is measured is what is shown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from engine.errors import CohortRejected
from engine.imaging.series import Series
from engine.models.bundle import Bundle, load_bundle
from engine.models.card import Card, Metric
from engine.models.shelf import find
from engine.scoring.ensemble import ENSEMBLE, EnsembleScorer, find_ensemble, is_ensemble
from engine.scoring.result import SeriesResult
from engine.scoring.scorer import Scorer
from trainers.cohort import Cohort, check_alike, check_apart, check_normals, read_cohort
from trainers.metrics import RocCurve, measured, resampled_patients

FEWEST_ABNORMALS = 5
FEWEST_SCORED = 5
"""Of each class, below which no figure is given."""
SHORT_NUMBER = 6
"""Digits below which an ID that is a number is any site's, not one cohort's."""
HASHED = re.compile("[0-9a-f]{12}")
"""A patient in the card of a site's own bundle (model_card.py)."""
LEARNED = "a model was trained, calibrated or chosen on these patients"


class _Scores(Protocol):
    def score(self, series: Iterable[Series]) -> Iterator[SeriesResult]: ...


@dataclass(frozen=True, eq=False)
class Subject:
    """What is judged: one bundle, or several together.

    Attributes:
        title, primary_score: as the card has them.
        cards: of every bundle that takes part.
        scorer: ready on its device.
    """

    id: str
    title: str
    primary_score: str
    cards: tuple[Card, ...]
    scorer: _Scores

    @classmethod
    def of(cls, model: str | Path | Bundle, device: str = "auto", batch: int = 16) -> Subject:
        """A loaded bundle, an id, a bundle file, or an ensemble's name. Raises BundleRejected."""
        if not isinstance(model, Bundle):
            if is_ensemble(str(model)):
                ensemble = find_ensemble(str(model))
                cards = tuple(member.card for member in ensemble.members)
                return cls(
                    ENSEMBLE,
                    f"Ensemble of {len(cards)} models",
                    ENSEMBLE,
                    cards,
                    EnsembleScorer(ensemble, device, batch),
                )
            model = load_bundle(find(model).path)
        card = model.card
        return cls(card.id, card.title, card.primary_score, (card,), Scorer(model, device, batch, named=True))

    @property
    def card(self) -> Card | None:
        """Of a single bundle."""
        return self.cards[0] if self.id != ENSEMBLE else None


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Every image's result with its truth, and what follows from them. Results hold no maps but those asked for."""

    results: tuple[SeriesResult, ...]
    abnormal: tuple[bool, ...]
    patients: tuple[str, ...]
    metrics: dict[str, Metric]
    curves: dict[str, RocCurve]
    failures: tuple[SeriesResult, ...] = field(default=())

    @property
    def series(self) -> tuple[Series, ...]:
        """Of each result."""
        return tuple(result.series for result in self.results)

    def scores(self, name: str) -> list[float]:
        """One score of every image."""
        return [result.scores[name].score for result in self.results]

    def ranked(self, name: str) -> list[int]:
        """Indices of the images, the most abnormal first."""
        values = self.scores(name)
        return sorted(range(len(values)), key=lambda index: -values[index])


def read_sides(normals: str | Path, abnormals: str | Path) -> tuple[Cohort, Cohort]:
    """The two cohorts, by label where labels are given. Raises CohortRejected when they cannot be used."""
    good = read_cohort(normals)
    bad = good if Path(normals) == Path(abnormals) else read_cohort(abnormals)
    if any(series.label for series in good.series):
        good = good.labelled("normal")
    if any(series.label for series in bad.series):
        bad = bad.labelled("abnormal")
    check_apart(good, bad)
    check_normals(good)
    check_alike((*good.series, *bad.series), bad.path)
    if len(bad.series) < FEWEST_ABNORMALS:
        raise CohortRejected(
            f"{len(bad.series)} abnormal images are too few",
            where=bad.path,
            cure=f"Collect at least {FEWEST_ABNORMALS}; fifty or more give a useful interval.",
        )
    return good, bad


def without_learned(
    normals: Cohort, abnormals: Cohort, cards: Sequence[Card]
) -> tuple[Cohort, Cohort, tuple[Series, ...]]:
    """Both cohorts less the patients whom any of the models learned from, was calibrated on or was chosen by; and the images left out.

    Raises:
        CohortRejected: too few are left.
    """
    here = {*normals.patients, *abnormals.patients}
    learned = {patient for card in cards for patient in _learned(card, here)}
    if not learned:
        return normals, abnormals, ()

    def kept(cohort: Cohort) -> Cohort:
        pairs = zip(cohort.series, cohort.patients, strict=True)
        return Cohort(cohort.path, tuple(s for s, who in pairs if who not in learned), cohort.failures)

    good, bad = kept(normals), kept(abnormals)
    sides = ((normals, normals.patients), (abnormals, abnormals.patients))
    out = tuple(s for side, who in sides for s, w in zip(side.series, who, strict=True) if w in learned)
    if out and min(len(good.series), len(bad.series)) < FEWEST_SCORED:
        raise CohortRejected(
            f"{len(good.series)} normal and {len(bad.series)} abnormal images are left: {LEARNED}",
            where=normals.path,
            cure="Evaluate on patients whom the models have never seen.",
        )
    return good, bad, out


def names_nobody(card: Card) -> bool:
    """Whether the card knows its patients by salted hashes alone, so that those whom the model learned from cannot be told from others."""
    who = [patient for part in card.training.split.values() for patient in part]
    return bool(who) and all(HASHED.fullmatch(patient) for patient in who)


def _learned(card: Card, here: set[str]) -> set[str]:
    """Those of the patients here whom a model has learned from.

    An ID names the same person only within one cohort, so these must first be the card's: more than half of its IDs of that kind are here, or more
    than half of the patients here are named in its split by IDs that are no short numbers. A site's patients "1" and "2" are thus kept, as are
    all when the card holds salted hashes, which name nobody.
    """
    split = card.training.split
    learned = {patient for part, who in split.items() if part != "validation" for patient in who}
    named = {who for part in split.values() for who in part if not (who.isdigit() and len(who) < SHORT_NUMBER)}
    if 2 * len(learned & here) > len(learned) or 2 * len(named & here) > len(here):
        return learned & here
    return set()


def judge(
    subject: Bundle | Subject,
    normals: Cohort,
    abnormals: Cohort,
    *,
    device: str = "auto",
    batch: int = 16,
    keeps_maps: Callable[[Series], bool] = lambda series: False,
    on_share: Callable[[float], None] | None = None,
) -> Evaluation:
    """Score both cohorts and measure every score. Images that cannot be scored are left out and reported.

    Args:
        device, batch: for a bundle; a `Subject` has its own.
        keeps_maps: of which series the heatmap and reconstruction stay in memory.

    Raises:
        CohortRejected: too few of either side could be scored.
    """
    if isinstance(subject, Bundle):
        subject = Subject.of(subject, device, batch)
    series = (*normals.series, *abnormals.series)
    truth = [False] * len(normals.series) + [True] * len(abnormals.series)
    owners = (*normals.patients, *abnormals.patients)
    scored: list[tuple[SeriesResult, bool, str]] = []
    failures: list[SeriesResult] = []
    for index, result in enumerate(subject.scorer.score(series)):
        if result.error:
            failures.append(result)
        else:
            if not keeps_maps(result.series):
                result = replace(result, heatmap=None, reconstruction=None)
            scored.append((result, truth[index], owners[index]))
        if on_share is not None:
            on_share((index + 1) / len(series))
    _check_scored(scored, failures, normals.path)
    return _measured(scored, tuple(failures))


def _measured(scored: Sequence[tuple[SeriesResult, bool, str]], failures: tuple[SeriesResult, ...]) -> Evaluation:
    results, abnormal, patients = zip(*scored, strict=True)
    metrics: dict[str, Metric] = {}
    curves: dict[str, RocCurve] = {}
    drawn = list(resampled_patients(np.asarray(abnormal, bool), patients))
    for name in results[0].scores:
        values = [result.scores[name].score for result in results]
        metrics[name], curves[name] = measured(values, abnormal, patients, drawn=drawn)
    return Evaluation(results, abnormal, patients, metrics, curves, failures)


def _check_scored(scored: list[tuple[SeriesResult, bool, str]], failures: list[SeriesResult], path: str) -> None:
    bad = sum(abnormal for _, abnormal, _ in scored)
    if min(bad, len(scored) - bad) >= FEWEST_SCORED:
        return
    reason = f" (the first reason: {failures[0].error})" if failures else ""
    raise CohortRejected(
        f"only {len(scored) - bad} normal and {bad} abnormal images could be scored{reason}",
        where=path,
        cure="Choose a model made for these images, or other images.",
    )
