"""How far apart the pixels of a projection image are, and how far that can be trusted (PS3.3 10.7). Never used for cross-sections."""

from __future__ import annotations

import math
from dataclasses import dataclass

from engine.errors import ImpossibleSpacing
from engine.imaging.image_header import ImageHeader

SMALLEST_MM, LARGEST_MM = 0.005, 10.0
"""Mammography detectors reach 0.05 mm; a pixel beyond 10 mm shows nothing."""


UNKNOWN = "The file gives no pixel spacing: distances cannot be measured."
NONE_SOUND = "Distances cannot be measured."


@dataclass(frozen=True)
class ProjectionSpacing:
    """(row, column) mm or None; the attribute that it comes from; what a reader must know before measuring; what `is_plausible` refuses, in words."""

    millimetres: tuple[float, float] | None
    source: str
    warnings: tuple[str, ...]
    refused: tuple[str, ...] = ()


def is_plausible(pair: tuple[float, float]) -> bool:
    """Whether the pixels of a patient's image can lie so far apart, (row, column) mm."""
    return all(math.isfinite(value) and SMALLEST_MM <= value <= LARGEST_MM for value in pair)


def impossible(name: str, pair: tuple[float, float]) -> str:
    """What is said of a spacing that `is_plausible` refuses."""
    return f"{name} of {pair[0]:g} x {pair[1]:g} mm is impossible and is not used."


def refusal(refused: tuple[str, ...], where: str) -> ImpossibleSpacing | None:
    """The error about a film's impossible spacings, each as `impossible` says it; None when there are none."""
    if not refused:
        return None
    return ImpossibleSpacing(
        " ".join(refused),
        where=where,
        cure="Export it again with its true pixel spacing; the film is read without it",
    )


def projection_spacing(header: ImageHeader) -> ProjectionSpacing:
    """The spacing to measure with.

    PS3.3 10.7.1.3: Pixel Spacing (0028,0030) that differs from Imager Pixel Spacing (0018,1164) was calibrated to the patient; equal values, or
    Imager Pixel Spacing alone, are distances at the detector, where anatomy is magnified.
    """
    candidates = {
        "PixelSpacing": header.pixel_spacing,
        "ImagerPixelSpacing": header.imager_pixel_spacing,
        "NominalScannedPixelSpacing": header.nominal_scanned_spacing,
    }
    given = {name: pair for name, pair in candidates.items() if pair is not None}
    sound = {name: pair for name, pair in given.items() if is_plausible(pair)}
    refused = tuple(impossible(name, pair) for name, pair in given.items() if name not in sound)
    pixel, imager = sound.get("PixelSpacing"), sound.get("ImagerPixelSpacing")
    if pixel is not None and imager is not None and pixel == imager and not header.spacing_calibration:
        del sound["PixelSpacing"]
    if not sound:
        return ProjectionSpacing(None, "", (*refused, NONE_SOUND if refused else UNKNOWN), refused)
    name = next(iter(sound))
    magnified = ("Distances are at the detector: anatomy is shown magnified, and measures too long.",)
    return ProjectionSpacing(
        sound[name], name, (*refused, *(magnified if name == "ImagerPixelSpacing" else ())), refused
    )
