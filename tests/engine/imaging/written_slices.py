"""CT slices on disk for the tests of discovery, and the words that these share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import NormascopeError
from engine.imaging.series import Series

GREY = np.arange(64 * 48, dtype=np.uint16).reshape(64, 48)
Opened = Callable[[str | Path], tuple[list[Series], list[NormascopeError]]]
Write = Callable[..., Path]
AXIAL = [1, 0, 0, 0, 1, 0]
CORONAL = [1, 0, 0, 0, 0, -1]


def slices(
    write: Write, folder: str, positions: list[float], series: str = "1.2.3", place: int = 2, **elements: Any
) -> None:
    """CT slices along axis `place` of patient space, named by their order."""
    for index, position in enumerate(positions):
        where = [0.0, 0.0, 0.0]
        where[place] = position
        values = {"ImageOrientationPatient": AXIAL, "PixelSpacing": [1, 1], "StudyInstanceUID": "1.2"} | elements
        write(
            GREY, f"{folder}/{index}.dcm", Modality="CT", SeriesInstanceUID=series, ImagePositionPatient=where, **values
        )
