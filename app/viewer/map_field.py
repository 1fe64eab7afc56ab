"""Maps that are stored smaller than their image, over the same field: whether one can be of an image, and its values at the image's pixels.

Results keep at most 512 pixels a side (a network looks at no more): a film of 3000 pixels is drawn with a map of 512.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def covers(given: tuple[int, ...], image: tuple[int, ...]) -> bool:
    """True when a map of shape `given` may be of an image of shape `image`: the same, or as many slices, smaller in plane, of the same proportions."""
    if given == image:
        return True
    if len(given) != len(image) or given[:-2] != image[:-2]:
        return False
    rows, columns = given[-2:]
    if rows > image[-2] or columns > image[-1]:
        return False
    scale = max(rows, columns) / max(image[-2:])
    return max(abs(rows - image[-2] * scale), abs(columns - image[-1] * scale)) <= 1


def at_pixels(values: npt.NDArray[Any], rows: int, columns: int) -> npt.NDArray[np.float32]:
    """[rows, columns] float32 of a map over the same field, by linear interpolation between the centres of its pixels; NaN stays NaN."""
    across = _between(np.asarray(values, np.float32), rows)
    return np.ascontiguousarray(_between(across.T, columns).T)


def _between(values: npt.NDArray[np.float32], count: int) -> npt.NDArray[np.float32]:
    """The first axis resampled to `count` positions."""
    size = len(values)
    if size == count:
        return values
    position = np.clip((np.arange(count) + 0.5) * (size / count) - 0.5, 0, size - 1)
    below = np.floor(position).astype(np.intp)
    above = np.minimum(below + 1, size - 1)
    share = (position - below).astype(np.float32)[:, None]
    return np.asarray(values[below] * (1 - share) + values[above] * share, np.float32)
