"""A 2D image with its units, spacing and the way it is meant to be shown. Holds pixels; never reads files."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from engine.imaging.windowing import Window, apply_window


@dataclass(frozen=True, eq=False)
class Radiograph:
    """One projection image.

    Attributes:
        pixels: [rows, columns], modality units (after modality LUT or rescale, PS3.3 C.11.1), int16, uint16, uint8 or float32.
        spacing: (row, column) distance in mm of adjacent pixels, or None when the file does not say.
        spacing_source: where spacing comes from: "PixelSpacing" (calibrated, or the exporter's only word), "ImagerPixelSpacing" (at the detector:
            magnified), "NominalScannedPixelSpacing" (a digitised film), "NIfTI", "" when unknown.
        window: how the file asks to be shown (PS3.3 C.11.2), or a window derived from the pixels.
        other_windows: further views that the file offers, best first.
        minimum_is_white: the lowest value is shown white: MONOCHROME1 or an inverse PresentationLUTShape (`ImageHeader.minimum_is_white`).
        valid: [rows, columns] bool, False where the pixels are padding (PS3.3 C.7.5.1.1.2); None when all are valid.
        warnings: what a reader must know, in words (converted from colour, spacing unknown, ...).
        patient_orientation: PatientOrientation (0020,0020; PS3.3 C.7.6.1.1.1): the side of the patient towards higher columns and
            towards higher rows, as in ("L", "F"); "" where the file does not say.
    """

    pixels: npt.NDArray[np.generic]
    spacing: tuple[float, float] | None
    window: Window
    minimum_is_white: bool = False
    spacing_source: str = ""
    valid: npt.NDArray[np.bool_] | None = None
    warnings: tuple[str, ...] = field(default=())
    other_windows: tuple[Window, ...] = field(default=())
    patient_orientation: tuple[str, str] = ("", "")

    def presentation(self) -> npt.NDArray[np.float32]:
        """[rows, columns] float32 in [0, 1] as the file asks to be shown: windowed, turned over when the lowest value is white, padding 0."""
        shown = apply_window(self.pixels, self.window)
        if self.minimum_is_white:
            shown = np.float32(1) - shown
        if self.valid is not None:
            shown = np.where(self.valid, shown, np.float32(0))
        return shown
