"""The plots of an evaluation, as PNG files: ROC curves, score histograms, galleries, real beside reconstruction. Draws what it is given."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from engine.models.card import Card, Metric
from engine.preprocess.planar import resize
from engine.scoring.result import SeriesResult
from trainers.metrics import RocCurve

GALLERY = 18
THUMBNAIL = 160
NOTICE = "Research use only; not for diagnosis."
_NORMAL, _ABNORMAL = "#2b8cbe", "#d7301f"

Grey = npt.NDArray[np.float32]


def write_plots(
    folder: Path,
    card: Card,
    results: Sequence[SeriesResult],
    abnormal: Sequence[bool],
    metrics: dict[str, Metric],
    curves: dict[str, RocCurve],
) -> None:
    """roc.png, histogram_SCORE.png, gallery_highest.png, gallery_lowest.png (by the primary score) and reconstructions.png."""
    _save(_roc(card, metrics, curves), folder / "roc.png")
    for name in metrics:
        _save(_histogram(card, name, results, abnormal, metrics[name]), folder / f"histogram_{name}.png")
    ranked = sorted(range(len(results)), key=lambda i: -results[i].scores[card.primary_score].score)
    for title, indices in (("highest", ranked[:GALLERY]), ("lowest", ranked[::-1][:GALLERY])):
        figure = _gallery(f"{card.title}: {title} {card.primary_score}", results, abnormal, indices)
        _save(figure, folder / f"gallery_{title}.png")
    if results[0].reconstruction is not None:
        # evenly spaced over the ranking of each class, so that nobody chose them
        chosen = [side[i] for side in _sides(ranked, abnormal) for i in np.linspace(0, len(side) - 1, 4).astype(int)]
        _save(_reconstructions(card, results, abnormal, chosen), folder / "reconstructions.png")


def _sides(ranked: Sequence[int], abnormal: Sequence[bool]) -> tuple[list[int], list[int]]:
    return [i for i in ranked if not abnormal[i]], [i for i in ranked if abnormal[i]]


def _save(figure: Figure, path: Path) -> None:
    figure.text(0.995, 0.005, NOTICE, ha="right", va="bottom", fontsize=7, color="0.4")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _roc(card: Card, metrics: dict[str, Metric], curves: dict[str, RocCurve]) -> Figure:
    figure, axes = plt.subplots(figsize=(6.4, 6.4), layout="constrained")
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1, linestyle="--")
    for index, (name, metric) in enumerate(metrics.items()):
        curve, colour = curves[name], f"C{index}"
        low, high = metric.auroc_ci95
        label = f"{name}: {metric.auroc:.3f} ({low:.3f} to {high:.3f})"
        axes.fill_between(curve.grid, curve.lower, curve.upper, color=colour, alpha=0.12, linewidth=0)
        axes.plot(curve.false_positive_rate, curve.sensitivity, color=colour, label=label)
        axes.plot(1 - metric.specificity, metric.sensitivity, "o", color=colour)
    some = next(iter(metrics.values()))
    axes.set(xlabel="1 - specificity", ylabel="sensitivity", xlim=(0, 1), ylim=(0, 1), aspect="equal")
    axes.set_title(f"{card.title}\n{some.n_normal} normal, {some.n_abnormal} abnormal images", fontsize=10)
    axes.legend(
        loc="lower right", fontsize=8, title="AUROC (95% over patients); dot: Youden's cut-off", title_fontsize=8
    )
    return figure


def _histogram(
    card: Card, name: str, results: Sequence[SeriesResult], abnormal: Sequence[bool], metric: Metric
) -> Figure:
    values, truth = np.array([r.scores[name].score for r in results]), np.array(abnormal)
    low, high = np.quantile(values, (0.002, 0.998))
    bins = list(np.linspace(low, max(high, low + 1e-9), 50))
    figure, axes = plt.subplots(figsize=(6.4, 4), layout="constrained")
    for side, colour, label in ((~truth, _NORMAL, "normal"), (truth, _ABNORMAL, "abnormal")):
        count = int(side.sum())
        axes.hist(
            np.clip(values[side], low, high),
            bins,
            weights=np.full(count, 1 / count),
            color=colour,
            alpha=0.5,
            label=f"{label} ({count})",
        )
    axes.axvline(metric.youden_cutoff, color="0.2", linewidth=1, label=f"Youden's cut-off {metric.youden_cutoff:.4g}")
    if (calibration := card.calibration.scores.get(name)) is not None:
        flag = float(np.percentile(calibration.normal_scores, card.calibration.flag_percentile))
        label = f"{card.calibration.flag_percentile:g}th percentile of the calibration normals"
        axes.axvline(flag, color="0.2", linewidth=1, linestyle=":", label=label)
    axes.set(xlabel=name, ylabel="share of the class")
    axes.set_title(f"{card.title}: {name}", fontsize=10)
    axes.legend(fontsize=8)
    return figure


def _gallery(title: str, results: Sequence[SeriesResult], abnormal: Sequence[bool], indices: Sequence[int]) -> Figure:
    columns = 6
    rows = -(-len(indices) // columns)
    figure, grid = plt.subplots(
        rows, columns, figsize=(columns * 1.7, rows * 1.95 + 0.4), layout="constrained", squeeze=False
    )
    for axes in grid.flat:
        axes.axis("off")
    for axes, index in zip(grid.flat, indices, strict=False):
        result = results[index]
        _show(axes, _thumbnail(_original(result)))
        place = result.scores[result.primary]
        axes.set_title(
            f"{place.score:.3g} ({place.percentile:.0f}th)",
            fontsize=8,
            color=_ABNORMAL if abnormal[index] else _NORMAL,
        )
    figure.suptitle(f"{title} (blue: normal, red: abnormal; percentile among calibration normals)", fontsize=9)
    return figure


def _reconstructions(
    card: Card, results: Sequence[SeriesResult], abnormal: Sequence[bool], indices: Sequence[int]
) -> Figure:
    figure, grid = plt.subplots(3, len(indices), figsize=(len(indices) * 1.6, 5.6), layout="constrained", squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for column, index in enumerate(indices):
        result = results[index]
        assert result.reconstruction is not None
        middle = _middle(result)
        original = _thumbnail(_original(result))
        _show(grid[0, column], original)
        _show(grid[1, column], _thumbnail(_slice(result.reconstruction, middle)))
        _show(grid[2, column], original)
        if result.heatmap is not None:
            heat = _thumbnail(np.nan_to_num(_slice(result.heatmap.astype(np.float32), middle)))
            grid[2, column].imshow(heat, cmap="inferno", vmin=0, vmax=3, alpha=np.clip(heat / 2, 0, 0.8))
        grid[0, column].set_title(
            "abnormal" if abnormal[index] else "normal", fontsize=8, color=_ABNORMAL if abnormal[index] else _NORMAL
        )
    figure.suptitle(f"{card.title}: real, reconstruction, heatmap (0 to 3 in cohort units)", fontsize=9)
    return figure


def _middle(result: SeriesResult) -> int | None:
    """The slice to show of a volume: the hottest one."""
    if result.heatmap is None or result.heatmap.ndim == 2:
        return None
    return int(np.argmax(np.nanmean(np.nan_to_num(result.heatmap, nan=0).clip(0, 5), axis=(1, 2))))


def _original(result: SeriesResult) -> Grey:
    """The image as its file asks to be shown, read again: results hold no originals."""
    if result.series.kind == "radiograph":
        return result.series.load_radiograph().presentation()
    volume = result.series.load_volume(workers=1)
    middle = _middle(result)
    plane = np.asarray(volume.voxels[len(volume.voxels) // 2 if middle is None else middle], np.float32)
    return np.clip(plane / 80, 0, 1).astype(np.float32)  # the brain window, 0 to 80 HU


def _slice(array: Grey, index: int | None) -> Grey:
    return array if index is None else array[index]


def _thumbnail(image: Grey) -> Grey:
    return resize(np.nan_to_num(image), (THUMBNAIL, THUMBNAIL))


def _show(axes: Axes, image: Grey) -> None:
    axes.imshow(image, cmap="gray", vmin=0, vmax=1)
