"""The plots of an evaluation, as PNG files. Draws what it is given; measures nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from engine.scoring.result import SeriesResult
from trainers.background import Background
from trainers.compare import Comparison
from trainers.groups import Groups
from trainers.judging import Evaluation, Subject
from trainers.localisation import Marked
from trainers.repartition import Repartition
from trainers.report.curves import forest, roc, two_models
from trainers.report.distributions import against_background, histogram
from trainers.report.drawing import save
from trainers.report.galleries import GALLERY, TOP_CASES, gallery, marked_gallery, reconstructions, top_cases
from trainers.report.split_picture import split_picture

_PAIRS = 4
"""Columns a class of real beside reconstruction."""


def write_plots(folder: Path, subject: Subject, evaluation: Evaluation) -> None:
    """roc.png, histogram_SCORE.png, gallery_highest.png and gallery_lowest.png (by the primary score), reconstructions.png where there are any; top_cases.png
    of volumes."""
    title, primary = subject.title, subject.primary_score
    save(roc(title, primary, evaluation.metrics, evaluation.curves), folder / "roc.png")
    calibration = subject.card.calibration if subject.card else None
    for name, metric in evaluation.metrics.items():
        drawn = histogram(title, name, evaluation.scores(name), evaluation.abnormal, metric, calibration)
        save(drawn, folder / f"histogram_{name}.png")
    ranked = evaluation.ranked(primary)
    for which, indices in (("highest", ranked[:GALLERY]), ("lowest", ranked[::-1][:GALLERY])):
        page = gallery(f"{title}: {which} {primary}", evaluation.results, evaluation.abnormal, indices)
        save(page, folder / f"gallery_{which}.png")
    pairs, abnormal = _pairs(subject, evaluation, ranked)
    if pairs:
        save(reconstructions(title, pairs, abnormal), folder / "reconstructions.png")
    if evaluation.series[0].kind == "volume":
        top = ranked[:TOP_CASES]
        shown = _again(subject, evaluation, top)
        if all(result.heatmap is not None for result in shown):
            save(top_cases(title, shown, [evaluation.abnormal[index] for index in top]), folder / "top_cases.png")


def write_groups(folder: Path, subject: Subject, evaluation: Evaluation, groups: Groups) -> None:
    """groups.png: each finding and group of the primary score."""
    score = subject.primary_score
    save(forest(subject.title, evaluation.metrics[score], groups, score), folder / "groups.png")


def write_background(folder: Path, subject: Subject, found: Background) -> None:
    """background_SCORE.png, of the primary score and of every likelihood, which the paper found to follow the background."""
    for name in found.scores:
        if name == subject.primary_score or "likelihood" in name or "bits" in name:
            save(against_background(subject.title, name, found), folder / f"background_{name}.png")


def write_comparison(folder: Path, found: Comparison, first: Evaluation, second: Evaluation) -> None:
    """comparison.png: both primary scores' curves."""
    named = [
        (found.model, first.metrics[found.score], first.curves[found.score]),
        (found.against, second.metrics[found.against_score], second.curves[found.against_score]),
    ]
    low, high = found.difference_ci95
    title = f"{found.model} against {found.against}\ndifference {found.difference:+.3f} ({low:+.3f} to {high:+.3f})"
    save(two_models(title, named), folder / "comparison.png")


def write_marked(folder: Path, subject: Subject, images: Sequence[Marked]) -> None:
    """localisation.png: what people marked over the heatmaps."""
    save(marked_gallery(subject.title, images), folder / "localisation.png")


def write_split(folder: Path, subject: Subject, found: Repartition) -> None:
    """split.png: who is in which part."""
    save(split_picture(subject.title, found), folder / "split.png")


def _pairs(subject: Subject, evaluation: Evaluation, ranked: Sequence[int]) -> tuple[list[SeriesResult], list[bool]]:
    """Images of both classes, evenly spaced over the ranking so that nobody chose them, scored again for their reconstructions."""
    sides = [[i for i in ranked if evaluation.abnormal[i] == ill] for ill in (False, True)]
    chosen = [side[int(place)] for side in sides for place in np.linspace(0, len(side) - 1, _PAIRS)]
    pairs = [
        (result, evaluation.abnormal[index])
        for index, result in zip(chosen, _again(subject, evaluation, chosen), strict=True)
        if result.reconstruction is not None
    ]
    return [result for result, _ in pairs], [ill for _, ill in pairs]


def _again(subject: Subject, evaluation: Evaluation, indices: Sequence[int]) -> list[SeriesResult]:
    """Those images' results with their maps, which an evaluation does not keep."""
    return list(subject.scorer.score([evaluation.results[index].series for index in indices]))
