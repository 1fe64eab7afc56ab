"""Evens out brightness and contrast from place to place, so that films exposed or sharpened differently look alike. Looks at one film; learns nothing."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from engine.preprocess.prepared import Map
from engine.preprocess.reduction import Mask, magnified, reduced

_NEIGHBOURHOOD = 12 / 224
"""Standard deviation of the Gaussian window, of the longer side."""
_FAINTEST = 0.02
"""Of the grey range, added to the deviation: noise in an empty place must not be blown up to full contrast."""
_DEVIATIONS = 2.5
"""Either side of the neighbourhood's mean, that fill the grey range."""


def locally_normalised(image: Map, valid: Mask | None = None) -> Map:
    """Each pixel less its neighbourhood's mean, over its neighbourhood's deviation: Jarrett K, et al. ICCV 2009, section 2.1, "local contrast normalization".

    Mean and deviation are taken on a copy of at most 256 pixels, so that the same film at another resolution looks the same.

    Args:
        image: [rows, columns] float32 in [0, 1].
        valid: what of it is shown; the rest takes no part and becomes 0.

    Returns:
        [rows, columns] float32 in [0, 1]; the neighbourhood's mean is .5.
    """
    small = reduced(image)
    weight = np.ones_like(small) if valid is None else reduced(valid.astype(np.float32))
    sigma = _NEIGHBOURHOOD * max(small.shape)
    total = np.maximum(gaussian_filter(weight, sigma, mode="nearest"), np.float32(1e-6))
    mean = gaussian_filter(small * weight, sigma, mode="nearest") / total
    deviation = np.sqrt(gaussian_filter((small - mean) ** 2 * weight, sigma, mode="nearest") / total)
    contrast = (image - magnified(mean, image.shape)) / (magnified(deviation, image.shape) + _FAINTEST)
    evened = np.clip(0.5 + contrast / (2 * _DEVIATIONS), 0, 1).astype(np.float32)
    return evened if valid is None else np.where(valid, evened, np.float32(0))
