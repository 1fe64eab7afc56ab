"""How well a score separates abnormal from normal images, with intervals by patient. Arrays in, numbers out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from engine.models.card import Metric

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
    scores: Sequence[float], abnormal: Sequence[bool], patients: Sequence[str], *, seed: int = 0
) -> tuple[Metric, RocCurve]:
    """AUROC with its 95% interval, average precision and Youden's cut-off of one score.

    The interval is the percentile bootstrap over patients: a patient is drawn with all of their images, normal and abnormal patients apart, so
    that one patient's many films do not pass for many patients.

    Args:
        scores: of each image, higher = more abnormal, finite.
        abnormal, patients: of each image. There must be images of both classes.
    """
    score, truth = np.asarray(scores, np.float64), np.asarray(abnormal, bool)
    rate, sensitivity, cutoffs = roc_curve(truth, score, drop_intermediate=False)
    best = int(np.argmax(sensitivity - rate))
    areas, curves = _resampled(score, truth, patients, np.random.default_rng(seed))
    low, high = np.quantile(areas, (0.025, 0.975))
    band = np.quantile(curves, (0.025, 0.975), axis=0)
    metric = Metric(
        auroc=float(roc_auc_score(truth, score)),
        auroc_ci95=(float(low), float(high)),
        auprc=float(average_precision_score(truth, score)),
        youden_cutoff=float(cutoffs[best]) if np.isfinite(cutoffs[best]) else float(score.max()),
        sensitivity=float(sensitivity[best]),
        specificity=float(1 - rate[best]),
        n_normal=int((~truth).sum()),
        n_abnormal=int(truth.sum()),
    )
    return metric, RocCurve(rate, sensitivity, _GRID, band[0], band[1])


def _resampled(
    score: Floats, truth: npt.NDArray[np.bool_], patients: Sequence[str], generator: np.random.Generator
) -> tuple[Floats, Floats]:
    """[RESAMPLES] areas and [RESAMPLES, grid] sensitivities. Images are sorted once; a resample only weighs them."""
    order = np.argsort(-score, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(score[order]) != 0, True))  # the last image of each tied score
    positive = truth[order]
    _, owner = np.unique(np.asarray(patients)[order], return_inverse=True)
    count = int(owner.max()) + 1
    # a patient with both kinds of image is drawn with the abnormal ones
    sick = np.bincount(owner, weights=positive, minlength=count) > 0
    areas, curves = np.empty(RESAMPLES), np.empty((RESAMPLES, len(_GRID)))
    for index in range(RESAMPLES):
        drawn = np.zeros(count)
        for group in (np.flatnonzero(sick), np.flatnonzero(~sick)):
            drawn += np.bincount(generator.choice(group, len(group)), minlength=count)
        weight = drawn[owner]
        hits = np.concatenate([[0], np.cumsum(weight * positive)[ends]])
        alarms = np.concatenate([[0], np.cumsum(weight * ~positive)[ends]])
        sensitivity, rate = hits / max(hits[-1], 1), alarms / max(alarms[-1], 1)
        areas[index] = np.trapezoid(sensitivity, rate)
        curves[index] = np.interp(_GRID, rate, sensitivity)
    return areas, curves
