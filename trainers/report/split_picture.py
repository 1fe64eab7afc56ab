"""Who is in which part of a model's split, and who of them was judged here, as a picture (SALAD, figure 4). Draws what it is given."""

from __future__ import annotations

from dataclasses import dataclass

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from trainers.report.drawing import ABNORMAL, NORMAL

_UNKNOWN = "0.6"
_WORDS = {
    "train": "learned from",
    "mixture": "learned from, unlabelled",
    "calibration": "percentiles made on",
    "stopping": "the best epoch chosen on",
    "selection": "runs watched and chosen on",
    "validation": "the card's figures",
}


@dataclass(frozen=True)
class SplitPart:
    """One part: how many patients the card has in it, and the images of this cohort that are theirs, by label."""

    name: str
    patients: int
    normal: int
    abnormal: int


def split_picture(title: str, parts: tuple[SplitPart, ...], judged: SplitPart) -> Figure:
    """A bar a part: images found here in blue (normal) and red (abnormal); a hatched bar stands for patients who are not in this cohort."""
    rows = (*parts, judged)
    figure, axes = plt.subplots(figsize=(8.2, 1.5 + 0.55 * len(rows)), layout="constrained")
    longest = max(max(part.normal + part.abnormal, part.patients) for part in rows) or 1
    for height, part in enumerate(rows):
        found = part.normal + part.abnormal
        if found:
            axes.barh(height, part.normal, color=NORMAL, height=0.6)
            axes.barh(height, part.abnormal, left=part.normal, color=ABNORMAL, height=0.6)
            words = f"{part.patients} patients: {part.normal} normal, {part.abnormal} abnormal images"
        else:
            axes.barh(height, part.patients, color="0.93", edgecolor=_UNKNOWN, hatch="///", height=0.6, linewidth=0)
            words = f"{part.patients} patients, none of them here"
        axes.text(max(found, 0 if found else part.patients) + longest * 0.01, height, words, va="center", fontsize=8)
    names = [f"{part.name}\n({_WORDS[part.name]})" if part.name in _WORDS else part.name for part in rows]
    axes.set_yticks(range(len(rows)), names, fontsize=8)
    axes.set(xlim=(0, longest * 1.55), ylim=(len(rows) - 0.4, -0.6))
    axes.axhline(len(parts) - 0.5, color="0.5", linewidth=0.8)
    axes.set_xlabel("images in this cohort (hatched: patients of the card)", fontsize=8)
    axes.set_title(f"{title}: the split by patient", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    return figure
