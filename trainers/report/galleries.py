"""Pages of images: the highest and lowest scored, real beside reconstruction, and what people marked beside what the heatmap shows."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from engine.scoring.result import SeriesResult
from trainers.localisation import Marked, Region
from trainers.report.drawing import (
    THUMBNAIL,
    brain_window,
    colour,
    hottest_slice,
    hottest_slices,
    original,
    show,
    show_heat,
    thumbnail,
)

GALLERY = 36
COLUMNS = 9
_FRAME, _GAP, _CAPTION = 3, 16, 22  # pixels of a page at 120 to the inch
_CELL = (THUMBNAIL + _CAPTION + _FRAME + 5, THUMBNAIL + _GAP)
MARKED = 24
TOP_CASES = 6
SLICES = 3


def gallery(title: str, results: Sequence[SeriesResult], abnormal: Sequence[bool], indices: Sequence[int]) -> Figure:
    """Images with score and percentile, framed in their class's colour. Nakao 2021, figure 4; Shibata 2021, figures 7 and 8."""
    rows = -(-len(indices) // COLUMNS)
    # one picture, not an axes an image: drawing is ten times faster
    page = np.ones((rows * _CELL[0], COLUMNS * _CELL[1], 3), np.float32)
    figure = plt.figure(figsize=(page.shape[1] / 120, page.shape[0] / 120 + 0.55))
    axes = figure.add_axes((0, 0.02, 1, page.shape[0] / 120 / figure.get_figheight() - 0.02))
    for place, index in enumerate(indices):
        result, edge = results[index], to_rgb(colour(abnormal[index]))
        top, left = place // COLUMNS * _CELL[0] + _CAPTION, place % COLUMNS * _CELL[1] + _GAP // 2
        picture = thumbnail(original(result))
        top, left = top + (THUMBNAIL - picture.shape[0]) // 2, left + (THUMBNAIL - picture.shape[1]) // 2
        bottom, right = top + picture.shape[0], left + picture.shape[1]
        page[top - _FRAME : bottom + _FRAME, left - _FRAME : right + _FRAME] = edge
        page[top:bottom, left:right] = np.clip(picture, 0, 1)[..., np.newaxis]
        value = result.scores[result.primary]
        words = (
            f"{value.score:.3g}" if value.score == value.percentile else f"{value.score:.3g} ({value.percentile:.0f})"
        )
        axes.text((left + right) / 2, top - _FRAME - 3, words, ha="center", va="bottom", fontsize=7.5, color=edge)
    axes.imshow(page, interpolation="none", aspect="auto")
    axes.axis("off")
    ill = sum(abnormal[index] for index in indices)
    figure.text(
        0.5,
        0.995,
        f"{title}: {ill} of {len(indices)} are labelled abnormal\n"
        "blue: normal, red: abnormal; score (percentile among calibration normals)",
        ha="center",
        va="top",
        fontsize=9,
    )
    return figure


def reconstructions(title: str, results: Sequence[SeriesResult], abnormal: Sequence[bool]) -> Figure:
    """Real, the model's normal version, and the heatmap over the real one, a column an image. Tang 2019, figure 2."""
    figure, grid = plt.subplots(3, len(results), figsize=(len(results) * 1.6, 5.5), layout="constrained", squeeze=False)
    for column, (result, ill) in enumerate(zip(results, abnormal, strict=True)):
        assert result.reconstruction is not None
        middle = hottest_slice(result.heatmap)
        real = thumbnail(original(result))
        made = result.reconstruction if middle is None else result.reconstruction[middle]
        show(grid[0, column], real, ill)
        show(grid[1, column], thumbnail(made))
        show(grid[2, column], real)
        if result.heatmap is not None:
            show_heat(grid[2, column], result.heatmap if middle is None else result.heatmap[middle], real.shape)
        place = result.scores[result.primary].percentile
        grid[0, column].set_title(
            f"{'abnormal' if ill else 'normal'} ({place:.0f})", fontsize=8, color=colour(ill), pad=3
        )
    for row, words in enumerate(("the patient's image", "the model's version", "heatmap, 0 to 3")):
        grid[row, 0].set_ylabel(words, fontsize=8)
    figure.suptitle(
        f"{title}: real beside reconstruction, from the highest to the lowest score of each class (percentile)",
        fontsize=9,
    )
    return figure


def top_cases(title: str, results: Sequence[SeriesResult], abnormal: Sequence[bool]) -> Figure:
    """The most abnormal volumes, a row each: their hottest slices as acquired, and with the heatmap. Shibata 2021, figures 11 to 14."""
    figure, grid = plt.subplots(
        len(results),
        2 * SLICES,
        figsize=(2 * SLICES * 1.75, len(results) * 1.9 + 0.5),
        layout="constrained",
        squeeze=False,
    )
    for row, (result, ill) in enumerate(zip(results, abnormal, strict=True)):
        assert result.heatmap is not None
        chosen = hottest_slices(result.heatmap, SLICES)
        planes = brain_window(result, chosen)
        for column, (index, plane) in enumerate(zip(chosen, planes, strict=True)):
            real = thumbnail(plane, 240)
            show(grid[row, 2 * column], real, ill)
            show(grid[row, 2 * column + 1], real)
            show_heat(grid[row, 2 * column + 1], result.heatmap[index], real.shape)
            grid[row, 2 * column].set_title(f"slice {index + 1}", fontsize=7.5, pad=3)
        value = result.scores[result.primary]
        words = f"{'abnormal' if ill else 'normal'}\n{value.score:.3g} ({value.percentile:.0f})"
        grid[row, 0].set_ylabel(words, fontsize=8, color=colour(ill))
    figure.suptitle(
        f"{title}: the most abnormal cases, hottest slices first; heatmap 0 to 3 in cohort units", fontsize=9
    )
    return figure


def marked_gallery(title: str, images: Sequence[Marked]) -> Figure:
    """What people marked over the heatmap, evenly spaced from the best to the worst located, so that nobody chose them."""
    areas = [image.pixel_auroc(image.regions) for image in images]
    order = sorted((i for i in range(len(images)) if np.isfinite(areas[i])), key=lambda i: -areas[i])
    chosen = [order[int(place)] for place in np.linspace(0, len(order) - 1, min(MARKED, len(order)))]
    rows, columns = -(-len(chosen) // 8), min(8, max(len(chosen), 1))
    figure, grid = plt.subplots(
        rows, columns, figsize=(max(columns * 1.75, 5), rows * 2.1 + 0.5), layout="constrained", squeeze=False
    )
    for axes in grid.flat[len(chosen) :]:
        axes.axis("off")
    for axes, index in zip(grid.flat, chosen, strict=False):
        _show_marked(axes, images[index], areas[index])
    figure.suptitle(
        f"{title}: heatmap (cohort units 0 to 3) and what was marked (green: holds the peak, white: does not)\n"
        "cross: the heatmap's peak; number: AUROC of pixels inside against outside",
        fontsize=9,
    )
    return figure


def _show_marked(axes: Axes, image: Marked, area: float) -> None:
    heatmap = image.result.heatmap
    assert heatmap is not None
    real = thumbnail(original(image.result), 240)
    middle = hottest_slice(heatmap)
    show(axes, real)
    show_heat(axes, heatmap if middle is None else heatmap[middle], real.shape)
    rows, columns = real.shape
    for region in image.regions:
        _outline(axes, region, image.hit(region) > 0.5, rows, columns, middle)
    for peak in image.peaks[:1]:
        axes.plot(
            peak[-1] * columns - 0.5, peak[-2] * rows - 0.5, "+", color="#35d4ff", markersize=9, markeredgewidth=1.8
        )
    findings = ", ".join(dict.fromkeys(region.finding for region in image.regions))
    axes.set_title(f"{findings}\n{area:.2f}", fontsize=7, pad=3)


def _outline(axes: Axes, region: Region, hit: bool, rows: int, columns: int, middle: int | None) -> None:
    edge = "#3fe06a" if hit else "white"
    if region.box is not None:
        top, left, bottom, right = region.box
        corner = (left * columns - 0.5, top * rows - 0.5)
        size = ((right - left) * columns, (bottom - top) * rows)
        axes.add_patch(Rectangle(corner, *size, fill=False, edgecolor=edge, linewidth=1.3))
        return
    shape = (rows, columns) if middle is None else (len(region.mask) if region.mask is not None else 0, rows, columns)
    inside = region.inside(shape)
    axes.contour(inside if middle is None else inside[middle], levels=[0.5], colors=edge, linewidths=1.3)
