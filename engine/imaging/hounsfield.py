"""Stored CT values to whole Hounsfield units in an int16 slice (PS3.3 C.11.1 and C.8.2.1). Never reads files.

Whole rescales, which nearly every CT has, are exact. Others are rounded to the nearest whole HU, and what does not fit into int16 is clipped;
the reader of the volume is told of both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.imaging.volume import AIR

LOWEST, HIGHEST = -32768, 32767


@dataclass(frozen=True, slots=True)
class Rescale:
    """HU = stored x slope + intercept; stored values within `padding` (lowest, highest) are no measurement (PS3.3 C.7.5.1.1.2)."""

    slope: float = 1.0
    intercept: float = 0.0
    padding: tuple[int, int] | None = None

    @property
    def whole(self) -> bool:
        """True when whole stored values become whole HU."""
        return float(self.slope).is_integer() and float(self.intercept).is_integer()


def write_hounsfield(stored: npt.NDArray[np.generic], rescale: Rescale, out: npt.NDArray[np.int16]) -> int:
    """Write `stored` [rows, columns] as HU into `out` [rows, columns], padding as -1024; returns how many voxels had to be clipped.

    `stored` may be `out` itself. A value that is not a number becomes -1024 and counts as clipped.
    """
    padded = _padding(stored, rescale.padding)
    if rescale.slope == 1 and float(rescale.intercept).is_integer() and _shift(stored, int(rescale.intercept), out):
        clipped = 0
    else:
        clipped = _round(stored.astype(np.float64) * rescale.slope + rescale.intercept, padded, out)
    if padded is not None:
        out[padded] = AIR
    return clipped


def _padding(stored: npt.NDArray[np.generic], limits: tuple[int, int] | None) -> npt.NDArray[np.bool_] | None:
    """[rows, columns] bool, or None when no voxel is padding."""
    if limits is None:
        return None
    low, high = limits
    values = np.asarray(stored)
    mask = values == low if low == high else np.greater_equal(values, low) & np.less_equal(values, high)
    return mask if bool(mask.any()) else None


def _shift(stored: npt.NDArray[np.generic], intercept: int, out: npt.NDArray[np.int16]) -> bool:
    """Add a whole intercept in int16 arithmetic; False, with nothing written, where that could overflow."""
    if stored.dtype.kind not in "iu" or not LOWEST <= intercept <= HIGHEST:
        return False
    lowest, highest = int(stored.min()), int(stored.max())
    if min(lowest, lowest + intercept) < LOWEST or max(highest, highest + intercept) > HIGHEST:
        return False
    np.add(stored.astype(np.int16, copy=False), np.int16(intercept), out=out)
    return True


def _round(values: npt.NDArray[np.float64], padded: npt.NDArray[np.bool_] | None, out: npt.NDArray[np.int16]) -> int:
    """Nearest whole HU within int16; returns how many voxels outside the padding did not fit."""
    outside = ~((values >= LOWEST - 0.5) & (values < HIGHEST + 0.5))
    nothing = np.isnan(values)
    if padded is not None:
        outside &= ~padded
    np.clip(np.rint(values), LOWEST, HIGHEST, out=values)
    values[nothing] = AIR
    out[...] = values.astype(np.int16)
    return int(np.count_nonzero(outside))
