"""Burned-in letters and signs ("L", "R", "PORTABLE", arrows), found and painted over. Looks at one film; learns nothing; reads no text.

No paper has this step: it serves to ask whether a model reads the letters instead of the patient.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from skimage.filters import apply_hysteresis_threshold, gaussian
from skimage.measure import label, regionprops
from skimage.morphology import disk

from engine.preprocess.foreground import body_mask
from engine.preprocess.prepared import Map
from engine.preprocess.reduction import Mask, enlarged, magnified, reduced

LONGEST = 512
BORDER = 0.2
"""Of the longer side: how far from the film's edge a marker may lie where it overlaps the body; in air it may lie anywhere."""
LARGEST = 0.14
"""Of the longer side: a marker's box."""
_FAINT, _CLEAR = 0.1, 0.22
_PLAIN = 6.0
"""Times what the picture around rises by itself, that a marker rises above it."""
_SHARP_IN_AIR, _SHARP_ON_BODY = 0.45, 0.65
"""Of a component's contrast, the grey step at its edge: bones fade over several pixels, letters do not."""


def painted_markers(image: Map) -> tuple[Map, Mask]:
    """The film with its markers painted in the local background, and where that was: [rows, columns] float32 and bool.

    A marker is small, clearly brighter than what is around it, has sharp edges and lies near the border or in the air beside the body. Wires,
    electrodes and metal at the border look the same and go too; a letter over the spine stays.

    Args:
        image: [rows, columns] float32 in [0, 1].
    """
    small = reduced(image, LONGEST)
    if min(small.shape) < 32:
        return image, np.zeros(image.shape, bool)
    found = _letters(small)
    if not found.any():
        return image, np.zeros(image.shape, bool)
    mask = enlarged(found, image.shape)
    background = _smooth_background(small, found)
    if background.shape != image.shape:
        background = magnified(background, image.shape)
    return np.where(mask, background, image).astype(np.float32), mask


def _letters(small: Map) -> Mask:
    """Where markers are, with a rim, on the working copy."""
    side = max(small.shape)
    stroke = 2 * max(2, round(0.02 * side)) + 1
    raised = ndimage.white_tophat(small, size=(stroke, stroke))
    candidates = label(apply_hysteresis_threshold(raised, _FAINT, _CLEAR), connectivity=2)
    body = body_mask(small)
    air = np.zeros(small.shape, bool) if body is None else ~ndimage.binary_dilation(body, disk(2))
    steep = np.hypot(ndimage.sobel(small, 0), ndimage.sobel(small, 1)) / 4
    found = np.zeros(small.shape, bool)
    for region in regionprops(candidates):
        top, left, bottom, right = region.bbox
        if region.area < 3 or max(bottom - top, right - left) > LARGEST * side:
            continue
        row, column = (round(value) for value in region.centroid)
        near = min(row, column, small.shape[0] - row, small.shape[1] - column) < BORDER * side
        inside = tuple(region.coords.T)
        rim = ndimage.binary_dilation(region.image_filled)
        contrast = float(raised[inside].max())
        edge = steep[top:bottom, left:right][rim & ~ndimage.binary_erosion(region.image_filled)]
        if contrast < _PLAIN * _roughness(raised, candidates > 0, region.bbox):
            continue
        sharp = float(np.quantile(edge, 0.75)) / contrast
        if sharp > (_SHARP_IN_AIR if air[row, column] else _SHARP_ON_BODY) and (near or air[row, column]):
            found[inside] = True
    return ndimage.binary_dilation(found, disk(max(2, round(0.008 * side))))


def _roughness(raised: Map, candidates: Mask, box: tuple[int, int, int, int]) -> float:
    """How much the picture around a box rises by itself: little in air, much in trabecular bone."""
    reach = max(4, round(0.05 * max(raised.shape)))
    top, left, bottom, right = box
    around = np.s_[max(0, top - reach) : bottom + reach, max(0, left - reach) : right + reach]
    plain = raised[around][~candidates[around]]
    return float(np.median(plain)) if plain.size else 0.0


def _smooth_background(small: Map, hidden: Mask) -> Map:
    """[rows, columns]: what is visible around each hidden place, averaged with weights that fall with distance."""
    filled = small.copy()
    missing = hidden.copy()
    for share in (0.02, 0.1):
        sigma = share * max(small.shape)
        weight = gaussian((~hidden).astype(np.float32), sigma)
        known = missing & (weight > 0.15)
        filled[known] = (gaussian(np.where(hidden, np.float32(0), small), sigma) / np.maximum(weight, 1e-6))[known]
        missing &= ~known
    filled[missing] = np.median(small[~hidden]) if not hidden.all() else 0
    return filled
