"""What every plot of an evaluation shares: colours, the notice, thumbnails of originals, and how a figure becomes a file."""

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

from engine.preprocess.planar import resize
from engine.scoring.result import SeriesResult

NORMAL, ABNORMAL = "#2b7bba", "#d0402b"
THUMBNAIL = 160
NOTICE = "Research use only; not for diagnosis."
_FOOT = 0.14  # inches kept free for it

Grey = npt.NDArray[np.float32]


def save(figure: Figure, path: Path) -> None:
    """Write the figure with the notice, and forget it."""
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.set(rect=(0, _FOOT / figure.get_figheight(), 1, 1 - _FOOT / figure.get_figheight()))  # type: ignore[call-arg]
    figure.text(0.995, 0.003, NOTICE, ha="right", va="bottom", fontsize=6.5, color="0.45")
    figure.savefig(path, dpi=120)
    plt.close(figure)


def colour(abnormal: bool) -> str:
    """Of a class, the same in every plot."""
    return ABNORMAL if abnormal else NORMAL


def tidy(axes: Axes) -> None:
    """Axes without a box, with a faint grid."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="0.92", linewidth=0.8)
    axes.set_axisbelow(True)


def hottest_slice(heatmap: npt.NDArray[np.floating] | None) -> int | None:
    """The slice of a volume to show; None for an image, or without a heatmap."""
    return None if heatmap is None or heatmap.ndim == 2 else hottest_slices(heatmap, 1)[0]


def hottest_slices(heatmap: npt.NDArray[np.floating], count: int) -> list[int]:
    """The slices of a volume with the highest mean, the hottest first; a tenth of the slices lies between two of them."""
    heat = np.nan_to_num(heatmap.astype(np.float32), nan=0).clip(0, 5).mean(axis=(1, 2))
    apart = max(1, len(heat) // 10)
    chosen: list[int] = []
    for index in np.argsort(-heat, kind="stable").tolist():
        if all(abs(index - other) >= apart for other in chosen):
            chosen.append(index)
        if len(chosen) == count:
            break
    return chosen


def original(result: SeriesResult) -> Grey:
    """The image as its file asks to be shown, read again: results hold no originals. Of a volume its hottest, else its middle slice."""
    if result.series.kind == "radiograph":
        return result.series.load_radiograph().presentation()
    index = hottest_slice(result.heatmap)
    return brain_window(result, [index])[0]


def brain_window(result: SeriesResult, slices: Sequence[int | None]) -> list[Grey]:
    """Slices of a volume (None: the middle one), 0 to 80 HU shown as 0 to 1."""
    voxels = result.series.load_volume(workers=1).voxels
    chosen = (len(voxels) // 2 if index is None else index for index in slices)
    return [np.clip(np.asarray(voxels[index], np.float32) / 80, 0, 1).astype(np.float32) for index in chosen]


def thumbnail(image: Grey, side: int = THUMBNAIL) -> Grey:
    """At most `side` pixels long, its proportions kept."""
    scale = side / max(image.shape)
    shape = (max(1, round(image.shape[0] * scale)), max(1, round(image.shape[1] * scale)))
    return resize(np.nan_to_num(image).astype(np.float32), shape)


def show(axes: Axes, image: Grey, abnormal: bool | None = None) -> None:
    """An image without ticks, framed in its class's colour where one is given."""
    axes.imshow(image, cmap="gray", vmin=0, vmax=1)
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set_visible(abnormal is not None)
        spine.set(color=colour(bool(abnormal)), linewidth=2)


def show_heat(axes: Axes, heatmap: npt.NDArray[np.floating], shape: tuple[int, ...]) -> None:
    """A heatmap in cohort units over the thumbnail just shown: clear at 0, from dark to bright at 3 and beyond."""
    heat = resize(np.nan_to_num(heatmap).astype(np.float32), (shape[0], shape[1]))
    axes.imshow(heat, cmap="inferno", vmin=0, vmax=3, alpha=np.clip(heat / 2, 0, 0.75))
