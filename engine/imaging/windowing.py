"""Window centre and width, and VOI lookup tables: modality units to grey, as PS3.3 C.11.2 defines it. Holds no images, reads no files."""

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

    @property
    def limits(self) -> tuple[float, float]:
        """(lowest, highest) value that is not yet fully black or white; for SIGMOID, nominally."""
        if self.lut is not None:
            return float(self.lut[0]), float(self.lut[0] + len(self.lut[1]) - 1)
        if self.function == "LINEAR":
            return self.center - 0.5 - (self.width - 1) / 2, self.center - 0.5 + (self.width - 1) / 2
        return self.center - self.width / 2, self.center + self.width / 2


def apply_window(pixels: npt.NDArray[np.generic], window: Window) -> npt.NDArray[np.float32]:
    """float32 in [0, 1], same shape as `pixels`, by PS3.3 C.11.2.1.2 and C.11.2.1.3. NaN shows black."""
    # Looking up each of the 65,536 possible values is several times faster than computing each of ten million pixels.
    if pixels.dtype.kind in "iu" and pixels.dtype.itemsize <= 2 and pixels.size > 1 << 8 * pixels.dtype.itemsize:
        limits = np.iinfo(pixels.dtype.type)  # type: ignore[type-var]
        table = _windowed(np.arange(limits.min, limits.max + 1, dtype=np.float32), window)
        unsigned = pixels.view(f"{pixels.dtype.byteorder.replace('|', '=')}u{pixels.dtype.itemsize}")
        return np.take(
            np.roll(table, limits.min), unsigned
        )  # rolled: unsigned views of negative values come after the positive
    return np.nan_to_num(_windowed(pixels.astype(np.float32), window), copy=False, nan=0.0)


def window_from_values(pixels: npt.NDArray[np.generic], valid: npt.NDArray[np.bool_] | None = None) -> Window:
    """A window for an image that comes without: the values between the 0.5th and 99.5th percentile of what is not padding.

    Eight-bit images were windowed by whoever made them: they are shown over their full range.
    """
    if pixels.dtype == np.uint8:
        return Window(center=128.0, width=256.0)
    step = max(1, int((pixels.size / 60_000) ** 0.5))  # 300 pixels beyond either percentile are enough to find it by
    sample = pixels[::step, ::step] if pixels.ndim == 2 else pixels
    if valid is not None:
        inside = valid[::step, ::step]
        sample = sample[inside] if inside.any() else sample
    finite = sample[np.isfinite(sample)] if sample.dtype.kind == "f" else sample
    if finite.size == 0:
        return Window(center=0.5, width=2.0)
    low, high = (float(value) for value in np.percentile(finite, (0.5, 99.5)))
    if high - low < 1e-6:
        low, high = float(finite.min()), float(finite.max())
    if high - low < 1e-6:
        return Window(center=low + 0.5, width=2.0)
    if pixels.dtype.kind == "f":
        return Window(center=(low + high) / 2, width=high - low, function="LINEAR_EXACT")
    return Window(center=(low + high) / 2 + 0.5, width=high - low + 1)


def _windowed(x: npt.NDArray[np.float32], window: Window) -> npt.NDArray[np.float32]:
    if window.lut is not None:
        first, outputs = window.lut
        table = np.asarray(outputs, np.float32)
        index = np.clip(np.nan_to_num(x) - np.float32(first), 0, len(table) - 1)
        return table[np.rint(index).astype(np.int32)]
    if window.function == "SIGMOID":
        exponent = np.clip(-4 * (x - window.center) / max(window.width, 1e-6), -80, 80)
        return (1 / (1 + np.exp(exponent))).astype(np.float32)
    if window.function == "LINEAR_EXACT":
        return np.clip((x - window.center) / max(window.width, 1e-6) + 0.5, 0, 1).astype(np.float32)
    width = max(window.width, 1.0)
    if width == 1.0:  # the standard's degenerate case: a threshold at centre - 0.5
        return (x > window.center - 0.5).astype(np.float32)
    return np.clip((x - (window.center - 0.5)) / (width - 1) + 0.5, 0, 1).astype(np.float32)
