"""How well a score separates abnormal from normal images, with intervals by patient. Arrays in, numbers out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from engine.models.card import Metric
from trainers.delong import Areas, areas

RESAMPLES = 1000
Floats = npt.NDArray[np.float64]
_GRID = np.linspace(0, 1, 101)


@dataclass(frozen=True, eq=False)
class RocCurve:
    """A ROC curve with its 95% band over resampled patients; `lower` and `upper` are sensitivities at `grid`'s false-positive rates."""

    false_positive_rate: Floats
    sensitivity: Floats
    grid: Floats
    lower: Floats
    upper: Floats


def measured(
    scores: Sequence[float],
    abnormal: Sequence[bool],
    patients: Sequence[str],
    *,
    drawn: Sequence[Floats] | None = None,
) -> tuple[Metric, RocCurve]:
    """AUROC with its 95% interval, average precision, Youden's cut-off and the sensitivity at two specificities of one score.

    The interval is the percentile bootstrap over patients: a patient is drawn with all of their images, normal and abnormal patients apart, so
    that one patient's many films do not pass for many patients. DeLong's standard error and interval, patients as clusters, stand beside it.

    Args:
        scores: of each image, higher = more abnormal, finite.
        abnormal, patients: of each image. There must be images of both classes.
        drawn: `resampled_patients` of these images, where several scores share them.
    """
    score, truth = np.asarray(scores, np.float64), np.asarray(abnormal, bool)
    rate, sensitivity, cutoffs = roc_curve(truth, score, drop_intermediate=False)
    best = int(np.argmax(sensitivity - rate))
    drawn = list(resampled_patients(truth, patients)) if drawn is None else drawn
    resamples, curves = _resampled(score, truth, drawn)
    low, high = np.quantile(resamples, (0.025, 0.975))
    band = np.quantile(curves, (0.025, 0.975), axis=0)
    count = len(set(patients))
    closed = areas(score[np.newaxis], truth, patients)
    metric = Metric(
        auroc=float(roc_auc_score(truth, score)),
        auroc_ci95=(float(low), float(high)),
        auprc=float(average_precision_score(truth, score)),
        youden_cutoff=float(cutoffs[best]) if np.isfinite(cutoffs[best]) else float(score.max()),
        sensitivity=float(sensitivity[best]),
        specificity=float(1 - rate[best]),
        n_normal=int((~truth).sum()),
        n_abnormal=int(truth.sum()),
        n_patients=count,
        sensitivity_at_90_specificity=_sensitivity_at(0.90, rate, sensitivity),
        sensitivity_at_95_specificity=_sensitivity_at(0.95, rate, sensitivity),
        interval=_in_words(count, len(truth)),
        **_closed_form(closed),
    )
    return metric, RocCurve(rate, sensitivity, _GRID, band[0], band[1])


def _sensitivity_at(specificity: float, rate: Floats, sensitivity: Floats) -> float:
    """The highest sensitivity of a cut-off with at least this specificity."""
    return float(sensitivity[rate <= 1 - specificity + 1e-12].max())


def _closed_form(found: Areas) -> dict[str, Any]:
    if not np.isfinite(found.covariance).all():
        return {}
    return {"auroc_standard_error": found.standard_error(), "auroc_ci95_delong": found.interval()}


def _in_words(patients: int, images: int) -> str:
    """How the intervals were made, for the file that holds them."""
    several = "; patients with several images count once" if patients < images else ""
    return f"auroc_ci95: percentile bootstrap over {patients} patients ({RESAMPLES} resamples){several}"


def resampled_patients(
    abnormal: npt.NDArray[np.bool_], patients: Sequence[str], seed: int = 0
) -> Iterator[npt.NDArray[np.float64]]:
    """RESAMPLES times, how often each image is drawn, [N]: patients with an abnormal image and the others are drawn apart, with all their images."""
    generator = np.random.default_rng(seed)
    _, owner = np.unique(np.asarray(patients), return_inverse=True)
    count = int(owner.max()) + 1
    # a patient with both kinds of image is drawn with the abnormal ones
    sick = np.bincount(owner, weights=abnormal, minlength=count) > 0
    groups = [group for group in (np.flatnonzero(sick), np.flatnonzero(~sick)) if len(group)]
    for _ in range(RESAMPLES):
        drawn = np.zeros(count)
        for group in groups:
            drawn += np.bincount(generator.choice(group, len(group)), minlength=count)
        yield drawn[owner]


def _resampled(score: Floats, truth: npt.NDArray[np.bool_], drawn: Sequence[Floats]) -> tuple[Floats, Floats]:
    """[len(drawn)] areas and [len(drawn), grid] sensitivities. Images are sorted once; a resample only weighs them."""
    order = np.argsort(-score, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(score[order]) != 0, True))  # the last image of each tied score
    positive = truth[order]
    found, curves = np.empty(len(drawn)), np.empty((len(drawn), len(_GRID)))
    for index, weights in enumerate(drawn):
        weight = weights[order]
        hits = np.concatenate([[0], np.cumsum(weight * positive)[ends]])
        alarms = np.concatenate([[0], np.cumsum(weight * ~positive)[ends]])
        sensitivity, rate = hits / max(hits[-1], 1), alarms / max(alarms[-1], 1)
        found[index] = np.trapezoid(sensitivity, rate)
        curves[index] = np.interp(_GRID, rate, sensitivity)
    return found, curves


def resampled_areas(scores: Sequence[float], abnormal: npt.NDArray[np.bool_], drawn: Sequence[Floats]) -> Floats:
    """[len(drawn)] areas of a score under resamples that several scores may share, so that they are compared on the same patients."""
    return _resampled(np.asarray(scores, np.float64), abnormal, drawn)[0]
