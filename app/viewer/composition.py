"""Stored values and heatmap levels to screen colours, by table look-up. Knows no Qt; reads no files.

Every pixel costs two look-ups whatever the window function, colour map or opacity: value -> grey through 65,536 entries, then
(heatmap level, grey) -> colour through 256 x 256 entries. A slice of 512 x 512 takes about half a millisecond, which is why slices
are composed on the GUI thread: handing them to another and back costs more.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from app.viewer.colour_maps import LEVELS
from engine.imaging.windowing import Window, apply_window

Bytes = npt.NDArray[np.uint8]
Codes = npt.NDArray[np.uint16]
Colours = npt.NDArray[np.uint32]

OPAQUE = np.uint32(0xFF000000)


def grey_table(values: npt.NDArray[np.float32], window: Window, *, turned_over: bool) -> npt.NDArray[np.uint16]:
    """[65536] grey 0..255 of each code, `values` being what the codes stand for. uint16, as the next look-up wants it."""
    grey = np.rint(apply_window(values, window) * 255).astype(np.uint16)
    return np.asarray(255 - grey if turned_over else grey, np.uint16)


def windowed_levels(opening: Window, window: Window, *, negative: bool) -> Bytes:
    """[256] grey in another window of each grey 0..255 in the opening one: what has greys alone follows what has values.

    Beyond the opening window there is nothing to bring into sight. `negative`: the lowest value is white.
    """
    if window == opening:
        return np.arange(256, dtype=np.uint8)
    values = np.linspace(*opening.limits, 256, dtype=np.float32)
    grey = np.rint(apply_window(values, window) * 255).astype(np.uint8)
    return np.asarray(255 - grey[::-1] if negative else grey, np.uint8)


def grey_colours(*, turned_over: bool = False) -> Colours:
    """[256] opaque greys."""
    grey = np.arange(256, dtype=np.uint32)
    if turned_over:
        grey = grey[::-1].copy()
    return np.asarray(OPAQUE | grey << 16 | grey << 8 | grey, np.uint32)


def blended_colours(colours: npt.NDArray[np.float32], opacities: npt.NDArray[np.float32]) -> Colours:
    """[65536] colour of (level << 8 | grey): the level's colour over grey at the level's opacity."""
    grey = np.arange(256, dtype=np.float32)[None, :, None]
    alpha = opacities[:, None, None]
    mixed = np.rint(colours[:, None, :] * alpha + grey * (1 - alpha)).astype(np.uint32)
    packed = OPAQUE | mixed[..., 0] << 16 | mixed[..., 1] << 8 | mixed[..., 2]
    return np.asarray(packed, np.uint32).reshape(LEVELS * 256)


def level_colours(colours: npt.NDArray[np.float32], opacities: npt.NDArray[np.float32]) -> Colours:
    """[256] colour of each level over black."""
    return np.ascontiguousarray(blended_colours(colours, opacities)[::256])


def turned(pixels: npt.NDArray[Any], quarters: int, mirrored: bool) -> npt.NDArray[Any]:
    """A view of [rows, columns] as `View.turn` shows it."""
    if mirrored:
        pixels = pixels[:, ::-1]
    return np.rot90(pixels, -quarters) if quarters else pixels


def compose(
    codes: Codes,
    greys: npt.NDArray[np.uint16],
    palette: Colours,
    levels: Bytes | None = None,
    valid: npt.NDArray[np.bool_] | None = None,
) -> Colours:
    """[rows, columns] opaque colours of one slice.

    Args:
        codes: the stored values as 16-bit codes.
        greys: from `grey_table`.
        palette: from `blended_colours`, or `grey_colours` when `levels` is None.
        levels: heatmap levels, or None for no overlay.
        valid: False is drawn black whatever the window.
    """
    grey = np.empty(codes.shape, np.uint16)
    np.take(greys, codes, out=grey, mode="clip")
    if valid is not None:
        grey *= valid
    if levels is not None:
        grey |= np.left_shift(levels, 8, dtype=np.uint16)
    return look_up(palette, grey)


def look_up(palette: Colours, index: npt.NDArray[Any]) -> Colours:
    """[rows, columns] `palette[index]`, contiguous."""
    out = np.empty(index.shape, np.uint32)
    np.take(palette, index, out=out, mode="clip")
    return out
