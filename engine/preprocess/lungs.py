"""The lung fields of a frontal chest film, to look beside them or at them alone. A rough outline for checks, not a measurement.

None of the five papers has this step: it serves to ask whether a model separates the classes by what is not lung (exposure, framing, letters).
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from skimage.filters import gaussian, threshold_otsu
from skimage.morphology import convex_hull_image, disk

from engine.preprocess.foreground import body_mask
from engine.preprocess.prepared import Map
from engine.preprocess.reduction import Mask, enlarged, reduced

SMALLEST, LARGEST = 0.04, 0.3
"""Of the film: the area of one lung."""
COMPACT = 0.85
"""Of its hull, that a lung fills: with a shoulder joined to it, it fills less."""
AT_EDGE = 0.15
"""Of its outline, that may lie where the body ends."""
THRESHOLDS = 10


def lung_fields(image: Map) -> tuple[Mask, bool]:
    """([rows, columns] bool, True in the lung fields; whether they were found).

    Each lung is the convex hull of a dark part of its half of the body, so that vessels, ribs and small consolidations belong to it: the part at the
    highest threshold at which it is compact and apart from the shoulders. Where that gives no two plausible lungs, as with a white lung, both are
    a pair of ellipses where lungs usually lie: a field must be taken from such films too, or its absence would tell the classes apart.

    Args:
        image: [rows, columns] float32 in [0, 1] of a frontal chest, bone white.
    """
    small = gaussian(reduced(image), 2.0)
    body = body_mask(small)
    inside = np.ones(small.shape, bool) if body is None else body
    lungs = _dark_parts(small, inside)
    if lungs is None:
        return enlarged(_usual_place(inside), image.shape), False
    return enlarged(lungs, image.shape), True


def _dark_parts(small: Map, body: Mask) -> Mask | None:
    """Both lungs' hulls, or None where either is implausible."""
    core = ndimage.binary_erosion(body, disk(max(1, round(0.02 * max(small.shape)))))
    # above the shoulders there is dark air too
    core[: round(0.05 * small.shape[0])] = False
    if not core.any() or small[core].min() == small[core].max():
        return None
    highest, lowest = float(threshold_otsu(small[core])), float(np.quantile(small[core], 0.05))
    middle = _midline(body)
    found = np.zeros(small.shape, bool)
    for half in (slice(0, middle), slice(middle, small.shape[1])):
        side = np.zeros_like(core)
        side[:, half] = core[:, half]
        lungs = (_lung(small, side, threshold) for threshold in np.linspace(highest, lowest, THRESHOLDS))
        lung = next((lung for lung in lungs if lung is not None), None)
        if lung is None:
            return None
        found |= lung
    return ndimage.binary_dilation(found, disk(max(1, round(0.02 * max(small.shape)))))


def _lung(small: Map, side: Mask, threshold: float) -> Mask | None:
    """The hull of the largest dark part of one half of the body, or None where it is no lung."""
    dark = ndimage.binary_opening(side & (small < threshold), disk(max(1, round(0.015 * max(small.shape)))))
    labels, count = ndimage.label(dark)
    if not count:
        return None
    part = labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))
    hull = convex_hull_image(part)
    height = np.ptp(np.flatnonzero(hull.any(1))) / small.shape[0]
    centre = ndimage.center_of_mass(hull)[0] / small.shape[0]
    rim = part & ~ndimage.binary_erosion(part)
    at_edge = float((rim & ~ndimage.binary_erosion(side, iterations=2)).sum() / rim.sum())
    plausible = SMALLEST <= hull.mean() <= LARGEST and height >= 0.25 and 0.2 < centre < 0.7
    return hull if plausible and part.sum() >= COMPACT * hull.sum() and at_edge <= AT_EDGE else None


def _midline(body: Mask) -> int:
    """The column in the middle of the body's box, where the spine is."""
    columns = np.flatnonzero(body.any(0))
    return int(columns[0] + columns[-1] + 1) // 2 if columns.size else body.shape[1] // 2


def _usual_place(body: Mask) -> Mask:
    """Two upright ellipses in the body's box: [.12, .82] of its height, [.08, .46] and [.54, .92] of its width."""
    rows, columns = np.flatnonzero(body.any(1)), np.flatnonzero(body.any(0))
    top, height = rows[0], rows[-1] + 1 - rows[0]
    left, width = columns[0], columns[-1] + 1 - columns[0]
    y = (np.arange(body.shape[0])[:, None] + 0.5 - top) / height
    x = (np.arange(body.shape[1])[None] + 0.5 - left) / width
    return ((y - 0.47) / 0.35) ** 2 + ((np.abs(x - 0.5) - 0.23) / 0.19) ** 2 <= 1
