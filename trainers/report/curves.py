"""ROC curves: of one model's scores, of two models, of several runs; and the areas of each finding and group as a forest plot."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from engine.models.card import Metric
from trainers.groups import FINDINGS, Groups
from trainers.metrics import RocCurve
from trainers.report.drawing import tidy

MOST_CURVES = 6
"""More scores than these are listed with their areas alone: bands on bands show nothing."""


def roc(title: str, primary: str, metrics: dict[str, Metric], curves: dict[str, RocCurve]) -> Figure:
    """The primary score's curve with its band and Youden's point; the other scores' beside it, thin."""
    figure, axes = _square()
    others = sorted((name for name in metrics if name != primary), key=lambda name: -metrics[name].auroc)
    for index, name in enumerate([primary, *others]):
        metric, curve = metrics[name], curves[name]
        low, high = metric.auroc_ci95
        first = name == primary
        if index < MOST_CURVES:
            label = f"{name}: {metric.auroc:.3f} ({low:.3f} to {high:.3f})"
            _draw(axes, curve, label, f"C{index}", band=first, width=2.2 if first else 1.1)
        else:
            axes.plot([], [], " ", label=f"{name}: {metric.auroc:.3f} ({low:.3f} to {high:.3f})")
    best = metrics[primary]
    axes.plot(1 - best.specificity, best.sensitivity, "o", color="C0", markeredgecolor="white", markersize=8, zorder=5)
    axes.annotate(
        f"Youden: sensitivity {best.sensitivity:.0%},\nspecificity {best.specificity:.0%}",
        (1 - best.specificity, best.sensitivity),
        xytext=(14, -16),
        textcoords="offset points",
        fontsize=8,
        va="top",
        bbox={"boxstyle": "round,pad=0.25", "facecolor": "white", "edgecolor": "none", "alpha": 0.8},
    )
    axes.set_title(f"{title}\n{best.n_normal} normal, {best.n_abnormal} abnormal images", fontsize=10)
    _legend(axes, f"AUROC (95% over patients); band: 95% of {primary}")
    return figure


def two_models(title: str, named: Sequence[tuple[str, Metric, RocCurve]]) -> Figure:
    """Two models' primary scores on the same images, both with their bands."""
    figure, axes = _square()
    for index, (name, metric, curve) in enumerate(named):
        low, high = metric.auroc_ci95
        _draw(axes, curve, f"{name}: {metric.auroc:.3f} ({low:.3f} to {high:.3f})", f"C{index}", band=True, width=2)
    axes.set_title(title, fontsize=9)
    _legend(axes, "AUROC (95% over patients), bands: 95%")
    return figure


def several_runs(title: str, label: str, grid: np.ndarray, sensitivities: np.ndarray) -> Figure:
    """The mean of several runs' curves with 95% of the runs around it.

    Args:
        grid: [G] false-positive rates.
        sensitivities: [runs, G].
    """
    figure, axes = _square()
    for one in sensitivities:
        axes.plot(grid, one, color="0.75", linewidth=0.8)
    mean, spread = sensitivities.mean(axis=0), sensitivities.std(axis=0, ddof=1)
    low, high = np.clip(mean - 1.96 * spread, 0, 1), np.clip(mean + 1.96 * spread, 0, 1)
    axes.fill_between(grid, low, high, color="C0", alpha=0.18, linewidth=0, label="mean +- 1.96 deviations of the runs")
    axes.plot(grid, mean, color="C0", linewidth=2.2, label=label)
    axes.set_title(title, fontsize=10)
    _legend(axes, None)
    return figure


def forest(title: str, overall: Metric, groups: Groups, score: str) -> Figure:
    """One line a finding and group: its area, its interval and its numbers; the dashed line is the whole cohort's."""
    rows: list[tuple[str, Metric | None]] = [("all images", overall)]
    for column, values in groups.metrics[score].items():
        kind = "abnormal with it, all normals" if column in FINDINGS else "within the group"
        rows.append((f"{column} ({kind})", None))
        ordered = list(values.items())
        if column in FINDINGS:
            ordered.sort(key=lambda item: -item[1].auroc)
        rows.extend((f"    {value.replace('_', ' ')}", metric) for value, metric in ordered)
    figure, axes = plt.subplots(figsize=(8.2, 1.3 + 0.27 * len(rows)), layout="constrained")
    for height, (_, metric) in enumerate(rows):
        if metric is None:
            continue
        low, high = metric.auroc_ci95
        axes.plot([low, high], [height, height], color="C0", linewidth=1.6, solid_capstyle="butt")
        axes.plot(metric.auroc, height, "s", color="C0", markersize=5)
        words = f"{metric.auroc:.3f} ({low:.3f} to {high:.3f})   {metric.n_normal} / {metric.n_abnormal}"
        axes.text(1.03, height, words, transform=axes.get_yaxis_transform(), va="center", fontsize=7.5)
    axes.axvline(overall.auroc, color="0.4", linewidth=0.9, linestyle="--")
    axes.axvline(0.5, color="0.7", linewidth=0.9)
    intervals = [metric.auroc_ci95 for _, metric in rows if metric is not None]
    axes.set(xlim=(min(0.48, *(low for low, _ in intervals)) - 0.02, 1.005), ylim=(len(rows) - 0.4, -0.6))
    axes.set_yticks(range(len(rows)), [name for name, _ in rows], fontsize=8)
    for tick, (_, metric) in zip(axes.get_yticklabels(), rows, strict=True):
        tick.set(ha="left", fontweight="bold" if metric is None else "normal")
    axes.tick_params(axis="y", length=0, pad=185)
    axes.set_xlabel("AUROC (95% over patients)    right: normal / abnormal images", fontsize=8)
    axes.set_title(f"{title}: {score}", fontsize=10)
    axes.spines[["top", "right", "left"]].set_visible(False)
    return figure


def _square() -> tuple[Figure, Axes]:
    figure, axes = plt.subplots(figsize=(6.4, 6.7), layout="constrained")
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1, linestyle="--")
    axes.set(xlabel="1 - specificity", ylabel="sensitivity", xlim=(-0.01, 1), ylim=(0, 1.01), aspect="equal")
    tidy(axes)
    return figure, axes


def _draw(axes: Axes, curve: RocCurve, label: str, colour: str, *, band: bool, width: float) -> None:
    if band:
        axes.fill_between(curve.grid, curve.lower, curve.upper, color=colour, alpha=0.15, linewidth=0)
    axes.plot(curve.false_positive_rate, curve.sensitivity, color=colour, linewidth=width, label=label)


def _legend(axes: Axes, title: str | None) -> None:
    axes.legend(loc="lower right", fontsize=8, title=title, title_fontsize=8, framealpha=0.9, edgecolor="0.85")
