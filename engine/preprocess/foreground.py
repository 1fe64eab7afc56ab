"""Which pixels of a film show the patient: a body mask by hysteresis thresholds. Looks at one film; learns nothing.

Substitutes Photoshop's "select subject", by which Davletshina 2020 (section 2.1) segments hands, and follows SALAD's unsupervised body mask by
hysteresis thresholds (Bozorgtabar 2020, fig. 3); neither paper gives thresholds.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import ndimage
from skimage.filters import apply_hysteresis_threshold, gaussian, sobel, threshold_multiotsu
from skimage.morphology import disk

from engine.preprocess.prepared import Map
from engine.preprocess.reduction import Mask, enlarged, reduced

SMALLEST_SHARE = 0.02
"""Of the film: less is no body, but a marker or noise."""
WHOLE_SHARE = 0.97
"""Of the film: more, and the body fills it."""
_FRAME_SHARE = 0.5
_HAZE, _HAZE_TEXTURE = 0.5, 0.3
_TEXTURE = 0.6
_GROWTH = 1.3


def body_mask(image: Map) -> Mask | None:
    """[rows, columns] bool, True where the patient is; all True where the body fills the film.

    Two thresholds by Otsu's method for three classes (air, soft tissue, bone) on the smoothed film: what is brighter than air and joined to
    something as bright as bone. Specks and markers are dropped, holes (lungs, bowel gas) filled, and the outline widened by about a
    hundredth of the film, so that skin is never lost.

    Args:
        image: [rows, columns] float32 in [0, 1], bone white.

    Returns:
        None where no body can be told from a background: a blank or inverted film, or one whose dark part shows anatomy.
    """
    small = reduced(image)
    if min(small.shape) < 8:
        return None
    smooth = gaussian(small, 1.0)
    masks = (_with_thin_parts(mask, smooth) for mask in _candidates(smooth) if mask.mean() >= SMALLEST_SHARE)
    plausible = (mask for mask in masks if _is_air(smooth, ~mask, mask, _TEXTURE))
    mask = next(plausible, None)
    if mask is None:
        return None
    if (
        _on_frame(mask) >= _FRAME_SHARE
    ):  # either the body fills the film, or haze that runs around it was taken for body
        haze_free = next(plausible, mask)
        if haze_free.sum() < _HAZE * mask.sum() and _is_air(smooth, mask & ~haze_free, haze_free, _HAZE_TEXTURE):
            mask = haze_free
    mask = ndimage.binary_dilation(mask, disk(max(1, round(0.01 * max(mask.shape)))))
    return np.ones(image.shape, bool) if mask.mean() >= WHOLE_SHARE else enlarged(mask, image.shape)


def _candidates(smooth: Map) -> Iterator[Mask]:
    """Masks by thresholds on the square root of grey, which keeps thin soft tissue, and on grey itself."""
    if len(np.unique(smooth)) < 3:
        return
    for power in (0.5, 1.0):
        low, high = threshold_multiotsu(smooth**power, 3)
        yield _cleaned(apply_hysteresis_threshold(smooth**power, low, high))


def _with_thin_parts(mask: Mask, smooth: Map) -> Mask:
    """The mask with what is joined to it and clearly brighter than the air around: fingers and toes, as thin as scatter is bright.

    Air that has no one level (haze) would let the mask run away: then it stays as it was.
    """
    air = ~ndimage.binary_dilation(mask, disk(4))
    if not air.any():
        return mask
    # air's own slow changes of brightness, carried on under the body
    sigma = 0.06 * max(mask.shape)
    weight = np.maximum(gaussian(air.astype(np.float32), sigma), 1e-3)
    above = smooth - gaussian(np.where(air, smooth, np.float32(0)), sigma) / weight
    level = float(np.median(above[air]))
    spread = 1.4826 * float(np.median(np.abs(above[air] - level)))
    brighter = above > level + max(5 * spread, 0.02)
    grown = _cleaned(mask | ndimage.binary_propagation(mask, mask=mask | ndimage.binary_opening(brighter, disk(1))))
    return grown if grown.sum() <= _GROWTH * mask.sum() else mask


def _cleaned(mask: Mask) -> Mask:
    """Without specks, thin lines and holes; parts smaller than a tenth of the largest are markers or noise."""
    opened = ndimage.binary_opening(mask, disk(2))
    labels, count = ndimage.label(opened)
    if not count:
        return np.zeros_like(mask)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    kept = np.isin(labels, np.flatnonzero(sizes >= 0.1 * sizes.max()))
    # padded by the edge's own values, so that an organ cut by the film's edge is closed, not eaten
    reach = max(1, round(0.015 * max(mask.shape)))
    closed = ndimage.binary_closing(np.pad(kept, 2 * reach, mode="edge"), disk(reach))
    return ndimage.binary_fill_holes(closed[2 * reach : -2 * reach, 2 * reach : -2 * reach])


def _on_frame(mask: Mask) -> float:
    """Share of the film's outermost pixels that belong to the mask."""
    return float(np.concatenate([mask[0], mask[-1], mask[1:-1, 0], mask[1:-1, -1]]).mean())


def _is_air(smooth: Map, outside: Mask, kept: Mask, texture: float) -> bool:
    """Whether what would be cut away is darker and plainer than what would be kept."""
    inner = ndimage.binary_erosion(outside, disk(2), border_value=1)
    if not inner.any():
        return True
    edges = sobel(smooth)
    plain = float(np.median(edges[inner])) < texture * float(np.median(edges[kept]))
    return plain and float(np.median(smooth[inner])) < float(np.median(smooth[kept]))
