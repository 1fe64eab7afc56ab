"""A 3D image with geometry in patient space. Holds voxels; never reads files. LPS, millimetres, Hounsfield units."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from engine.errors import InconsistentSeries

AIR = -1024
"""HU that padding, unreadable slices and everything outside the scanned field are set to."""

FEWEST_SLICES_TO_SCORE = 4
"""Fewer slices may be looked at, but are no volume to a 3D model."""


@dataclass(frozen=True, eq=False)
class VolumeGeometry:
    """Where voxel [slice, row, column] lies in the patient (LPS, mm; PS3.3 C.7.6.2).

    Attributes:
        positions: [slices, 3] ImagePositionPatient of each slice's first voxel, sorted along `normal`.
        row_direction: [3] unit vector along increasing column index (first three of ImageOrientationPatient).
        column_direction: [3] unit vector along increasing row index (last three).
        pixel_spacing: (row, column) mm.
    """

    positions: npt.NDArray[np.float64]
    row_direction: npt.NDArray[np.float64]
    column_direction: npt.NDArray[np.float64]
    pixel_spacing: tuple[float, float]

    @property
    def normal(self) -> npt.NDArray[np.float64]:
        """[3] unit normal of the slices: row direction x column direction."""
        cross = np.cross(self.row_direction, self.column_direction)
        return np.asarray(cross / np.linalg.norm(cross), np.float64)

    @property
    def slice_positions(self) -> npt.NDArray[np.float64]:
        """[slices] mm of each slice along the normal, ascending."""
        return np.asarray(self.positions @ self.normal, np.float64)

    def voxel_to_patient(self, slice_index: int, row: float, column: float) -> npt.NDArray[np.float64]:
        """[3] LPS mm of a voxel centre (PS3.3 C.7.6.2.1.1 equation C.7.6.2.1-1)."""
        return np.asarray(
            self.positions[slice_index]
            + self.row_direction * self.pixel_spacing[1] * column
            + self.column_direction * self.pixel_spacing[0] * row,
            np.float64,
        )


@dataclass(frozen=True, eq=False)
class Volume:
    """The slices as acquired, sorted along their normal. What is shown; `straightened` is what a 3D model sees.

    Attributes:
        voxels: [slices, rows, columns] int16 HU; padding is set to -1024 (air) or the lowest representable HU. May be a memory map.
        geometry: one position a slice: spacing may be uneven and the stack sheared (gantry tilt).
        loaded: [slices] bool; all True once loading has finished, slice by slice before that. An unreadable slice stays False: its voxels
            are -1024, and a viewer must say so in its place. (False also where a cancelled load did not reach.)
        warnings: duplicates dropped, slices missing, spacing uneven, gantry tilt in degrees, in words.
        unreadable: indices of slices whose file could not be decoded, ascending.
        where: the file, folder or archive it came from, for messages.
    """

    voxels: npt.NDArray[np.int16]
    geometry: VolumeGeometry
    loaded: npt.NDArray[np.bool_]
    warnings: tuple[str, ...] = field(default=())
    unreadable: tuple[int, ...] = field(default=())
    where: str = ""


def check_for_scoring(volume: Volume) -> None:
    """Refuse a volume that may be shown but not scored.

    A slice that could not be decoded is filled with air: a model would call it abnormal, and a score would vouch for anatomy that nobody
    has seen. Raises InconsistentSeries for that, for a volume that is not completely loaded, and for fewer than four slices.
    """
    slices = len(volume.voxels)
    if slices < FEWEST_SLICES_TO_SCORE:
        raise InconsistentSeries(
            f"{slices} slice{'s' if slices != 1 else ''}: too few to be scored as a volume",
            where=volume.where or None,
            cure=f"Open the complete series; at least {FEWEST_SLICES_TO_SCORE} slices are needed",
        )
    if volume.unreadable:
        named = ", ".join(str(index + 1) for index in volume.unreadable[:5])
        raise InconsistentSeries(
            f"{len(volume.unreadable)} of {slices} slices cannot be read (slice {named}), so the series is not scored",
            where=volume.where or None,
            cure="Send or copy the series again, then score it",
        )
    if not bool(volume.loaded.all()):
        raise InconsistentSeries(
            f"only {int(volume.loaded.sum())} of {slices} slices are loaded",
            where=volume.where or None,
            cure="Wait until the series is loaded, then score it",
        )
