"""Judges a bundle on labelled images: metrics with intervals, a table of scores and the plots. Never trains, never changes the bundle.

An image is what is judged; patients are what intervals are drawn over. Scores come from the same `Scorer` that reads for radiologists, so that
what is measured is what is shown.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.errors import CohortRejected, StorageUnavailable
from engine.imaging.series import Series
from engine.models.bundle import Bundle, load_bundle
from engine.models.card import Card, Metric
from engine.models.shelf import find
from engine.scoring.result import SeriesResult
from engine.scoring.scorer import Scorer
from trainers.cohort import Cohort, check_apart, check_normals, read_cohort, write_table
from trainers.metrics import RocCurve, measured
from trainers.report import write_plots

FEWEST_ABNORMALS = 5
FEWEST_SCORED = 5
"""Of each class, below which no figure is given."""
LEARNED_PARTS = ("train", "calibration", "selection", "mixture", "stopping")
LEARNED = "the model was trained, calibrated or chosen on these patients"


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Every image's result with its truth, and what follows from them."""

    results: tuple[SeriesResult, ...]
    abnormal: tuple[bool, ...]
    metrics: dict[str, Metric]
    curves: dict[str, RocCurve]
    failures: tuple[SeriesResult, ...]


def evaluate(
    bundle: str | Path | Bundle,
    normals: str | Path,
    abnormals: str | Path,
    out: str | Path,
    *,
    device: str = "auto",
    batch: int = 16,
    on_share: Callable[[float], None] | None = None,
    on_note: Callable[[str], None] | None = None,
) -> dict[str, Metric]:
    """Write metrics.json, scores.csv and PNG plots to `out`; returns the metrics by score.

    `normals` and `abnormals` are anything `open_study` takes; where a CSV has a label column, only its normal or abnormal rows are used, so one
    CSV may serve as both. Patients whom the bundle has learned from are left out (`without_learned`); scores.csv and `on_note` say so.

    Raises:
        CohortRejected: under 20 normals or 5 abnormals, one patient, the same images on both sides.
        BundleRejected, StorageUnavailable.
    """
    if not isinstance(bundle, Bundle):
        bundle = load_bundle(find(bundle).path)
    good, bad = read_sides(normals, abnormals)
    good, bad, learned = without_learned(good, bad, bundle.card)
    if learned and on_note is not None:
        on_note(f"{len(learned)} images are left out: {LEARNED}")
    evaluation = judge(bundle, good, bad, device=device, batch=batch, on_share=on_share)
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        values = {name: metric.model_dump() for name, metric in evaluation.metrics.items()}
        (folder / "metrics.json").write_text(json.dumps(values, indent=2))
        _write_scores(folder / "scores.csv", evaluation, learned)
        write_plots(folder, bundle.card, evaluation.results, evaluation.abnormal, evaluation.metrics, evaluation.curves)
    except OSError as error:
        raise StorageUnavailable(
            f"cannot write here ({error.strerror})", where=folder, cure="Free some space, or choose another folder."
        ) from error
    return evaluation.metrics


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
    if len(bad.series) < FEWEST_ABNORMALS:
        raise CohortRejected(
            f"{len(bad.series)} abnormal images are too few",
            where=bad.path,
            cure=f"Collect at least {FEWEST_ABNORMALS}; fifty or more give a useful interval.",
        )
    return good, bad


def without_learned(normals: Cohort, abnormals: Cohort, card: Card) -> tuple[Cohort, Cohort, tuple[Series, ...]]:
    """Both cohorts less the patients whom the model learned from, was calibrated on or was chosen by; and the images left out.

    An ID names the same person only within one cohort, so these must first be the card's: more than half of its IDs of that kind are here, or more
    than half of the patients here are named in its split by IDs that are not bare numbers. A site's patients "1" and "2" are thus kept, as are
    all when the card holds salted hashes, which name nobody.

    Raises:
        CohortRejected: too few are left.
    """
    split = card.training.split
    learned = {patient for part in LEARNED_PARTS for patient in split.get(part, ())}
    here = {*normals.patients, *abnormals.patients}
    named = {who for part in split.values() for who in part if not who.isdigit()}
    if not (2 * len(learned & here) > len(learned) or 2 * len(named & here) > len(here)):
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
            cure="Evaluate on patients whom the model has never seen.",
        )
    return good, bad, out


def judge(
    bundle: Bundle,
    normals: Cohort,
    abnormals: Cohort,
    *,
    device: str = "auto",
    batch: int = 16,
    on_share: Callable[[float], None] | None = None,
) -> Evaluation:
    """Score both cohorts and measure every score. Images that cannot be scored are left out and reported.

    Raises:
        CohortRejected: too few of either side could be scored.
    """
    series = (*normals.series, *abnormals.series)
    truth = [False] * len(normals.series) + [True] * len(abnormals.series)
    owners = (*normals.patients, *abnormals.patients)
    scored: list[tuple[SeriesResult, bool, str]] = []
    failures: list[SeriesResult] = []
    for index, result in enumerate(Scorer(bundle, device, batch, named=True).score(series)):
        if result.error:
            failures.append(result)
        else:
            scored.append((result, truth[index], owners[index]))
        if on_share is not None:
            on_share((index + 1) / len(series))
    _check_scored(scored, failures, normals.path)
    results, abnormal, patients = zip(*scored, strict=True)
    metrics: dict[str, Metric] = {}
    curves: dict[str, RocCurve] = {}
    for name in results[0].scores:
        metrics[name], curves[name] = measured([r.scores[name].score for r in results], abnormal, patients)
    return Evaluation(results, abnormal, metrics, curves, tuple(failures))


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


def _write_scores(path: Path, evaluation: Evaluation, learned: Sequence[Series]) -> None:
    """One row an image: its label, every score and percentile, or the reason why it has none."""
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
    rows.extend(
        {"path": s.path, "patient_id": s.patient_id, "label": s.label, "error": f"left out: {LEARNED}"} for s in learned
    )
    write_table(path, columns, rows)
