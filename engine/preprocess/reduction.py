"""A small copy of a film to look for shapes on, and masks back to the film's own pixels. Decides nothing."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from engine.preprocess.prepared import Map

Mask = npt.NDArray[np.bool_]

LONGEST = 256
"""Pixels of a working copy's longer side: enough for outlines of bodies, films and letters, and quick at any film size."""


def reduced(image: Map, longest: int = LONGEST) -> Map:
    """[rows, columns] float32 averaged down to `longest` pixels on its longer side; a smaller image stays as it is."""
    scale = min(1.0, longest / max(image.shape))
    rows, columns = (max(1, round(side * scale)) for side in image.shape)
    if (rows, columns) == image.shape:
        return image
    picture = Image.fromarray(np.ascontiguousarray(image, np.float32))
    return np.asarray(picture.resize((columns, rows), Image.Resampling.BOX), np.float32)


def magnified(small: Map, shape: tuple[int, ...]) -> Map:
    """A working copy at the film's [rows, columns], linear between its pixels."""
    if small.shape == shape:
        return small
    picture = Image.fromarray(np.ascontiguousarray(small, np.float32))
    return np.asarray(picture.resize((shape[1], shape[0]), Image.Resampling.BILINEAR), np.float32)


def enlarged(mask: Mask, shape: tuple[int, ...]) -> Mask:
    """A working copy's mask at the film's [rows, columns], its outline smooth."""
    return mask if mask.shape == shape else magnified(mask.astype(np.float32), shape) >= 0.5
