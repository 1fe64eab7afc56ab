"""Reads one radiograph, whatever its file format, to pixels in modality units with spacing, window and warnings. Reads no volumes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from engine.errors import ImplausibleImage
from engine.imaging.dicom_header import frame_headers
from engine.imaging.dicom_pixels import decode_frame
from engine.imaging.header_memory import remembered_header
from engine.imaging.image_header import ImageHeader
from engine.imaging.projection_spacing import projection_spacing
from engine.imaging.radiograph import Radiograph
from engine.imaging.series_files import SeriesFiles
from engine.imaging.windowing import Window, window_from_values

SMALLEST_SIDE = 8
"""Fewer rows or columns than this are no picture of a patient; thumbnails begin well above."""


def read_radiograph(series: SeriesFiles) -> Radiograph:
    """Decode the series' one image.

    Raises:
        UnreadableImage, UnsupportedTransferSyntax: empty, truncated, corrupt or not decodable.
        ImplausibleImage: too small to be a picture, a colour photograph, or values that are not numbers.
    """
    if series.format == "raster":
        from engine.imaging.raster import read_raster

        radiograph = read_raster(series.sources[0])
    elif series.format == "nifti":
        from engine.imaging.nifti import read_nifti_radiograph

        radiograph = read_nifti_radiograph(series)
    else:
        radiograph = _read_dicom(series.sources[0])
    _refuse_implausible(radiograph.pixels, series.sources[0])
    return replace(radiograph, warnings=_once(series.warnings + radiograph.warnings))


def shown_frame(frames: int) -> int:
    """Which frame of a film stands for it: the middle one, where contrast medium has arrived and the breath is held."""
    return frames // 2


def film_header(source: str) -> ImageHeader:
    """The header of the frame that stands for a DICOM film. Raises as `frame_headers`."""
    header = remembered_header(source)
    if header.frames > 1:
        headers = frame_headers(source)
        header = headers[shown_frame(len(headers))]
    return header


def _read_dicom(source: str) -> Radiograph:
    header = film_header(source)
    frame = decode_frame(header)
    spacing = projection_spacing(header)
    window, others, doubts = _windows(header, frame.pixels, frame.valid)
    warnings = [*frame.warnings, *spacing.warnings, *doubts]
    if header.polarity_is_contradicted:
        warnings.append(
            f"The file says both {header.photometric} and {header.presentation_lut_shape}: shown as the latter asks. Check that it is no negative."
        )
    if header.spacing_calibration:
        warnings.append(f"Pixel spacing was calibrated by {header.spacing_calibration.lower()}.")
    return Radiograph(
        pixels=frame.pixels,
        spacing=spacing.millimetres,
        spacing_source=spacing.source,
        window=window,
        other_windows=others,
        minimum_is_white=header.minimum_is_white,
        valid=frame.valid,
        patient_orientation=header.patient_orientation,
        warnings=tuple(warnings),
    )


def _windows(
    header: ImageHeader, pixels: npt.NDArray[np.generic], valid: npt.NDArray[np.bool_] | None
) -> tuple[Window, tuple[Window, ...], tuple[str, ...]]:
    """(the window to open with, the others, doubts): the file's first that shows anything, else one from the pixels."""
    derived = window_from_values(pixels, valid)
    if header.samples_per_pixel != 1 or header.photometric == "PALETTE COLOR":
        return derived, (), ()  # windows are for grey values; a colour image was converted
    usable = tuple(window for window in header.windows if _shows(window, derived))
    if usable:
        return usable[0], (*dict.fromkeys((*usable[1:], derived)),), ()
    doubts = ("The file's window lies outside the image's values and is not used.",) if header.windows else ()
    return derived, (), doubts


def _shows(window: Window, derived: Window) -> bool:
    """False when every usual value of the image would be fully black or fully white."""
    (low, high), (first, last) = window.limits, derived.limits
    return high > first and low < last


def _refuse_implausible(pixels: npt.NDArray[np.generic], where: str) -> None:
    rows, columns = pixels.shape
    if min(rows, columns) < SMALLEST_SIDE:
        raise ImplausibleImage(
            f"the image is {rows} x {columns} pixels: too small to be a radiograph",
            where=where,
            cure="Open the original image",
        )
    if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
        raise ImplausibleImage(
            "some pixels are not numbers (NaN or infinite)", where=where, cure="Export the image again from its source"
        )


def _once(warnings: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(warnings))
