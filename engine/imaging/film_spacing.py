"""Whether a film's file gives a spacing that no patient's image has. Reads headers, never pixels: what is measured with is the reader's to say."""

from __future__ import annotations

from engine.errors import ImpossibleSpacing, NormascopeError
from engine.imaging.header_memory import remembered_header
from engine.imaging.projection_spacing import projection_spacing, refusal
from engine.imaging.reading import film_header
from engine.imaging.series import Series


def spacing_error(series: Series) -> ImpossibleSpacing | None:
    """The error to tell beside a film that is handed over all the same; None for volumes, which are refused when they are stacked."""
    if series.kind != "radiograph" or series.format == "raster":
        return None  # a picture's print resolution is not read as a distance in the patient
    source = series.sources[0]
    try:
        return refusal(_refused(series, source), source)
    except NormascopeError:
        return None  # whoever decodes it meets the same, and says so


def _refused(series: Series, source: str) -> tuple[str, ...]:
    if series.format == "nifti":
        from engine.imaging.nifti import read_nifti_header, refused_spacing

        return refused_spacing(read_nifti_header(source), source)
    spacing = projection_spacing(remembered_header(source))
    if series.frames > 1 and spacing.millimetres is None and not spacing.refused:
        spacing = projection_spacing(
            film_header(source)
        )  # frames may have theirs in functional groups, which are slow to read
    return spacing.refused
