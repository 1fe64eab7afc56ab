"""Slices to one stack: sorted by position along their normal, duplicates dropped, gaps, uneven spacing and gantry tilt found. Reads no files.

Never looks at file names or instance numbers for order; they only break ties between slices at the same position.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from engine.errors import ImplausibleImage, InconsistentSeries
from engine.imaging.volume import FEWEST_SLICES_TO_SCORE, VolumeGeometry

SAME_POSITION_MM = 0.01
SAME_ORIENTATION_DEGREES = 0.5
TILT_DEGREES = 0.5
UNEVEN_SHARE = 0.02
WHOLE_MULTIPLE_SHARE = 0.1
SPACING_MM = (0.01, 20.0)
GAP_MM = 200.0
MOST_PIXELS = 1 << 28


class Plane(NamedTuple):
    """Where one slice lies (PS3.3 C.7.6.2), as its header says.

    Attributes:
        name: the file (and frame), for messages and ties.
        position: LPS mm of the first voxel, or None when the header does not say.  orientation: row then column direction, or None.
        spacing: (row, column) mm, or None.  size: (rows, columns).
        tie: (acquisition number, temporal position, instance number, frame): which of two slices at one position comes first.
        tilt: GantryDetectorTilt (0018,1120) in degrees.
    """

    name: str
    position: tuple[float, float, float] | None
    orientation: tuple[float, float, float, float, float, float] | None
    spacing: tuple[float, float] | None
    size: tuple[int, int]
    tie: tuple[int, ...] = ()
    tilt: float = 0.0


@dataclass(frozen=True, eq=False)
class Stack:
    """The planes that make the volume: `order[k]` is the index of the k-th slice in what was given."""

    order: tuple[int, ...]
    geometry: VolumeGeometry
    warnings: tuple[str, ...]


def stack_planes(planes: Sequence[Plane], where: str) -> Stack:
    """Sort the planes along their normal.

    Raises:
        InconsistentSeries: without position or orientation, or of mixed sizes, orientations or pixel spacings.
        ImplausibleImage: pixel spacing outside 0.01 to 20 mm, slices more than 200 mm apart or of one pixel, or directions that are no right angle.
    """
    if not planes:
        raise InconsistentSeries("no readable slice", where=where, cure="Send or copy the series again")
    numbers = _checked_numbers(planes)
    _check_alike(planes, numbers)
    rows, columns, spacing = _directions(planes[0])
    positions = numbers[:, :3]
    along = positions @ np.cross(rows, columns)
    order, duplicates = _sorted_without_duplicates(planes, along)
    geometry = VolumeGeometry(positions[order], rows, columns, spacing)
    warnings = (
        *_few_slices(len(order)),
        *_duplicates(planes, duplicates, len(order)),
        *_gaps(geometry.slice_positions),
        *_tilt(geometry, planes[0].tilt),
    )
    span = float(np.max(np.diff(geometry.slice_positions), initial=0.0))
    if span > GAP_MM:
        raise ImplausibleImage(
            f"two neighbouring slices lie {span:.0f} mm apart",
            where=where,
            cure="Open each part of the scan as a series of its own",
        )
    return Stack(tuple(int(index) for index in order), geometry, warnings)


def _checked_numbers(planes: Sequence[Plane]) -> npt.NDArray[np.float64]:
    """[planes, 11] position, orientation and spacing of each. Raises as `stack_planes` where one lacks them, or they are no patient's."""
    for plane in planes:
        if plane.position is None or plane.orientation is None or plane.spacing is None:
            said = {"position": plane.position, "orientation": plane.orientation, "pixel spacing": plane.spacing}
            lacking = next(name for name, value in said.items() if value is None)
            raise InconsistentSeries(
                f"the header has no {lacking}, so the slice cannot be placed in the patient",
                where=plane.name,
                cure="Export the original series from the scanner or archive, with its geometry",
            )
    numbers = np.array([(*plane.position, *plane.orientation, *plane.spacing) for plane in planes], np.float64)  # type: ignore[misc]
    unknown = np.isnan(numbers.sum(axis=1)) | np.isinf(numbers.sum(axis=1))
    _refuse(planes, unknown, "the header's position, orientation or spacing is not a number")
    sizes = np.array([plane.size for plane in planes], np.int64)
    impossible = (sizes.min(axis=1) < 2) | (sizes.prod(axis=1) > MOST_PIXELS)
    rows, columns = planes[int(np.argmax(impossible))].size
    _refuse(planes, impossible, f"{rows} x {columns} pixels are no slice of a patient")
    spacings = numbers[:, 9:]
    absurd = (spacings.min(axis=1) < SPACING_MM[0]) | (spacings.max(axis=1) > SPACING_MM[1])
    _refuse(planes, absurd, "a pixel spacing outside {} to {} mm is no patient's".format(*SPACING_MM))
    return numbers


def _refuse(planes: Sequence[Plane], wrong: npt.NDArray[np.bool_], what: str) -> None:
    if wrong.any():
        where = planes[int(np.argmax(wrong))].name
        raise ImplausibleImage(what, where=where, cure="Export the original series from the scanner or archive")


def _directions(plane: Plane) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], tuple[float, float]]:
    """Unit row and column directions; headers round them, so they are made exactly perpendicular."""
    assert plane.orientation is not None and plane.spacing is not None
    rows, columns = np.array(plane.orientation[:3], np.float64), np.array(plane.orientation[3:], np.float64)
    lengths = np.linalg.norm(rows), np.linalg.norm(columns)
    if min(lengths) < 0.9 or max(lengths) > 1.1 or abs(rows @ columns) > 0.01:
        raise ImplausibleImage(
            "the header's row and column directions are not perpendicular unit vectors",
            where=plane.name,
            cure="Export the original series from the scanner or archive",
        )
    rows = rows / lengths[0]
    columns = columns - (columns @ rows) * rows
    return rows, columns / np.linalg.norm(columns), plane.spacing


def _check_alike(planes: Sequence[Plane], numbers: npt.NDArray[np.float64]) -> None:
    """Every slice as the first. Discovery separates most mixtures; files may have changed since."""
    first = planes[0]
    orientations, spacings = numbers[:, 3:9], numbers[:, 9:]
    turned = np.linalg.norm(orientations - orientations[0], axis=1) > np.radians(SAME_ORIENTATION_DEGREES)
    rescaled = (np.abs(spacings / spacings[0] - 1) > 0.001).any(axis=1)
    if not (turned.any() or rescaled.any()) and all(plane.size == first.size for plane in planes):
        return
    for index, plane in enumerate(planes):
        if plane.size != first.size:
            what = f"{plane.size[0]} x {plane.size[1]} pixels, other slices {first.size[0]} x {first.size[1]}"
        elif turned[index]:
            what = "another orientation than the other slices"
        elif rescaled[index]:
            what = f"pixel spacing {spacings[index][0]:g} mm, other slices {spacings[0][0]:g} mm"
        else:
            continue
        raise InconsistentSeries(
            f"the slices do not make one volume: this one has {what}",
            where=plane.name,
            cure="Open the folder again, so that the series is separated into its parts",
        )


def _sorted_without_duplicates(
    planes: Sequence[Plane], along: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.intp], list[int]]:
    """Indices by position, and those of slices dropped because an earlier one lies at the same position.

    Which one stays does not depend on the order of files: lowest acquisition, then time, instance number, frame, name.
    """
    by_position = np.argsort(along, kind="stable")
    starts = np.flatnonzero(np.diff(along[by_position], prepend=-np.inf) > SAME_POSITION_MM)
    if len(starts) == len(planes):
        return by_position, []
    kept: list[int] = []
    dropped: list[int] = []
    for group in np.split(by_position, starts[1:]):
        if len(group) == 1:
            kept.append(int(group[0]))
            continue
        ranked = sorted((int(index) for index in group), key=lambda index: (planes[index].tie, planes[index].name))
        kept.append(ranked[0])
        dropped.extend(ranked[1:])
    return np.array(kept, np.intp), dropped


def _few_slices(slices: int) -> tuple[str, ...]:
    if slices >= FEWEST_SLICES_TO_SCORE:
        return ()
    return (f"{slices}-slice volume: it can be looked at, but is too small for a 3D model.",)


def _duplicates(planes: Sequence[Plane], dropped: list[int], kept: int) -> tuple[str, ...]:
    if not dropped:
        return ()
    if len(dropped) % kept == 0 and kept > 1:
        times = len(dropped) // kept + 1
        return (
            f"Every position was imaged {times} times (phases or reconstructions in one series?); only the first of each is shown.",
        )
    example = planes[dropped[0]].name.rsplit("/", 1)[-1]
    many = f"{len(dropped)} slices lie" if len(dropped) > 1 else "1 slice lies"
    return (
        f"{many} at the position of another and {'were' if len(dropped) > 1 else 'was'} left out (first: {example}).",
    )


def _gaps(along: npt.NDArray[np.float64]) -> tuple[str, ...]:
    """Missing slices and uneven spacing, from the distances along the normal."""
    gaps = np.diff(along)
    if len(gaps) < 2:
        return ()
    median = float(np.median(gaps))
    multiple = np.rint(gaps / median)
    whole = (multiple >= 2) & (np.abs(gaps / median - multiple) <= WHOLE_MULTIPLE_SHARE) & ~_in_a_run(gaps)
    warnings: list[str] = []
    if whole.any():
        missing = int((multiple[whole] - 1).sum())
        behind = ", ".join(str(int(index) + 1) for index in np.flatnonzero(whole)[:5])
        noun = "slices are" if missing > 1 else "slice is"
        warnings.append(f"{missing} {noun} missing: spacing is {median:.2f} mm, with a gap after slice {behind}.")
    rest = gaps[~whole]
    if float(rest.max() - rest.min()) > max(UNEVEN_SHARE * median, SAME_POSITION_MM):
        warnings.append(
            f"Slices are unevenly spaced: {rest.min():.2f} to {rest.max():.2f} mm (median {median:.2f} mm)."
        )
    return tuple(warnings)


def _in_a_run(gaps: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """[gaps] True where three or more equal gaps follow one another: a change of spacing, as in 5 then 10 mm heads, not missing slices."""
    same = np.abs(np.diff(gaps)) <= UNEVEN_SHARE * gaps[:-1]
    in_run = np.zeros(len(gaps), bool)
    starts = same[:-1] & same[1:]
    for offset in range(3):
        in_run[offset : offset + len(starts)] |= starts
    return in_run


def _tilt(geometry: VolumeGeometry, tagged: float) -> tuple[str, ...]:
    """The angle between the direction in which slices are stacked and their normal, beside what the header says of the gantry."""
    degrees = stack_tilt_degrees(geometry)
    if degrees > TILT_DEGREES:
        return (
            f"The stack is tilted by {degrees:.1f} degrees (gantry tilt); it is sheared straight for reformats and models.",
        )
    if len(geometry.positions) > 1 and abs(tagged) > TILT_DEGREES:
        return (
            f"The header says that the gantry was tilted by {abs(tagged):.1f} degrees, but the slice positions are not: "
            "the volume was resampled, or its geometry is wrong.",
        )
    return ()


def stack_tilt_degrees(geometry: VolumeGeometry) -> float:
    """Angle between first-to-last slice position and the slice normal, degrees; 0 for a single slice."""
    if len(geometry.positions) < 2:
        return 0.0
    direction = geometry.positions[-1] - geometry.positions[0]
    cosine = float(direction @ geometry.normal) / max(float(np.linalg.norm(direction)), 1e-9)
    return float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))


def middle_out(count: int) -> list[int]:
    """0..count-1 from the middle outward: 2, 3, 1, 4, 0 for five."""
    middle = count // 2
    return sorted(range(count), key=lambda index: (abs(index - middle), -index))
