"""From raw scores and raw error maps to the normal calibration cohort's own units. Numpy only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from engine.models.card import ScoreCalibration

Map = npt.NDArray[np.float32]

MOST_QUANTILES = 1000
SMOOTHING_OF_SIZE = 2 / 128
"""Standard deviation of the tables' smoothing as a share of each side: a few hundred normals say little of one pixel, more of its neighbourhood."""
LEAST_SPAN = 0.25
"""Of the span's median over the image: where normals hardly differ (a black margin), a grey level of noise must not be a finding."""


def score_calibration(scores: Sequence[float] | npt.NDArray[np.floating]) -> ScoreCalibration:
    """A cohort's scores, sorted; thinned to evenly spaced quantiles when there are more than a thousand."""
    ordered = np.sort(np.asarray(scores, np.float64))
    if ordered.size == 0 or not np.isfinite(ordered).all():
        raise ValueError("a calibration cohort needs at least one score, all of them finite")
    n = ordered.size
    if n > MOST_QUANTILES:
        ordered = np.quantile(ordered, np.linspace(0, 1, MOST_QUANTILES))
    return ScoreCalibration(normal_scores=tuple(float(value) for value in ordered), n=n)


def percentile(raw: float, calibration: ScoreCalibration) -> float:
    """Share of the normal calibration cohort that scores lower, in [0, 100]."""
    lower = np.searchsorted(np.asarray(calibration.normal_scores), raw, side="left")
    return float(100 * lower / len(calibration.normal_scores))


def excess(raw: float, calibration: ScoreCalibration) -> float:
    """How far a score lies beyond the highest normal's, 0 when it does not; 1 is as far as that one lies beyond the median.

    The percentile ends at 100, where a good model puts most of the abnormal: among these it has no order, and this has.
    """
    normals = np.asarray(calibration.normal_scores)
    highest = float(normals[-1])
    spread = highest - float(np.median(normals))
    beyond = max(0.0, raw - highest)
    return beyond / spread if spread > 0 else float(beyond > 0)


def heatmap_tables(maps: npt.NDArray[np.floating]) -> tuple[Map, Map]:
    """Per-pixel mean and 99th percentile of normals' raw heatmaps, both smoothed.

    Args:
        maps: [N, *S] raw heatmaps of the calibration cohort.

    Returns:
        (mean, p99), [*S] float32; p99 exceeds the mean everywhere.
    """
    from scipy.ndimage import gaussian_filter  # only calibration needs it, and windows open without it

    sigma = [SMOOTHING_OF_SIZE * extent for extent in maps.shape[1:]]
    mean = gaussian_filter(maps.mean(axis=0, dtype=np.float64), sigma, mode="nearest")
    high = gaussian_filter(np.quantile(maps, 0.99, axis=0).astype(np.float64), sigma, mode="nearest")
    span = high - mean
    floor = max(LEAST_SPAN * float(np.median(span)), 1e-4)
    return mean.astype(np.float32), (mean + np.maximum(span, floor)).astype(np.float32)


def cohort_units(
    heatmap: npt.NDArray[np.floating], mean: npt.NDArray[np.floating], p99: npt.NDArray[np.floating]
) -> Map:
    """A raw heatmap in cohort units: 0 = the normals' mean at that pixel, 1 = their 99th percentile there. Same shape as `heatmap`."""
    return ((heatmap - mean) / np.maximum(p99 - mean, 1e-6)).astype(np.float32)
