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

from engine.errors import CohortRejected, first_reason
from engine.imaging.series import Series
from engine.models.bundle import Bundle, load_bundle
from engine.models.card import Card, Metric, SplitBy
from engine.models.shelf import find
from engine.scoring.ensemble import ENSEMBLE, EnsembleScorer, find_ensemble, is_ensemble
from engine.scoring.result import SeriesResult
from engine.scoring.scorer import Scorer
from trainers.cohort import Cohort, check_alike, check_apart, check_labels, check_normals, read_cohort, unknown_labels
from trainers.metrics import RocCurve, measured, resampled_patients
from trainers.parts import check_one_part, part_of_patient, patient_of

FEWEST_ABNORMALS = 5
FEWEST_SCORED = 5
"""Of each class, below which no figure is given."""
SHORT_NUMBER = 6
"""Digits below which an ID that is a number is any site's, not one cohort's."""
HASHED = re.compile("[0-9a-f]{12}")
"""A patient in the card of a site's own bundle (model_card.py)."""
LEARNED = "a model was trained, calibrated or chosen on these patients, or on these parts of them"


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


def read_sides(normals: str | Path, abnormals: str | Path, cards: Sequence[Card]) -> tuple[Cohort, Cohort]:
    """The two cohorts, by label where labels are given; each image has then that of its side.

    Args:
        cards: of the models that are to be judged on them: only those that know several body parts are judged on several.

    Raises:
        CohortRejected: they cannot be used.
    """
    good = read_cohort(normals)
    if one_table := Path(normals) == Path(abnormals):
        check_labels(normals)  # which alone tell the sides apart
    bad = good if one_table else read_cohort(abnormals)
    if any(series.label for series in good.series):
        good = good.labelled("normal")
    if any(series.label for series in bad.series):
        bad = bad.labelled("abnormal")
    check_apart(good, bad)
    everything = (*good.series, *bad.series)
    for parts in {card.applicability.body_part for card in cards} or {()}:
        check_normals(good, together=parts)
        check_one_part(everything, bad.path, together=parts)
    check_alike(everything, bad.path)
    check_abnormals(bad)
    return _called(good, "normal"), _called(bad, "abnormal")


def check_abnormals(abnormals: Cohort) -> None:
    """Raises CohortRejected unless there are enough to judge by."""
    if len(abnormals.series) < FEWEST_ABNORMALS:
        raise CohortRejected(
            f"{len(abnormals.series)} abnormal images are too few{unknown_labels(abnormals.path)}",
            where=abnormals.path,
            cure=f"Collect at least {FEWEST_ABNORMALS}; fifty or more give a useful interval.",
        )


def _called(cohort: Cohort, label: str) -> Cohort:
    return replace(cohort, series=tuple(replace(one, label=label) for one in cohort.series))


def without_learned(
    normals: Cohort, abnormals: Cohort, cards: Sequence[Card]
) -> tuple[Cohort, Cohort, tuple[Series, ...]]:
    """Both cohorts less the patients whom any of the models learned from, was calibrated on or was chosen by; and the images left out.

    Of a model that was split by body part of a patient, less those parts of these patients, and what does not say which part it shows of them.

    Raises:
        CohortRejected: too few are left.
    """
    good, bad = normals, abnormals
    out: list[Series] = []
    for card in cards:
        by = card.training.split_by
        learned = learned_units(
            card, {*normals.units(by), *abnormals.units(by)}
        )  # of all: what another model takes away was here
        good, bad = _without(good, by, learned, out), _without(bad, by, learned, out)
    if out and min(len(good.series), len(bad.series)) < FEWEST_SCORED:
        raise CohortRejected(
            f"{len(good.series)} normal and {len(bad.series)} abnormal images are left: {LEARNED}",
            where=normals.path,
            cure="Evaluate on patients whom the models have never seen.",
        )
    return good, bad, tuple(out)


def _without(cohort: Cohort, by: SplitBy, learned: set[str], out: list[Series]) -> Cohort:
    """The cohort less these units, whose images join `out`."""
    kept: list[Series] = []
    for one, unit in zip(cohort.series, cohort.units(by), strict=True):
        (out if unit in learned else kept).append(one)
    return replace(cohort, series=tuple(kept))


def names_nobody(card: Card) -> bool:
    """Whether the card knows its patients by salted hashes alone, so that those whom the model learned from cannot be told from others."""
    who = [patient for part in card.training.split.values() for patient in part]
    return bool(who) and all(HASHED.fullmatch(patient) for patient in who)


def learned_units(card: Card, here: set[str]) -> set[str]:
    """Those of the patients here, or of their body parts, whom a model has learned from.

    An ID names the same person only within one cohort, so these must first be the card's: more than half of its IDs of that kind are here, or more
    than half of the patients here are named in its split by IDs that are no short numbers. A site's patients "1" and "2" are thus kept, as are
    all when the card holds salted hashes, which name nobody.
    """
    split, by_part = card.training.split, card.training.split_by == "patient-and-body-part"
    learned = {unit for part, units in split.items() if part != "validation" for unit in units}
    named = {unit for part in split.values() for unit in part if not _anybodys(patient_of(unit) if by_part else unit)}
    if 2 * len(learned & here) <= len(learned) and 2 * len(named & here) <= len(here):
        return set()
    # an image of a patient's that does not say which part it shows may be of one that was learned from
    unsaid = {part_of_patient(patient_of(unit), "") for unit in learned} if by_part else set()
    return (learned | unsaid) & here


def _anybodys(patient: str) -> bool:
    return patient.isdigit() and len(patient) < SHORT_NUMBER


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
    reason = first_reason([failure.error for failure in failures[:1]])
    raise CohortRejected(
        f"only {len(scored) - bad} normal and {bad} abnormal images could be scored{reason}",
        where=path,
        cure="Choose a model made for these images, or other images.",
    )
