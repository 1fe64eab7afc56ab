"""NIfTI files (.nii, .nii.gz) to volumes and radiographs in patient space. Reads whole files only; writes nothing.

The voxels are laid out anew so that slices are the patient's axial planes, rows run to the left and columns to the back, as in a DICOM CT:
files differ in the order and sense of their axes, and a model or a reader must not see that. Read here rather than with SimpleITK, which
reads a truncated file, plain or gzipped, as if it were whole, and refuses sheared transforms.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.errors import ImplausibleImage, InconsistentSeries, UnreadableImage
from engine.imaging import sources
from engine.imaging.hounsfield import Rescale, write_hounsfield
from engine.imaging.nifti_header import HEADER_BYTES, NiftiHeader, parse_nifti_header
from engine.imaging.projection_spacing import NONE_SOUND, impossible, is_plausible
from engine.imaging.radiograph import Radiograph
from engine.imaging.series_files import SeriesFiles
from engine.imaging.slice_stack import Plane, middle_out, stack_planes
from engine.imaging.volume import Volume
from engine.imaging.voxel_memory import allocate_voxels
from engine.imaging.windowing import Window

_GZIP = b"\x1f\x8b"
FEWEST_DECIMAL_UNITS = 64
"""Decimal values that span less than this would lose their content when rounded to whole HU."""


@dataclass(frozen=True, eq=False)
class _Image:
    """Stored values as [slices, rows, columns], axial, rows to the left and columns to the back, and their geometry in LPS mm."""

    stored: npt.NDArray[np.generic]
    header: NiftiHeader
    origin: npt.NDArray[np.float64]
    steps: npt.NDArray[np.float64]
    """[3, 3] mm vectors of one step along slices, rows (down) and columns (right)."""


def read_nifti_header(source: str) -> NiftiHeader:
    """Size and geometry without voxels. Raises UnreadableImage or ImplausibleImage as `parse_nifti_header`."""
    start = sources.read_start(source, 64 << 10)
    if start[:2] == _GZIP:
        try:
            start = zlib.decompressobj(31).decompress(start, HEADER_BYTES)
        except zlib.error as problem:
            raise _damaged(source, problem) from problem
    return parse_nifti_header(start, source)


def read_nifti_volume(series: SeriesFiles, *, on_slice: Callable[[Volume, int], None] | None = None) -> Volume:
    """The file's first volume in whole HU. `on_slice` is called from the middle outward once the file is expanded.

    Raises:
        UnreadableImage: empty, truncated, corrupt or not NIfTI.
        ImplausibleImage: colour or complex numbers, NaN, absurd spacing, or values that rounding would destroy.
        InconsistentSeries: rows and columns that are not perpendicular.
    """
    where = series.sources[0]
    image = _read(where)
    warnings = (*series.warnings, *image.header.warnings, *_about_values(image, where))
    slices, rows, columns = image.stored.shape
    row_spacing, column_spacing = (float(np.linalg.norm(image.steps[axis])) for axis in (1, 2))
    across, down = image.steps[2] / column_spacing, image.steps[1] / row_spacing
    if abs(float(across @ down)) > 0.01:
        raise InconsistentSeries(
            "the file's rows and columns are not perpendicular",
            where=where,
            cure="Resample the image to a rectangular grid",
        )
    planes = [
        Plane(
            f"{where}#{index + 1}",
            _triple(image.origin + index * image.steps[0]),
            (*_triple(across), *_triple(down)),
            (row_spacing, column_spacing),
            (rows, columns),
        )
        for index in range(slices)
    ]
    stack = stack_planes(planes, where)
    volume = Volume(
        allocate_voxels((slices, rows, columns)),
        stack.geometry,
        np.zeros(slices, bool),
        (*warnings, *stack.warnings),
        where=where,
    )
    rescale = Rescale(image.header.slope, image.header.intercept)
    for index in middle_out(slices):
        write_hounsfield(image.stored[stack.order[index]], rescale, volume.voxels[index])
        volume.loaded[index] = True
        if on_slice is not None:
            on_slice(volume, index)
    return volume


def read_nifti_radiograph(series: SeriesFiles) -> Radiograph:
    """A file of one slice as a radiograph: float32 pixels, shown from their 1st to their 99th percentile.

    Raises as `read_nifti_volume`, but of an absurd spacing: as in DICOM films, it is not used, and a warning says so.
    """
    where = series.sources[0]
    image = _read(where)
    if image.stored.shape[0] != 1:
        raise InconsistentSeries(
            f"{image.stored.shape[0]} slices are not a radiograph", where=where, cure="Open the file as a volume"
        )
    pixels = (image.stored[0].astype(np.float64) * image.header.slope + image.header.intercept).astype(np.float32)
    _check_finite(pixels, where, cure="Export the image again from its source")
    low, high = (float(value) for value in np.percentile(pixels, (1, 99)))
    spacing = float(np.linalg.norm(image.steps[1])), float(np.linalg.norm(image.steps[2]))
    trusted = is_plausible(spacing)
    doubts = () if trusted else (_impossible(spacing), NONE_SOUND)
    return Radiograph(
        pixels,
        spacing if trusted else None,
        Window((low + high) / 2, max(high - low, 1e-3), "LINEAR_EXACT"),
        spacing_source="NIfTI" if trusted else "",
        warnings=(*series.warnings, *image.header.warnings, *doubts),
    )


def refused_spacing(header: NiftiHeader, where: str) -> tuple[str, ...]:
    """In words, a radiograph's pixel spacing that no patient's image has; empty when it is sound. Raises ImplausibleImage for a flat transform."""
    columns, rows, _ = _axes_along_patient(header.affine[:, :3], where)
    spacing = float(np.linalg.norm(header.affine[:, rows])), float(np.linalg.norm(header.affine[:, columns]))
    return () if is_plausible(spacing) else (_impossible(spacing),)


def _impossible(spacing: tuple[float, float]) -> str:
    return impossible("A pixel spacing", spacing)


def _read(where: str) -> _Image:
    """The first volume, its axes put in the patient's order without copying."""
    data = sources.read_bytes(where)
    header = read_header_of(data, where)
    expanded = _expanded(data, header.bytes_needed, where)
    if len(expanded) < header.bytes_needed:
        raise UnreadableImage("the file is cut off before its last voxel", where=where, cure="Copy or export it again")
    count = int(np.prod(header.size))
    stored = np.frombuffer(expanded, header.dtype, count, header.offset).reshape(header.size, order="F")
    axes = _axes_along_patient(header.affine[:, :3], where)
    origin, steps = header.affine[:, 3].copy(), header.affine[:, :3].T.copy()
    flips: list[slice] = [slice(None)] * 3
    for patient_axis, axis in enumerate(axes):
        if steps[axis][patient_axis] < 0:
            origin += (header.size[axis] - 1) * steps[axis]
            steps[axis] = -steps[axis]
            flips[axis] = slice(None, None, -1)
    slice_row_column = (axes[2], axes[1], axes[0])
    return _Image(stored[tuple(flips)].transpose(slice_row_column), header, origin, steps[list(slice_row_column)])


def read_header_of(data: bytes, where: str) -> NiftiHeader:
    """The header of a whole file's bytes, gzipped or not."""
    return parse_nifti_header(bytes(_expanded(data, HEADER_BYTES, where, whole=False)[:HEADER_BYTES]), where)


def _expanded(data: bytes, needed: int, where: str, *, whole: bool = True) -> bytes | memoryview:
    """At most `needed` bytes of the expanded file: the header tells how many there may be, so that no archive can expand without bound."""
    if data[:2] != _GZIP:
        return memoryview(data)
    expander = zlib.decompressobj(31)
    try:
        start = expander.decompress(data, needed)
        if whole and not expander.eof:
            expander.decompress(expander.unconsumed_tail, 1 << 16)  # reaching the end checks the file's own checksum
    except zlib.error as problem:
        raise _damaged(where, problem) from problem
    return start


def _damaged(where: str, problem: Exception) -> UnreadableImage:
    return UnreadableImage(f"the compressed data is damaged ({problem})", where=where, cure="Copy or export it again")


def _axes_along_patient(matrix: npt.NDArray[np.float64], where: str) -> tuple[int, int, int]:
    """Which of the file's axes runs nearest to the patient's left, back and head."""
    lengths = np.linalg.norm(matrix, axis=0)
    if not (lengths > 0).all() or abs(np.linalg.det(matrix / lengths)) < 0.1:
        raise ImplausibleImage(
            "the header's transform flattens the image", where=where, cure="Export the image again, with its geometry"
        )
    cosines = np.abs(matrix / lengths)
    best = max(
        itertools.permutations(range(3)), key=lambda axes: sum(cosines[row, axis] for row, axis in enumerate(axes))
    )
    return best[0], best[1], best[2]


def _about_values(image: _Image, where: str) -> tuple[str, ...]:
    """Warnings about the values; raises ImplausibleImage for NaN and for decimals that rounding would destroy."""
    header = image.header
    _check_finite(image.stored, where, cure="Replace them by -1024 (air) and export again")
    low, high = (float(value) * header.slope + header.intercept for value in (image.stored.min(), image.stored.max()))
    whole = Rescale(header.slope, header.intercept).whole
    rounded = not whole or (header.dtype.kind == "f" and bool((image.stored != np.rint(image.stored)).any()))
    if rounded and abs(high - low) < FEWEST_DECIMAL_UNITS:
        raise ImplausibleImage(
            f"the values run from {low:g} to {high:g}, so they are not Hounsfield units",
            where=where,
            cure="Export the image in Hounsfield units, not normalised",
        )
    warnings = []
    if header.volumes > 1:
        warnings.append(f"The file holds {header.volumes} volumes; only the first is shown.")
    if rounded:
        warnings.append("The values are not whole numbers: they are rounded to whole HU.")
    if min(low, high) >= 0:
        warnings.append("No value lies below 0: the values are probably not Hounsfield units.")
    return tuple(warnings)


def _check_finite(values: npt.NDArray[np.generic], where: str, *, cure: str) -> None:
    if values.dtype.kind == "f" and not bool(np.isfinite(values).all()):
        raise ImplausibleImage("some values are not numbers (NaN or infinite)", where=where, cure=cure)


def _triple(vector: npt.NDArray[np.float64]) -> tuple[float, float, float]:
    return float(vector[0]), float(vector[1]), float(vector[2])
