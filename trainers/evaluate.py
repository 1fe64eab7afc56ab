"""Judges a model on labelled images and writes what follows: metrics with intervals, tables and plots. Never trains, never changes a bundle.

What is judged how lies beside this file: judging.py (every score), groups.py (findings, views, sexes, ages), studies.py, compare.py (two models),
localisation.py (boxes), background.py (whether a score only measures black).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engine.errors import ImpossibleSpacing, NormascopeError, StorageUnavailable
from engine.imaging.series import Series
from engine.models.bundle import Bundle
from engine.models.card import Card, Metric
from trainers import report
from trainers.background import background_of
from trainers.cohort import Cohort, mixed_sizes, unnamed_patients, write_table
from trainers.compare import compared
from trainers.groups import facts_of, grouped
from trainers.judging import LEARNED, Evaluation, Subject, judge, names_nobody, read_sides, without_learned
from trainers.localisation import Region, check_told_apart, localisation, marked, read_regions, regions_of
from trainers.repartition import repartition
from trainers.studies import StudyRule, by_study

_NOT_ALWAYS = (
    *(f"{part}{ending}" for part in ("groups", "comparison", "localisation") for ending in (".json", ".png")),
    *("studies.json", "background.json", "reconstructions.png", "top_cases.png", "split.png"),
)
"""Files that an evaluation writes only where there is something to say."""


def evaluate(
    model: str | Path | Bundle,
    normals: str | Path,
    abnormals: str | Path,
    out: str | Path,
    *,
    against: str | Path | None = None,
    boxes: str | Path | None = None,
    study: StudyRule = "max",
    device: str = "auto",
    batch: int = 16,
    on_share: Callable[[float], None] | None = None,
    on_note: Callable[[str], None] | None = None,
) -> dict[str, Metric]:
    """Write metrics.json, scores.csv, groups.json, background.json and PNG plots to `out`; returns the metrics by score.

    `normals` and `abnormals` are anything `open_study` takes; where a CSV has a label column, only its normal or abnormal rows are used, so one
    CSV may serve as both. Patients whom a model has learned from are left out (`without_learned`); scores.csv and `on_note` say so. A site's own
    bundle names nobody, so that nobody can be left out: `on_note` says that, too.

    Args:
        model: a bundle, its id or file, or an ensemble's name.
        against: another model, judged on the same images: comparison.json.
        boxes: a CSV of what people marked (`read_regions`): localisation.json.
        study: a study's score is the highest percentile of its images, or the mean: studies.json, where studies have several images.
        on_note: told in words what a reader of the figures must know.

    Raises:
        CohortRejected: under 20 normals or 5 abnormals, one patient, the same images on both sides, boxes that cannot be read or may be of several images.
        BundleRejected, StorageUnavailable.
    """
    say = on_note or (lambda words: None)
    with _written_to(folder := Path(out)):
        folder.mkdir(parents=True, exist_ok=True)  # a folder that cannot be made is told before hours of scoring
    regions = read_regions(boxes) if boxes is not None else {}
    subject = Subject.of(model, device, batch)
    other = Subject.of(against, device, batch) if against is not None else None
    good, bad, learned = _sides(normals, abnormals, (*subject.cards, *(other.cards if other else ())), say)
    if boxes is not None:
        check_told_apart((*good.series, *bad.series, *learned), regions, boxes)
    evaluation = judge(subject, good, bad, keeps_maps=lambda one: bool(regions_of(one, regions)), on_share=on_share)
    wrong = _wrong(good, bad, evaluation, say)
    with _written_to(folder):
        _forget(folder)
        _write_json(folder / "metrics.json", {name: m.model_dump() for name, m in evaluation.metrics.items()})
        _write_scores(folder / "scores.csv", evaluation, learned, wrong)
        report.write_plots(folder, subject, evaluation)
        _write_split(folder, subject, evaluation, Cohort(good.path, (*good.series, *bad.series, *learned)))
        _write_parts(folder, subject, evaluation, (normals, abnormals), study, say)
        if other is not None:
            _write_comparison(folder, subject, evaluation, other, (good, bad), say)
        if boxes is not None:
            _write_localisation(folder, subject, evaluation, regions, say)
    return evaluation.metrics


@contextmanager
def _written_to(folder: Path) -> Iterator[None]:
    """Says in words when the disk refuses."""
    try:
        yield
    except OSError as error:
        raise StorageUnavailable(
            f"cannot write here ({error.strerror})", where=folder, cure="Free some space, or choose another folder."
        ) from error


def _forget(folder: Path) -> None:
    """Delete what an earlier evaluation, of another model perhaps, may have left there and this one need not write."""
    for name in _NOT_ALWAYS:
        (folder / name).unlink(missing_ok=True)


def _sides(
    normals: str | Path, abnormals: str | Path, cards: Sequence[Card], say: Callable[[str], None]
) -> tuple[Cohort, Cohort, tuple[Series, ...]]:
    """Both cohorts without the patients learned from, and the images of these; says what was done."""
    good, bad, learned = without_learned(*read_sides(normals, abnormals, cards), cards)
    if learned:
        say(f"{len(learned)} images are left out: {LEARNED}")
    elif hidden := [card.id for card in cards if names_nobody(card)]:
        say(
            f"The card of {', '.join(hidden)} names no patient: if any of these was learned from, the figures flatter it."
            " Its card has those of its own validation."
        )
    everyone = (*good.series, *bad.series)
    if unnamed := unnamed_patients(everyone):
        say(
            f"{unnamed} If a model has learned from any of them, that cannot be told either, and the figures flatter it."
        )
    if sizes := mixed_sizes(everyone):
        say(sizes)
    return good, bad, learned


def _wrong(
    good: Cohort, bad: Cohort, evaluation: Evaluation, say: Callable[[str], None]
) -> tuple[NormascopeError, ...]:
    """What was wrong with files, each once; says how many have no score, and how many have one in spite of it."""
    wrong = tuple({str(error): error for error in (*good.failures, *bad.failures)}.values())
    scored = [error for error in wrong if isinstance(error, ImpossibleSpacing)]
    unread = [error for error in wrong if error not in scored]
    if missing := len(evaluation.failures) + len(unread):
        first = unread[0] if unread else evaluation.failures[0].error
        say(f"{missing} files have no score; scores.csv says why. The first: {first}")
    if scored:
        say(f"Films with an impossible pixel spacing: {len(scored)}; scores.csv names them. The first: {scored[0]}")
    return wrong


def _write_parts(
    folder: Path,
    subject: Subject,
    evaluation: Evaluation,
    tables: tuple[str | Path, ...],
    study: StudyRule,
    say: Callable[[str], None],
) -> None:
    """groups.json, studies.json and background.json, each where there is something to say."""
    facts = facts_of(evaluation.series, *dict.fromkeys(tables))
    scores = {name: evaluation.scores(name) for name in evaluation.metrics}
    groups = grouped(scores, evaluation.abnormal, evaluation.patients, facts)
    if any(groups.metrics.values()):
        _write_json(folder / "groups.json", groups.to_json())
        report.write_groups(folder, subject, evaluation, groups)
    studies = by_study(evaluation, facts, study)
    if studies is not None:
        _write_json(folder / "studies.json", studies.to_json())
        metric = studies.metrics[subject.primary_score]
        rule = "highest" if study == "max" else "mean"
        say(f"By study ({rule} percentile of its images): {in_words(subject.primary_score, metric, 'studies')}")
    background = background_of(evaluation)
    if background is not None:
        _write_json(folder / "background.json", background.to_json())
        report.write_background(folder, subject, background)


def _write_comparison(
    folder: Path,
    subject: Subject,
    evaluation: Evaluation,
    other: Subject,
    sides: tuple[Cohort, Cohort],
    say: Callable[[str], None],
) -> None:
    """comparison.json and its plot: the other model on the same images."""
    others = judge(other, *sides)
    found = compared(subject, evaluation, other, others)
    _write_json(folder / "comparison.json", found.to_json())
    report.write_comparison(folder, found, evaluation, others)
    say(found.in_words())


def _write_localisation(
    folder: Path,
    subject: Subject,
    evaluation: Evaluation,
    regions: dict[str, list[Region]],
    say: Callable[[str], None],
) -> None:
    """localisation.json and its gallery; a note instead where the model has no heatmap or no marked image was judged."""
    images = marked(evaluation.results, evaluation.patients, regions)
    if not images:
        say("No marked image has a heatmap: either the model makes none, or none of these images was judged.")
        return
    found = localisation(images, regions)
    _write_json(folder / "localisation.json", found)
    report.write_marked(folder, subject, images)
    every = found["all"]
    say(
        f"The heatmap's highest pixel lies in {every['share_hit']:.0%} of {every['n_regions']} marked regions "
        f"({every['share_hit_ci95'][0]:.0%} to {every['share_hit_ci95'][1]:.0%}); a point anywhere would in {every['share_hit_by_area']:.0%}, "
        f"another image's highest pixel in {every['share_hit_by_other_peaks']:.0%}"
    )


def in_words(name: str, metric: Metric, what: str = "images") -> str:
    """A score's area, for the console."""
    low, high = metric.auroc_ci95
    return f"{name}: AUROC {metric.auroc:.3f} ({low:.3f} to {high:.3f}), {metric.n_normal} normal, {metric.n_abnormal} abnormal {what}"


def _write_json(path: Path, values: dict[str, Any]) -> None:
    path.write_text(json.dumps(values, indent=2), encoding="utf-8")


def _write_split(folder: Path, subject: Subject, evaluation: Evaluation, given: Cohort) -> None:
    """split.png: the card's parts, found in this cohort or not, and what was judged."""
    if subject.card is None:
        return
    judged = Cohort(given.path, evaluation.series)
    report.write_split(folder, subject, repartition(subject.card, given, judged))


def _write_scores(
    path: Path, evaluation: Evaluation, learned: Sequence[Series], wrong: Sequence[NormascopeError]
) -> None:
    """One row an image: its label, every score and percentile, or the reason why it has none; and a row for whatever else is wrong with a file."""
    names = list(evaluation.metrics)
    columns = ["path", "patient_id", "label", *names, *(f"{name}_percentile" for name in names), "error"]
    rows: list[dict[str, object]] = []
    for result, abnormal in zip(evaluation.results, evaluation.abnormal, strict=True):
        row: dict[str, object] = {"path": result.series.path, "patient_id": result.series.patient_id}
        row["label"] = "abnormal" if abnormal else "normal"
        row |= {name: f"{value.score:.6g}" for name, value in result.scores.items()}
        row |= {f"{name}_percentile": f"{value.percentile:.2f}" for name, value in result.scores.items()}
        rows.append(row)
    for failure in evaluation.failures:
        rows.append({"path": failure.series.path, "patient_id": failure.series.patient_id, "error": failure.error})
    rows.extend({"path": error.where or "", "error": str(error)} for error in wrong)
    rows.extend(
        {"path": s.path, "patient_id": s.patient_id, "label": s.label, "error": f"left out: {LEARNED}"} for s in learned
    )
    write_table(path, columns, rows)
