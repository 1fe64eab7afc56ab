"""A heatmap, a reconstruction and its difference made ready to draw: 8-bit levels, at the picture's scales. Never keeps the arrays it was given."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from app.viewer.colour_maps import LEVELS, SCALE_TOP
from app.viewer.composition import Bytes
from app.viewer.map_field import at_pixels
from app.viewer.picture import SMALLEST_SIDE, halved


@dataclass(frozen=True, eq=False)
class Layer:
    """[slices, rows, columns] levels per scale. `ready` and `peaks` ([slices], highest level) fill up as slices are made."""

    scales: tuple[Bytes, ...]
    ready: npt.NDArray[np.bool_]
    peaks: Bytes


@dataclass(frozen=True, eq=False)
class ResultLayers:
    """What a model said of one series, and of no other: `series_key` travels with the levels."""

    series_key: str
    heatmap: Layer | None
    reconstruction: Layer | None
    difference: Layer | None
    reconstruction_label: str = ""


def empty_layer(shape: tuple[int, ...]) -> Layer:
    """A layer with room for [slices, rows, columns] or [rows, columns], nothing ready."""
    slices, rows, columns = shape if len(shape) == 3 else (1, *shape)
    scales = [np.zeros((slices, rows, columns), np.uint8)]
    while len(shape) == 2 and max(scales[-1].shape) > SMALLEST_SIDE:
        scales.append(np.zeros((1, -(-scales[-1].shape[1] // 2), -(-scales[-1].shape[2] // 2)), np.uint8))
    return Layer(tuple(scales), np.zeros(slices, np.bool_), np.zeros(slices, np.uint8))


def outward(first: int, count: int) -> Iterator[int]:
    """`first`, then its neighbours on both sides, outwards: what the reader looks at is made first."""
    yield first
    for step in range(1, count):
        if first + step < count:
            yield first + step
        if first - step >= 0:
            yield first - step


def heatmap_levels() -> Bytes:
    """[65536] level of each float16 by its bits: 0 up to the cohort's mean (and for NaN), 255 from `SCALE_TOP`."""
    units = np.arange(65536, dtype=np.uint16).view(np.float16).astype(np.float32)
    levels = np.rint(np.clip(np.nan_to_num(units, nan=0.0), 0, SCALE_TOP) * ((LEVELS - 1) / SCALE_TOP))
    return np.asarray(levels, np.uint8)


def fill_heatmap(layer: Layer, heatmap: npt.NDArray[Any], first: int, cancelled: Callable[[], bool]) -> Iterator[int]:
    """Make the levels slice by slice, outwards from `first`; yields each index once it may be drawn."""
    table = heatmap_levels()
    for index in outward(first, len(layer.ready)):
        if cancelled():
            return
        units = heatmap[index] if heatmap.ndim == 3 else heatmap
        half = np.ascontiguousarray(_at_picture(layer, units), np.float16)
        _store(layer, index, table[half.view(np.uint16)], _strongest)
        yield index


def fill_grey(layer: Layer, made: npt.NDArray[Any], first: int, cancelled: Callable[[], bool]) -> Iterator[int]:
    """The same for a reconstruction, or its difference, in [0, 1]."""
    for index in outward(first, len(layer.ready)):
        if cancelled():
            return
        grey = np.asarray(_at_picture(layer, made[index] if made.ndim == 3 else made), np.float32)
        _store(layer, index, np.rint(np.clip(np.nan_to_num(grey), 0, 1) * 255).astype(np.uint8), halved)
        yield index


def _at_picture(layer: Layer, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """One slice of a map at the picture's pixels."""
    rows, columns = layer.scales[0].shape[1:]
    return values if values.shape == (rows, columns) else at_pixels(values, rows, columns)


def _store(layer: Layer, index: int, levels: Bytes, reduced: Callable[[Bytes], Bytes]) -> None:
    for scale in layer.scales:
        scale[index] = levels
        levels = reduced(levels) if scale is not layer.scales[-1] else levels
    layer.peaks[index] = layer.scales[0][index].max()
    layer.ready[index] = True


def _strongest(levels: Bytes) -> Bytes:
    """Halved by the highest of 2 x 2: a small hot spot stays visible when the image is drawn small."""
    even = np.pad(levels, [(0, side % 2) for side in levels.shape], mode="edge")
    return np.maximum(np.maximum(even[::2, ::2], even[1::2, ::2]), np.maximum(even[::2, 1::2], even[1::2, 1::2]))
