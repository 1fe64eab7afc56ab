"""The colours of the heatmap, and the scale that ties them to cohort units. The same unit has the same colour in every study.

The maps start where they stand out from grey: the dark end of inferno and magma (Smith and van der Walt, 2015, CC0) would read as
shadow on a radiograph. Lightness rises steadily in all three, so that the order of values survives colour blindness and print.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from app.state.viewing import Overlay

SCALE_TOP = 3.0
"""Cohort units at the end of the scale; what is higher has the last colour."""

RAMP = 0.5
"""Cohort units over which the overlay fades in above its threshold."""

LEVELS = 256

COHORT_UNIT = "0 = cohort mean, 1 = 99th percentile of normals"


@dataclass(frozen=True)
class ColourMap:
    """A name for the reader and sRGB anchors from low to high."""

    title: str
    anchors: tuple[str, ...]


COLOUR_MAPS: dict[str, ColourMap] = {
    "inferno": ColourMap(
        "Inferno",
        ("#6a176e", "#8f2469", "#b1325a", "#d24644", "#ea632a", "#f8870e", "#fcb216", "#f4dd4f", "#fcffa4"),
    ),
    "magma": ColourMap(
        "Magma",
        ("#641a80", "#882781", "#ab337c", "#d0416f", "#ed5a5f", "#fa815f", "#feac76", "#fed597", "#fcfdbf"),
    ),
    "amber": ColourMap("Amber, one hue", ("#7a3b00", "#a65300", "#d06d00", "#f28a0a", "#ffa63a", "#ffc473", "#ffe0b0")),
}


@cache
def colours(name: str) -> npt.NDArray[np.float32]:
    """[256, 3] float32 in 0..255 from 0 cohort units to `SCALE_TOP`."""
    anchors = np.array(
        [[int(code[i : i + 2], 16) for i in (1, 3, 5)] for code in COLOUR_MAPS[name].anchors], np.float32
    )
    at = np.linspace(0, len(anchors) - 1, LEVELS)
    steps = np.arange(len(anchors))
    return np.stack([np.interp(at, steps, anchors[:, channel]) for channel in range(3)], axis=1).astype(np.float32)


def level_values() -> npt.NDArray[np.float32]:
    """[256] cohort units of each quantised level."""
    return np.linspace(0, SCALE_TOP, LEVELS, dtype=np.float32)


def opacities(overlay: Overlay) -> npt.NDArray[np.float32]:
    """[256] opacity of each level: 0 up to the threshold, `overlay.opacity` from `RAMP` above it."""
    return np.asarray(np.clip((level_values() - overlay.threshold) / RAMP, 0, 1) * overlay.opacity, np.float32)


def map_opacities() -> npt.NDArray[np.float32]:
    """[256] opacity on black for the map shown alone: all of it, the cohort's mean fading to black."""
    return np.asarray(np.clip(level_values() / RAMP, 0, 1), np.float32)
