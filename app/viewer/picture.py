"""A radiograph or volume made ready to draw: 16-bit codes at several scales, and what each code means. Changes no value it is given.

Made off the GUI thread by `loading`; afterwards only read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from app.viewer.composition import Codes
from app.viewer.orientation import Directions, letters_of
from app.viewer.placement import ImageSize
from app.viewer.window_presets import starting_window
from engine.imaging.radiograph import Radiograph
from engine.imaging.series import Series
from engine.imaging.volume import Volume
from engine.imaging.windowing import Window, window_from_values

SMALLEST_SIDE = 512
"""Scales are halved while the longer side is above this."""

MOST_WHITE, MOST_BLACK = 0.6, 0.995
"""Shares of a slice beyond which a window shows nothing."""

MAYBE_HOUNSFIELD = ("CT", "")
"""Modalities whose volumes are taken to hold Hounsfield units; NIfTI files name none. An MR in a CT window is a white patch with a false unit."""

SCALE_NOTES = {"ImagerPixelSpacing": "at the detector", "NominalScannedPixelSpacing": "on the film"}
"""Where a length on screen holds, when that is not in the patient."""


@dataclass(frozen=True, eq=False)
class Picture:
    """What the panes draw of one series.

    Attributes:
        scales: [slices, rows, columns] codes, each scale half the one before; volumes have one scale, the voxels themselves.
        valid: [rows, columns] per scale, or None when every pixel is valid.
        values: [65536] what each code stands for, in modality units.
        unit: "HU" or "".
        turned_over: the lowest value is white (`Radiograph.minimum_is_white`).
        window, other_windows: what it opens with, and what else the file offers.
        span: the range of values present, which sets how fast a drag changes the window.
        loaded: [slices] bool, changing while slices arrive.
        positions: [slices] mm along the normal, or None.
        scale_note: how far a length on screen can be trusted, for the scale bar.
    """

    series: Series
    size: ImageSize
    scales: tuple[Codes, ...]
    values: npt.NDArray[np.float32]
    window: Window
    span: float
    loaded: npt.NDArray[np.bool_]
    unit: str = ""
    turned_over: bool = False
    valid: tuple[npt.NDArray[np.bool_], ...] | None = None
    positions: npt.NDArray[np.float64] | None = None
    directions: Directions = field(default_factory=Directions)
    other_windows: tuple[Window, ...] = ()
    unreadable: tuple[int, ...] = ()
    scale_note: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def slice_count(self) -> int:
        """1 for a radiograph."""
        return len(self.loaded)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape that a heatmap of this picture has."""
        rows_columns = (self.size.rows, self.size.columns)
        return rows_columns if self.series.kind == "radiograph" else (self.slice_count, *rows_columns)

    def window_after(self, window: Window) -> Window:
        """The one it opens with, or the next of the file's own windows when `window` is one of them."""
        offered = (self.window, *self.other_windows)
        return offered[(offered.index(window) + 1) % len(offered)] if window in offered else self.window

    def value_at(self, slice_index: int, column: float, row: float) -> float | None:
        """The value under a point, in modality units; None outside the image, in padding or in a slice not loaded."""
        column_index, row_index = int(np.floor(column)), int(np.floor(row))
        if not (0 <= column_index < self.size.columns and 0 <= row_index < self.size.rows and self.loaded[slice_index]):
            return None
        if self.valid is not None and not self.valid[0][row_index, column_index]:
            return None
        return float(self.values[self.scales[0][slice_index, row_index, column_index]])


def picture_of_volume(series: Series, volume: Volume) -> Picture:
    """Ready at once: the voxels are their own codes, so that slices can be drawn while others still arrive."""
    slices, rows, columns = volume.voxels.shape
    geometry = volume.geometry
    in_hounsfield = series.modality in MAYBE_HOUNSFIELD
    return Picture(
        series=series,
        size=ImageSize(rows, columns, geometry.pixel_spacing),
        scales=(volume.voxels.view(np.uint16),),
        values=_values_of_integers(np.dtype(np.int16)),
        window=_window_that_shows(volume, starting_window(series)) if in_hounsfield else _window_of(volume),
        span=2000.0,
        loaded=volume.loaded,
        unit="HU" if in_hounsfield else "",
        positions=geometry.slice_positions if slices > 1 else None,
        directions=Directions(letters_of(geometry.row_direction), letters_of(geometry.column_direction)),
        unreadable=volume.unreadable,
        warnings=volume.warnings,
    )


def picture_of_radiograph(series: Series, radiograph: Radiograph) -> Picture:
    """Builds the smaller scales: takes tens of milliseconds for a full-size radiograph, so it belongs off the GUI thread."""
    codes, values = _coded(radiograph.pixels)
    lowest, highest = values[_extremes(codes, values)]
    valid = None if radiograph.valid is None or bool(radiograph.valid.all()) else _masks(radiograph.valid)
    return Picture(
        series=series,
        size=ImageSize(radiograph.pixels.shape[0], radiograph.pixels.shape[1], radiograph.spacing),
        scales=_scales(codes, signed=radiograph.pixels.dtype == np.int16),
        values=values,
        window=radiograph.window,
        span=max(float(highest - lowest), 1e-6),
        loaded=np.ones(1, np.bool_),
        turned_over=radiograph.minimum_is_white,
        valid=valid,
        directions=Directions(*radiograph.patient_orientation),
        other_windows=radiograph.other_windows,
        scale_note=SCALE_NOTES.get(radiograph.spacing_source, ""),
        warnings=radiograph.warnings,
    )


def _window_that_shows(volume: Volume, wanted: Window) -> Window:
    """`wanted`, unless it would show the middle slice as one white or black patch: atlases and cone-beam CT are not always in HU."""
    shown = _first_shown(volume)
    low, high = wanted.limits
    if float((shown >= high).mean()) < MOST_WHITE and float((shown > low).mean()) > 1 - MOST_BLACK:
        return wanted
    return _window_of(volume)


def _window_of(volume: Volume) -> Window:
    return window_from_values(_first_shown(volume))


def _first_shown(volume: Volume) -> npt.NDArray[np.int16]:
    """[rows, columns] of the middle slice, which is loaded first; an unreadable one leaves the first that could be read."""
    middle = len(volume.voxels) // 2
    shown: npt.NDArray[np.int16] = volume.voxels[middle if volume.loaded[middle] else int(volume.loaded.argmax())]
    return shown


def _values_of_integers(dtype: np.dtype[Any]) -> npt.NDArray[np.float32]:
    """[65536] the integer whose 16 bits each code is."""
    every = np.arange(65536, dtype=np.uint16)
    return every.view(np.int16).astype(np.float32) if dtype == np.int16 else every.astype(np.float32)


def _coded(pixels: npt.NDArray[np.generic]) -> tuple[Codes, npt.NDArray[np.float32]]:
    """16-bit integers are their own codes; anything else is spread over all 65,536."""
    if pixels.dtype in (np.int16, np.uint16):
        return np.ascontiguousarray(pixels).view(np.uint16), _values_of_integers(pixels.dtype)
    if pixels.dtype == np.uint8:
        return pixels.astype(np.uint16), _values_of_integers(np.dtype(np.uint16))
    real = pixels.astype(np.float32)
    lowest, highest = float(real.min()), float(real.max())
    step = max(highest - lowest, 1e-12) / 65535
    codes = np.rint((real - lowest) / step).astype(np.uint16)
    return codes, (lowest + np.arange(65536) * step).astype(np.float32)


def _extremes(codes: Codes, values: npt.NDArray[np.float32]) -> list[int]:
    """The codes of the lowest and highest value present."""
    present = np.unique(codes[:: max(1, codes.shape[0] // 512), :: max(1, codes.shape[1] // 512)])
    return [int(present[values[present].argmin()]), int(present[values[present].argmax()])]


def _scales(codes: Codes, *, signed: bool) -> tuple[Codes, ...]:
    """Halved by averaging 2 x 2 values until the image is small: drawing then never skips pixels, which would shimmer and hide detail."""
    scales = [codes]
    while max(scales[-1].shape) > SMALLEST_SIDE:
        finer = scales[-1].view(np.int16) if signed else scales[-1]
        scales.append(halved(finer).view(np.uint16))
    return tuple(scale[None] for scale in scales)


def halved(pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """[ceil(rows / 2), ceil(columns / 2)] means of 2 x 2, the edge repeated; same integer type."""
    even = np.pad(pixels, [(0, side % 2) for side in pixels.shape], mode="edge").astype(np.int32)
    total = even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]
    return ((total + 2) >> 2).astype(pixels.dtype)


def _masks(valid: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.bool_], ...]:
    masks = [valid]
    while max(masks[-1].shape) > SMALLEST_SIDE:
        masks.append(halved(masks[-1].astype(np.uint8) * 3) >= 2)
    return tuple(masks)
