"""A series of slices to one volume in Hounsfield units: the middle slice first, two workers, one int16 array allocated once.

Order comes from positions in the patient, never from names or instance numbers. A slice whose pixels cannot be decoded does not spoil the
others: it stays in its place as air, is named in the warnings and marked (`loaded` False, `unreadable`), and the volume may be shown but not
scored (`check_for_scoring`). Interpolating it away here would show anatomy that nobody imaged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np

from engine.errors import ImplausibleImage, NormascopeError, UnreadableImage
from engine.imaging import dicom_header, dicom_pixels, plain_slices
from engine.imaging.dicom_elements import PIXEL_DATA
from engine.imaging.header_memory import remembered_header
from engine.imaging.hounsfield import Rescale, write_hounsfield
from engine.imaging.image_header import ImageHeader
from engine.imaging.series_files import SeriesFiles
from engine.imaging.slice_stack import Plane, middle_out, stack_planes
from engine.imaging.sources import source_name
from engine.imaging.volume import AIR, Volume
from engine.imaging.voxel_memory import allocate_voxels

OnSlice = Callable[[Volume, int], None]
FEWEST_UNITS = 256
"""A CT slice spans thousands of HU; one whose whole range of stored values spans fewer units than this is not in HU."""
_MOST_NAMES = 3


def read_volume(
    series: SeriesFiles,
    *,
    on_slice: OnSlice | None = None,
    workers: int = 2,
    cancelled: Callable[[], bool] | None = None,
) -> Volume:
    """Decode the slices, the middle one first, then outward.

    Args:
        on_slice: called after each slice with the growing volume and the slice's index: for the middle slice from the calling thread, for the
            others from worker threads. Unreadable slices are announced too; their `loaded` stays False.
        workers: threads that decode.
        cancelled: asked before each slice; once True, the volume comes back as far as it is (`loaded` says how far).

    Raises:
        UnreadableImage: no slice can be read.
        InconsistentSeries: slices without geometry, or of mixed sizes, orientations or pixel spacings.
        ImplausibleImage: colour, absurd spacing, or values that are no Hounsfield units.
        StorageUnavailable: neither memory nor the temporary folder has room.
    """
    if series.format == "nifti":
        from engine.imaging.nifti import read_nifti_volume

        return read_nifti_volume(series, on_slice=on_slice)
    if series.format != "dicom":
        raise UnreadableImage(
            "a photograph or picture is not a volume", where=series.path, cure="Open it as a radiograph"
        )
    headers, left_out = _headers(series)
    _check_hounsfield(headers)
    stack = stack_planes([_plane(header) for header in headers], series.path)
    ordered = [headers[index] for index in stack.order]
    shape = (len(ordered), ordered[0].rows, ordered[0].columns)
    volume = Volume(
        allocate_voxels(shape),
        stack.geometry,
        np.zeros(len(ordered), bool),
        (*series.warnings, *stack.warnings, *_units(ordered), *left_out),
        where=series.path,
    )
    return _decoded(_Decoding(volume, ordered, on_slice, cancelled), workers)


def _headers(series: SeriesFiles) -> tuple[list[ImageHeader], tuple[str, ...]]:
    """One header a slice, and a warning that names the files without a readable one (whose place in the stack nobody knows)."""
    headers: list[ImageHeader] = []
    problems: list[NormascopeError] = []
    for source in series.sources:
        try:
            header = remembered_header(source)
            many = (
                header.frames > 1 or header.position is None
            )  # an enhanced instance keeps positions in functional groups
            found = dicom_header.frame_headers(source) if many else [header]
            if not (found and found[0].rows and found[0].columns):
                raise UnreadableImage("the header ends too early", where=source, cure="Copy or export it again")
            headers.extend(found)
        except NormascopeError as problem:
            problems.append(problem)
    if not headers:
        raise problems[0] if problems else UnreadableImage("no slices", where=series.path, cure="Copy the series again")
    if not problems:
        return headers, ()
    noun = "files have" if len(problems) > 1 else "file has"
    return headers, (f"{len(problems)} {noun} no readable header and were left out: {_names(problems)}.",)


def _names(problems: Sequence[NormascopeError]) -> str:
    named = ", ".join(f"{source_name(problem.where or '')} ({problem.what})" for problem in problems[:_MOST_NAMES])
    return named + (f" and {len(problems) - _MOST_NAMES} more" if len(problems) > _MOST_NAMES else "")


def _plane(header: ImageHeader) -> Plane:
    name = f"{header.source}#{header.frame + 1}" if header.frames > 1 else header.source
    return Plane(
        name,
        header.position,
        header.orientation,
        header.pixel_spacing,
        (header.rows, header.columns),
        (header.acquisition_number or 0, header.temporal_position or 0, header.instance_number or 0, header.frame),
        header.gantry_tilt or 0.0,
    )


def _check_hounsfield(headers: Sequence[ImageHeader]) -> None:
    """Refuse what whole int16 numbers cannot hold; raises ImplausibleImage."""
    kinds = {
        (header.samples_per_pixel, header.modality, header.pixel_tag, header.slope, header.bits_stored): header
        for header in headers
    }
    for header in kinds.values():  # one of each kind: the first slice is waited for
        if header.samples_per_pixel != 1:
            what, cure = (
                "a colour image has no Hounsfield units",
                "Open the original series instead of the screen capture",
            )
        elif header.modality in ("PT", "NM"):
            what, cure = (
                f"modality {header.modality} counts radioactivity, not Hounsfield units",
                "Open the CT series of the study",
            )
        elif header.has_pixels and header.pixel_tag != PIXEL_DATA:
            what, cure = (
                "decimal pixel data (a parametric map) is not in Hounsfield units",
                "Open the CT series of the study",
            )
        elif header.has_pixels and _span(header) < FEWEST_UNITS:
            what = f"the values span only {_span(header):g} units after rescale (slope {header.slope:g}), so they are not Hounsfield units"
            cure = "Open the CT series of the study, or export this one in Hounsfield units"
        else:
            continue
        raise ImplausibleImage(what, where=header.source, cure=cure)


def _span(header: ImageHeader) -> float:
    """Units between the lowest and highest value that a rescaled slice can hold; whole slopes keep every stored value."""
    if header.modality_lut is not None or (float(header.slope).is_integer() and header.slope != 0):
        return float(FEWEST_UNITS)
    return abs(header.slope) * ((1 << header.bits_stored) - 1)


def _units(headers: Sequence[ImageHeader]) -> tuple[str, ...]:
    warnings = []
    if headers[0].modality not in ("CT", ""):
        warnings.append(f"Modality {headers[0].modality}: the values are not Hounsfield units.")
    rescales = {(header.slope, header.intercept) for header in headers}
    for slope, intercept in sorted(pair for pair in rescales if not Rescale(*pair).whole)[:1]:
        warnings.append(
            f"Rescale slope {slope:g} and intercept {intercept:g} are not whole: values are rounded to whole numbers."
        )
    return tuple(warnings)


@dataclass(eq=False)
class _Decoding:
    """One load under way, shared by its workers. Each slice is written by one of them only; lists grow by atomic appends."""

    volume: Volume
    headers: Sequence[ImageHeader]
    on_slice: OnSlice | None
    cancelled: Callable[[], bool] | None
    clipped: list[int] = field(default_factory=list)
    problems: list[tuple[int, NormascopeError]] = field(default_factory=list)
    file_bytes: dict[str, bytes] = field(default_factory=dict)
    stopped: bool = False

    def run(self, indices: Iterator[int]) -> None:
        """Decode slices until there are no more, somebody cancels or another worker fails."""
        try:
            for index in indices:
                if self.stopped or (self.cancelled is not None and self.cancelled()):
                    self.stopped = True
                    return
                self.decode(index)
        except BaseException:
            self.stopped = True
            raise

    def decode(self, index: int) -> None:
        """Write one slice, or mark it unreadable, and announce it."""
        try:
            self.clipped.append(write_slice(self.headers[index], self.volume.voxels[index], self._bytes(index)))
            self.volume.loaded[index] = True
        except NormascopeError as problem:
            self.volume.voxels[index] = AIR
            self.problems.append((index, problem))
        if self.on_slice is not None:
            self.on_slice(self.volume, index)

    def _bytes(self, index: int) -> bytes | None:
        """A compressed multi-frame file is read once, not once a frame."""
        header = self.headers[index]
        if header.frames == 1 or plain_slices.can_read_in_place(header):
            return None
        if header.source not in self.file_bytes:
            self.file_bytes[header.source] = dicom_header.instance_bytes(header.source, header.transfer_syntax)
        return self.file_bytes[header.source]


def write_slice(
    header: ImageHeader, out: np.ndarray[tuple[int, ...], np.dtype[np.int16]], data: bytes | None = None
) -> int:
    """Decode one frame into `out` [rows, columns] int16 HU; returns how many voxels were clipped.

    Raises UnreadableImage (or UnsupportedTransferSyntax) when the pixels cannot be decoded.
    """
    if not header.has_pixels:
        raise UnreadableImage("the file ends before its pixels", where=header.source, cure="Copy or export it again")
    rescale = Rescale(header.slope, header.intercept, header.padding)
    if plain_slices.can_read_in_place(header):
        plain_slices.read_in_place(header, out)
        return write_hounsfield(out, rescale, out)
    if header.modality_lut is None:
        return write_hounsfield(dicom_pixels.decode_stored(header, data=data), rescale, out)
    frame = dicom_pixels.decode_frame(header, data=data)
    clipped = write_hounsfield(frame.pixels, Rescale(), out)
    if frame.valid is not None:
        out[~frame.valid] = AIR
    return clipped


def _decoded(decoding: _Decoding, workers: int) -> Volume:
    """Run the workers, then say what went wrong."""
    order = iter(middle_out(len(decoding.headers)))
    decoding.run(iter([next(order)]))  # alone and first: the reader waits for this one
    with ThreadPoolExecutor(max(1, workers), thread_name_prefix="slices") as pool:
        for done in [pool.submit(decoding.run, order) for _ in range(max(1, workers))]:
            done.result()
    if len(decoding.problems) == len(decoding.headers):
        raise decoding.problems[0][1]
    return replace(
        decoding.volume,
        warnings=(*decoding.volume.warnings, *_outcome(decoding)),
        unreadable=tuple(sorted(index for index, _ in decoding.problems)),
    )


def _outcome(decoding: _Decoding) -> Iterator[str]:
    if clipped := sum(decoding.clipped):
        yield f"{clipped} voxels lie outside the range of -32768 to 32767 HU and were clipped."
    if decoding.problems:
        problems = [problem for _, problem in sorted(decoding.problems, key=lambda entry: entry[0])]
        noun = "slices cannot" if len(problems) > 1 else "slice cannot"
        yield f"{len(problems)} {noun} be read and {'are' if len(problems) > 1 else 'is'} shown as missing: {_names(problems)}."
