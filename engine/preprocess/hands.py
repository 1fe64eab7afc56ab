"""Where the limb lies on a film, and whether there are two side by side. Looks at a body mask; learns nothing.

Substitutes the detector that Davletshina 2020 (section 2.1) fine-tuned on about 150 labelled boxes, which frames each hand and splits films that
show two. Here the box is that of the body mask, and a film is split where the mask's column profile has an empty or deep valley near its middle.
Limbs one above the other, and hands laid across each other, stay one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from engine.preprocess.reduction import Mask, reduced

MARGIN = 0.04
"""Of the film's longer side, left around a limb."""
LEAST_SHARE = 0.25
"""Of the mask, that the smaller of two limbs has."""
VALLEY = 0.25
"""Of the lower of both limbs' profiles, that the valley between them does not exceed."""


@dataclass(frozen=True)
class Limb:
    """A limb's box on the film, at whole pixels, and how much of the film it covers."""

    rows: slice
    columns: slice
    share: float


def find_limbs(body: Mask) -> tuple[Limb, ...]:
    """One or two limbs, left to right as the picture shows them.

    Args:
        body: [rows, columns] bool, as `body_mask` gives it; not empty.
    """
    small = reduced(body.astype(np.float32)) >= 0.5
    if not small.any():
        small = reduced(body.astype(np.float32)) > 0
    cut = _valley(small)
    spans = [slice(0, small.shape[1])] if cut is None else [slice(0, cut), slice(cut, small.shape[1])]
    return tuple(_limb(small, span, body.shape) for span in spans)


def _valley(mask: Mask) -> int | None:
    """The column between two limbs, or None where there is one."""
    profile = ndimage.uniform_filter1d(mask.sum(0).astype(np.float64), 3)
    filled = np.flatnonzero(profile >= 1)
    if filled.size < 8:
        return None
    first, last = int(filled[0]), int(filled[-1])
    quarter = (last - first) // 4
    middle = np.arange(first + quarter, last - quarter + 1)
    lowest = middle[profile[middle] == profile[middle].min()]
    cut = int(lowest[len(lowest) // 2])
    left, right = mask[:, :cut].sum(), mask[:, cut:].sum()
    if min(left, right) < LEAST_SHARE * (left + right):
        return None
    return cut if profile[cut] <= VALLEY * min(profile[:cut].max(), profile[cut:].max()) else None


def _limb(mask: Mask, span: slice, film: tuple[int, ...]) -> Limb:
    """The box of the mask within a span of columns, with its margin, in the film's pixels; it never reaches over the span."""
    part = mask[:, span]
    margin = MARGIN * max(mask.shape)
    rows, columns = np.flatnonzero(part.any(1)), np.flatnonzero(part.any(0)) + span.start
    down, across = film[0] / mask.shape[0], film[1] / mask.shape[1]
    top, bottom = max(0.0, rows[0] - margin), min(mask.shape[0], rows[-1] + 1 + margin)
    left, right = max(span.start, columns[0] - margin), min(span.stop, columns[-1] + 1 + margin)
    return Limb(
        slice(round(top * down), max(round(top * down) + 1, round(bottom * down))),
        slice(round(left * across), max(round(left * across) + 1, round(right * across))),
        float(part.sum()) / mask.size,
    )
