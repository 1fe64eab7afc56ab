"""How far apart the pixels of a projection image are, and how far that can be trusted (PS3.3 10.7). Never used for cross-sections."""

from __future__ import annotations

import math
from dataclasses import dataclass

from engine.imaging.image_header import ImageHeader

SMALLEST_MM, LARGEST_MM = 0.005, 10.0
"""Mammography detectors reach 0.05 mm; a pixel beyond 10 mm shows nothing."""


UNKNOWN = "The file gives no pixel spacing: distances cannot be measured."


@dataclass(frozen=True)
class ProjectionSpacing:
    """(row, column) mm or None; the attribute that it comes from; what a reader must know before measuring."""

    millimetres: tuple[float, float] | None
    source: str
    warnings: tuple[str, ...]


def is_plausible(pair: tuple[float, float]) -> bool:
    """Whether the pixels of a patient's image can lie so far apart, (row, column) mm."""
    return all(math.isfinite(value) and SMALLEST_MM <= value <= LARGEST_MM for value in pair)


def impossible(name: str, pair: tuple[float, float]) -> str:
    """The warning about a spacing that `is_plausible` refuses."""
    return f"{name} of {pair[0]:g} x {pair[1]:g} mm is impossible and is not used."


def projection_spacing(header: ImageHeader) -> ProjectionSpacing:
    """The spacing to measure with.

    PS3.3 10.7.1.3: Pixel Spacing (0028,0030) that differs from Imager Pixel Spacing (0018,1164) was calibrated to the patient; equal values, or
    Imager Pixel Spacing alone, are distances at the detector, where anatomy is magnified.
    """
    warnings: list[str] = []
    candidates = {
        "PixelSpacing": header.pixel_spacing,
        "ImagerPixelSpacing": header.imager_pixel_spacing,
        "NominalScannedPixelSpacing": header.nominal_scanned_spacing,
    }
    sound: dict[str, tuple[float, float]] = {}
    for name, pair in candidates.items():
        if pair is None:
            continue
        if is_plausible(pair):
            sound[name] = pair
        else:
            warnings.append(impossible(name, pair))
    pixel, imager = sound.get("PixelSpacing"), sound.get("ImagerPixelSpacing")
    if pixel is not None and imager is not None and pixel == imager and not header.spacing_calibration:
        del sound["PixelSpacing"]
    if not sound:
        return ProjectionSpacing(None, "", (*warnings, UNKNOWN))
    name = next(iter(sound))
    if name == "ImagerPixelSpacing":
        warnings.append("Distances are at the detector: anatomy is shown magnified, and measures too long.")
    return ProjectionSpacing(sound[name], name, tuple(warnings))
