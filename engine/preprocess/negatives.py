"""Whether a film of one upright limb is a photographic negative, bone black. Looks at one film; learns nothing.

No paper has this step. Files say which way round they are (PhotometricInterpretation); pictures exported from them do not, and some are the wrong way.
"""

from __future__ import annotations

import numpy as np

from engine.preprocess.prepared import Map
from engine.preprocess.reduction import Mask, reduced

_FLANK = 0.04
"""Of the width: skin and air at either side of the limb."""
_BRIGHTER = 0.05
"""Of the grey range, that flanks lie above the middle. Of 755 knees six lay .22 to .41 above it, all negatives, and all others at least .11 below."""


def is_negative(image: Map, valid: Mask | None = None) -> bool:
    """Whether the film's flanks are brighter than its middle: bone lies in the middle, and air and skin beside it.

    Args:
        image: [rows, columns] float32 in [0, 1], a limb from top to bottom.
        valid: what of it is no padding.
    """
    shown = image
    if valid is not None:
        columns = np.flatnonzero(valid.any(0))
        if not len(columns):
            return False
        within = np.s_[:, columns[0] : columns[-1] + 1]
        shown = np.where(valid[within], image[within], np.float32(np.nan))
    small = reduced(shown)
    width = small.shape[1]
    flank = max(1, round(_FLANK * width))
    flanks = np.concatenate([small[:, :flank], small[:, -flank:]], axis=None)
    middle = small[:, width // 4 : width - width // 4]
    if np.isnan(flanks).all() or np.isnan(middle).all():
        return False
    return bool(np.nanmedian(flanks) - np.nanmedian(middle) > _BRIGHTER)
