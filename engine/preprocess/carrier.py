"""Where the film lies in a larger scan: the lit rectangle among dark, to be cut out and set upright. Looks at one image; learns nothing.

After Davletshina 2020, section 2.1: Otsu's threshold, the largest component, its minimum-area rectangle, which need not be upright.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError
from skimage.filters import threshold_otsu
from skimage.morphology import disk

from engine.preprocess.framing import Framing
from engine.preprocess.prepared import Map
from engine.preprocess.reduction import Mask, reduced

SMALLEST_SHARE = 0.15
"""Of the scan: a smaller rectangle is a marker, not a film."""
FILLED = 0.93
"""Of its minimum-area rectangle, that the hull of a film's lit part covers: limbs and chests are rounder."""
DARK = 0.1
"""Grey that scanned nothing does not exceed."""
_JUMP = 0.03
_LEAST_TILT = math.radians(0.7)

Points = npt.NDArray[np.float64]


def find_carrier(image: Map, *, square_pixels: bool = True) -> Framing | None:
    """The film's rectangle on a scan.

    Args:
        image: [rows, columns] float32 in [0, 1].
        square_pixels: whether turning by an angle means the same in both directions; otherwise the film is only cut out.

    Returns:
        None where nothing plausible is found: the film fills the scan, what is lit is not a rectangle, or what lies around it is not dark.
    """
    small = reduced(image)
    if min(small.shape) < 16:
        return None
    for lit in _lit_parts(small):
        corners = np.argwhere(_corners_of(lit)).astype(np.float64)
        try:
            hull = ConvexHull(corners)
        except QhullError:  # all in one line
            continue
        if hull.volume < SMALLEST_SHARE * small.size:
            continue
        corner, extent, tilt = _smallest_rectangle(corners[hull.vertices])
        if hull.volume < FILLED * extent[0] * extent[1] or not _is_dark_around(small, lit):
            continue
        shape = (max(1, round(extent[0])), max(1, round(extent[1])))
        found = Framing(_pair(small.shape), corner, shape, tilt)
        if abs(tilt) < _LEAST_TILT or not square_pixels:
            found = _upright(corners, small.shape)
        if not found.is_whole and _is_inside(found) and _has_sharp_sides(small, found):
            return found.magnified(_pair(image.shape))
    return None


def _lit_parts(small: Map) -> Iterator[Mask]:
    """The largest lit component at Otsu's threshold, then at that of its darker half: a film may be dark itself where it shows air."""
    threshold = float(threshold_otsu(small)) if small.min() < small.max() else 1.0
    lower = small[small <= threshold]
    thresholds = [threshold]
    if lower.size and lower.min() < lower.max():
        thresholds.append(float(threshold_otsu(lower)))
    for limit in thresholds:
        # opened, so that a bright line at the scan's edge or a label does not belong to the film
        labels, count = ndimage.label(
            ndimage.binary_opening(np.pad(small > limit, 2, mode="edge"), disk(2))[2:-2, 2:-2]
        )
        if count:
            yield labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))


def _corners_of(mask: Mask) -> Mask:
    """[rows + 1, columns + 1]: the corners of the mask's pixels."""
    return ndimage.binary_dilation(np.pad(mask, ((0, 1), (0, 1))), np.array([[0, 0, 0], [0, 1, 1], [0, 1, 1]], bool))


def _smallest_rectangle(hull: Points) -> tuple[tuple[float, float], tuple[float, float], float]:
    """(row, column) of the upper left corner, (height, width) and tilt of the smallest rectangle around a hull's [N, 2] (row, column).

    One of its sides lies along a side of the hull (Freeman and Shapira 1975), so that each side is tried.
    """
    edges = np.diff(np.vstack([hull, hull[:1]]), axis=0)
    angles = np.arctan2(edges[:, 0], edges[:, 1])
    tilts = (angles + math.pi / 4) % (math.pi / 2) - math.pi / 4  # within 45 degrees of upright
    x = hull[:, 1] * np.cos(tilts)[:, None] + hull[:, 0] * np.sin(tilts)[:, None]
    y = hull[:, 0] * np.cos(tilts)[:, None] - hull[:, 1] * np.sin(tilts)[:, None]
    areas = np.ptp(x, axis=1) * np.ptp(y, axis=1)
    best = int(np.argmin(areas))
    left, top, tilt = float(x[best].min()), float(y[best].min()), float(tilts[best])
    corner = (top * math.cos(tilt) + left * math.sin(tilt), left * math.cos(tilt) - top * math.sin(tilt))
    return corner, (float(np.ptp(y[best])), float(np.ptp(x[best]))), tilt


def _upright(corners: Points, scan: tuple[int, ...]) -> Framing:
    """The rectangle along rows and columns around the corners."""
    top, left = (int(low) for low in corners.min(0))
    bottom, right = (int(high) for high in corners.max(0))
    return Framing(_pair(scan), (top, left), (bottom - top, right - left))


def _is_inside(framing: Framing) -> bool:
    """Whether all four corners lie on the scan: what is turned and reaches beyond is a leaning patient, whose flanks are straight too."""
    slack = 0.015 * max(framing.film)
    rows, columns = np.transpose(framing.corners)
    height, width = framing.film
    return bool(min(rows.min(), columns.min(), height - rows.max(), width - columns.max()) >= -slack)


def _has_sharp_sides(small: Map, framing: Framing) -> bool:
    """Whether grey falls at once along the sides: skin fades, a film's edge does not. A side on the scan's own edge is not asked.

    Of a turned film half the sides suffice, since air beside a patient is as dark as what lies around a film.
    """
    margin, (rows, columns) = 5, framing.shape
    wider = framing.within(slice(-margin, rows + margin), slice(-margin, columns + margin)).cut(small)
    band = 2 * margin
    # [band, along the side], from outside to inside
    bands = (wider[:band], wider[: -band - 1 : -1], wider[:, :band].T, wider[:, : -band - 1 : -1].T)
    upper_left, upper_right, lower_left, lower_right = np.asarray(framing.corners)
    ends = ((upper_left, upper_right), (lower_left, lower_right), (upper_left, lower_left), (upper_right, lower_right))
    sharp = []
    for across, (start, stop) in zip(bands, ends, strict=True):
        near = np.minimum(np.maximum(start, stop), np.asarray(framing.film) - np.minimum(start, stop))
        if near.min() > 1.5:
            profile = np.median(across, axis=1)
            sharp.append(float((profile[3:] - profile[:-3]).max()) >= _JUMP)
    return sum(sharp) >= (len(sharp) if framing.tilt == 0 else max(2, len(sharp) / 2))


def _is_dark_around(small: Map, lit: Mask) -> bool:
    """Whether what lies outside the lit part's rows and columns is scanned nothing: there, dark and even."""
    rows, columns = np.flatnonzero(lit.any(1)), np.flatnonzero(lit.any(0))
    outside = np.ones(small.shape, bool)
    outside[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = False
    outside |= ~ndimage.binary_dilation(lit, disk(3)) & _beyond_hull(lit)
    return bool(outside.any()) and float(np.quantile(small[outside], 0.95)) < DARK


def _beyond_hull(mask: Mask) -> Mask:
    """What a straight line from the image's edge reaches along its row or column without meeting the mask."""
    down, up = np.logical_or.accumulate(mask, 0), np.logical_or.accumulate(mask[::-1], 0)[::-1]
    right, left = np.logical_or.accumulate(mask, 1), np.logical_or.accumulate(mask[:, ::-1], 1)[:, ::-1]
    return ~(down & up & right & left)


def _pair(shape: tuple[int, ...]) -> tuple[int, int]:
    return shape[0], shape[1]
