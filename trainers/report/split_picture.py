"""Who is in which part of a model's split, who was judged here, and which body parts they show (SALAD, figures 4 and 7). Draws what it is given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from trainers.repartition import Repartition, Row
from trainers.report.drawing import ABNORMAL, NORMAL

MIXED = "#8a63a8"
_ELSEWHERE: dict[str, Any] = {"facecolor": "0.93", "edgecolor": "0.6", "hatch": "///", "linewidth": 0}
_WORDS = {
    "train": "learned from",
    "mixture": "learned from, unlabelled",
    "calibration": "percentiles made on",
    "stopping": "the best epoch chosen on",
    "selection": "runs watched and chosen on",
    "validation": "the card's figures",
    "unused": "kept apart, not drawn",
}
_UNITS = {"patient": "patients", "patient-and-body-part": "patients' body parts"}
_BAR, _ROW = 0.62, 0.46  # the latter in inches
_FAINT = "0.35"


def split_picture(title: str, found: Repartition) -> Figure:
    """A bar a part of the split: its units found here, normal, mixed and abnormal, and hatched those of the card that are not found. Below, likewise and on
    the same scale, the body parts, where there are several."""
    units = _UNITS[found.split_by]
    panels = [(f"{units} in each part of the split", (*found.split, found.judged))]
    if found.parts:
        panels.append(("patients in all that was given here, by body part", found.parts))
    lengths = [len(rows) for _, rows in panels]
    figure, drawn = plt.subplots(
        len(panels),
        1,
        figsize=(8.2, 1.05 + _ROW * sum(lengths) + 0.4 * len(panels)),
        height_ratios=lengths,
        squeeze=False,
        layout="constrained",
    )
    every = [row for _, rows in panels for row in rows]
    longest = max(row.here + row.elsewhere for row in every) or 1
    for axes, (words, rows) in zip(drawn[:, 0], panels, strict=True):
        _bars(axes, rows, longest, found.named)
        axes.set_title(words, fontsize=8.5, loc="left", color=_FAINT)
    drawn[0][0].axhline(len(found.split) - 0.5, color="0.8", linewidth=0.8)
    whose = "patient" if found.split_by == "patient" else "body part of a patient"
    figure.suptitle(f"{title}: the split by {whose}", fontsize=10)
    _legend(drawn[-1][0], every, found.named)
    return figure


def _bars(axes: Axes, rows: Sequence[Row], longest: int, named: bool) -> None:
    """Every bar says its counts, so that there is no scale to read them from."""
    for height, row in enumerate(rows):
        left = 0
        for count, colour in ((row.normal, NORMAL), (row.mixed, MIXED), (row.abnormal, ABNORMAL)):
            axes.barh(height, count, left=left, color=colour, height=_BAR)
            left += count
        axes.barh(height, row.elsewhere, left=left, height=_BAR, **_ELSEWHERE)
        axes.text(left + row.elsewhere + longest * 0.012, height, _said(row, named), va="center", fontsize=8)
    names = [f"{row.name}\n({_WORDS[row.name]})" if row.name in _WORDS else row.name for row in rows]
    axes.set_yticks(range(len(rows)), names, fontsize=8)
    axes.tick_params(axis="y", length=0)
    axes.set(xlim=(0, longest * 1.75), ylim=(len(rows) - 0.5, -0.5), xticks=[])
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.spines["left"].set_color("0.6")


def _said(row: Row, named: bool) -> str:
    """In words, what the bar shows."""
    if not row.here:
        where = "none of them here" if named else "whom the card does not name"
        return f"{row.elsewhere:,}, {where}" if row.elsewhere else "none"
    kinds = ((row.normal, "normal"), (row.mixed, "mixed"), (row.abnormal, "abnormal"), (row.elsewhere, "not here"))
    counted = ", ".join(f"{count:,} {what}" for count, what in kinds if count)
    return f"{counted}  ({row.images:,} image{'s' if row.images > 1 else ''})"


def _legend(axes: Axes, rows: Sequence[Row], named: bool) -> None:
    """Only what occurs, below the bars."""
    keys = [
        (any(row.normal for row in rows), Patch(color=NORMAL, label="normal images alone")),
        (any(row.mixed for row in rows), Patch(color=MIXED, label="mixed: both")),
        (any(row.abnormal for row in rows), Patch(color=ABNORMAL, label="abnormal images alone")),
        (
            any(row.elsewhere for row in rows),
            Patch(label="of the card, not here" if named else "of the card, not named", **_ELSEWHERE),
        ),
    ]
    shown = [patch for occurs, patch in keys if occurs]
    axes.legend(
        handles=shown,
        loc="upper left",
        bbox_to_anchor=(0, -0.02),
        ncols=len(shown),
        fontsize=8,
        frameon=False,
        borderpad=0.4,
        borderaxespad=0,
    )
