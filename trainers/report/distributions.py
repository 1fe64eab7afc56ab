"""How scores are spread: a histogram a class, and score against the share of background, which shows when a score only measures black."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from engine.models.card import Calibration, Metric
from trainers.background import Background
from trainers.report.drawing import ABNORMAL, NORMAL, tidy

BINS = 50


def histogram(
    title: str,
    name: str,
    values: Sequence[float],
    abnormal: Sequence[bool],
    metric: Metric,
    calibration: Calibration | None,
) -> Figure:
    """Both classes' scores with Youden's cut-off and, for a single bundle, the cut-off at which it flags. Shibata 2021, figures 5 and 6."""
    score, truth = np.array(values), np.array(abnormal)
    low, high = np.quantile(score, (0.002, 0.998))
    bins = list(np.linspace(low, max(high, low + 1e-9), BINS))
    figure, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    for side, colour, label in ((~truth, NORMAL, "normal"), (truth, ABNORMAL, "abnormal")):
        count = int(side.sum())
        shown = np.clip(score[side], low, high)
        axes.hist(shown, bins, weights=np.full(count, 1 / count), color=colour, alpha=0.45, label=f"{label} ({count})")
        axes.hist(shown, bins, weights=np.full(count, 1 / count), histtype="step", color=colour, linewidth=1.2)
    words = f"Youden's cut-off {metric.youden_cutoff:.4g}: sensitivity {metric.sensitivity:.0%}, specificity {metric.specificity:.0%}"
    axes.axvline(metric.youden_cutoff, color="0.15", linewidth=1.2, label=words)
    if calibration is not None and (table := calibration.scores.get(name)) is not None:
        flag = float(np.percentile(table.normal_scores, calibration.flag_percentile))
        label = f"flagged from {flag:.4g}: {calibration.flag_percentile:g}th percentile of the calibration normals"
        axes.axvline(flag, color="0.15", linewidth=1.2, linestyle=":", label=label)
    axes.set(xlabel=name, ylabel="share of the class")
    axes.set_title(
        f"{title}: {name}\nAUROC {metric.auroc:.3f}; what lies beyond the axis is drawn at its end", fontsize=9
    )
    axes.margins(y=0.28)
    axes.legend(fontsize=7.5, loc="upper right", framealpha=0.9, edgecolor="0.85")
    tidy(axes)
    return figure


def against_background(title: str, name: str, found: Background) -> Figure:
    """One dot an image. Shibata 2021, figure A.20."""
    figure, axes = plt.subplots(figsize=(6.4, 4.8), layout="constrained")
    truth, shares, scores = np.array(found.abnormal), np.array(found.shares), np.array(found.scores[name])
    for side, colour, label in ((~truth, NORMAL, "normal"), (truth, ABNORMAL, "abnormal")):
        axes.plot(
            shares[side],
            scores[side],
            ".",
            color=colour,
            markersize=4,
            alpha=0.55,
            label=f"{label} ({int(side.sum())})",
        )
    low, high = np.quantile(scores, (0.002, 0.998))
    margin = 0.08 * max(high - low, 1e-9)
    axes.set(xlabel="share of the image that is background", ylabel=name, ylim=(low - margin, high + margin))
    rank = found.rank_correlation(name)
    words = f"rank correlation among normals {rank:+.2f} (near 0: the score does not measure the background)"
    axes.set_title(
        f"{title}: {name} against the share of background\n{words if np.isfinite(rank) else ''}",
        fontsize=9,
    )
    axes.legend(fontsize=8, framealpha=0.9, edgecolor="0.85")
    tidy(axes)
    return figure
