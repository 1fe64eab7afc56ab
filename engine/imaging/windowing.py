"""Window centre and width, and VOI lookup tables: stored values to grey, as PS3.3 C.11.2 defines it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

VoiFunction = Literal["LINEAR", "LINEAR_EXACT", "SIGMOID"]


@dataclass(frozen=True)
class Window:
    """A window in modality units. `lut` is a VOI LUT (PS3.3 C.11.2.1.1) as (first value mapped, outputs in [0, 1]) and wins over centre and width.

    `name` is what the file calls it (0028,1055), "" when it does not.
    """

    center: float
    width: float
    function: VoiFunction = "LINEAR"
    lut: tuple[int, tuple[float, ...]] | None = None
    name: str = ""


def apply_window(pixels: npt.NDArray[np.generic], window: Window) -> npt.NDArray[np.float32]:
    """float32 in [0, 1], same shape as `pixels`, by PS3.3 C.11.2.1.2 and C.11.2.1.3."""
    x = pixels.astype(np.float32)
    if window.lut is not None:
        first, outputs = window.lut
        table = np.asarray(outputs, np.float32)
        return table[np.clip(np.rint(x).astype(np.int64) - first, 0, len(table) - 1)]
    if window.function == "SIGMOID":
        return (1 / (1 + np.exp(-4 * (x - window.center) / max(window.width, 1e-6)))).astype(np.float32)
    if window.function == "LINEAR_EXACT":
        return np.clip((x - window.center) / max(window.width, 1e-6) + 0.5, 0, 1)
    width = max(window.width, 1.0)
    if width == 1.0:  # the standard's degenerate case: a threshold at centre - 0.5
        return (x > window.center - 0.5).astype(np.float32)
    return np.clip((x - (window.center - 0.5)) / (width - 1) + 0.5, 0, 1)
