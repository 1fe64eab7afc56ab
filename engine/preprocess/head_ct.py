"""Head CT to a network's box: a fixed field in millimetres under the vertex, brain window, and the way back to the acquired slices.

Samples the acquired slices at their true positions, so gantry tilt and uneven spacing need no second resampling.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from engine.errors import ImplausibleImage, NotApplicable
from engine.imaging.volume import Volume, check_for_scoring
from engine.preprocess.axis_sampling import averaging_weights, linear_weights
from engine.preprocess.prepared import Map, Prepared, Steps

BONE_HU = 200


class HeadCtOptions(BaseModel):
    """Switches of the head CT preprocessing.

    Attributes:
        field_mm: side of the square in-plane field (Shibata 2021: 220 mm).
        slice_mm: distance of the box's slices; 32 slices of 5 mm reach from the vertex to the skull base.
        below_mm: how far under the vertex the uppermost slice lies; a box that begins lower and is narrow holds brain and little skull.
        lowest_hu, width_hu: grey 0 is `lowest_hu`, grey 1 is `lowest_hu + width_hu`; clip(HU + 14, 0, 127) in Shibata 2021, section 2.1.
        window_first: window what was acquired and not the box: in a coarse voxel a tenth of bone, 1,000 HU, would outshine all else.
        shift_mm: the box's way from its place, to the head, the back and the patient's left; training images may be seen at several.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    field_mm: float = 220.0
    slice_mm: float = 5.0
    below_mm: float = 0.0
    lowest_hu: float = -14.0
    width_hu: float = 127.0
    window_first: bool = False
    shift_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)


@dataclass(frozen=True, eq=False)
class _Frame:
    """The slices' own axes turned to patient axes: x to the patient's left, y to the back, z to the head (LPS).

    x, y: per slice, mm of the first column and first row; z: mm of each slice; step_x, step_y: signed mm a column and a row.
    """

    x: npt.NDArray[np.float64]
    y: npt.NDArray[np.float64]
    z: npt.NDArray[np.float64]
    step_x: float
    step_y: float


def prepare_head_ct(
    volume: Volume, options: HeadCtOptions, size: tuple[int, ...], steps: Steps | None = None
) -> Prepared:
    """A head CT as [1, D, H, W] in [-1, 1], slices from foot to head, patient's left at the right; the windowed slices and box go to `steps`.

    Raises:
        InconsistentSeries: fewer than four slices, or one that cannot be read.
        NotApplicable: the slices are not axial.
        ImplausibleImage: there is no skull in the volume.
    """
    depth, height, width = size
    check_for_scoring(volume)
    frame = _frame(volume)
    centre_x, centre_y, top = _find_head(volume, frame)
    up, back, left = options.shift_mm
    box_x = centre_x + left + (np.arange(width) - (width - 1) / 2) * options.field_mm / width
    box_y = centre_y + back + (np.arange(height) - (height - 1) / 2) * options.field_mm / height
    box_z = np.asarray(top + up - options.below_mm - (depth - 1 - np.arange(depth)) * options.slice_mm, np.float64)

    low, high = options.lowest_hu, options.lowest_hu + options.width_hu
    hu = _sample(volume, frame, box_x, box_y, box_z, (low, high) if options.window_first else None)
    grey = np.clip((hu - low) / options.width_hu, 0, 1)

    original = volume.voxels.shape
    if steps is not None:
        acquired = np.clip((np.asarray(volume.voxels, np.float32) - low) / options.width_hu, 0, 1)
        steps.append((f"the acquired slices, {low:g} to {high:g} HU", acquired))
        box = f"{options.field_mm:g} mm wide, slices {options.slice_mm:g} mm apart"
        steps.append((f"the box under the vertex, {box}", grey.astype(np.float32)))

    def project(array: Map, shape: tuple[int, ...]) -> Map:
        return _to_slices(array, shape, original, frame, box_x, box_y, box_z)

    warnings: tuple[str, ...] = ()
    if frame.z.max() - frame.z.min() < 0.6 * depth * options.slice_mm:
        covered = round(float(frame.z.max() - frame.z.min()))
        warnings = (f"the series covers {covered} mm; the model looks at {round(depth * options.slice_mm)} mm",)
    return Prepared((grey * 2 - 1).astype(np.float32)[np.newaxis], original, project, warnings)


def _frame(volume: Volume) -> _Frame:
    """Slice geometry along the patient's axes. Raises NotApplicable unless the slices are axial within 45 degrees."""
    geometry = volume.geometry
    row, column, normal = geometry.row_direction, geometry.column_direction, geometry.normal
    if abs(normal[2]) < 0.7 or abs(row[0]) < 0.7:
        raise NotApplicable("the slices are not axial", cure="Send the axial series of this study.")
    to_left, to_back, to_head = np.sign(row[0]), np.sign(column[1]), np.sign(normal[2])
    return _Frame(
        x=geometry.positions @ row * to_left,
        y=geometry.positions @ column * to_back,
        z=geometry.positions @ normal * to_head,
        step_x=float(geometry.pixel_spacing[1] * to_left),
        step_y=float(geometry.pixel_spacing[0] * to_back),
    )


def _find_head(volume: Volume, frame: _Frame) -> tuple[float, float, float]:
    """(x, y, z): in-plane centre of the skull's upper 100 mm, and the mm of its top. Raises ImplausibleImage without a skull."""
    every = max(1, volume.voxels.shape[1] // 128)
    bone = np.asarray(volume.voxels[:, ::every, ::every]) > BONE_HU
    pixel_mm2 = abs(frame.step_x * frame.step_y) * every**2
    with_bone = bone.sum((1, 2)) * pixel_mm2 > 200
    if not with_bone.any():
        raise ImplausibleImage("there is no skull in this volume", cure="Choose a head CT.")
    top = float(frame.z[with_bone].max())
    x, y = [], []
    for index in np.flatnonzero(with_bone & (frame.z > top - 100)):
        rows, columns = np.nonzero(bone[index])
        x.append(frame.x[index] + frame.step_x * columns * every)
        y.append(frame.y[index] + frame.step_y * rows * every)
    left, right = np.percentile(np.concatenate(x), (2, 98))
    front, back = np.percentile(np.concatenate(y), (2, 98))
    return float(left + right) / 2, float(front + back) / 2, top


def _sample(
    volume: Volume,
    frame: _Frame,
    box_x: npt.NDArray[np.float64],
    box_y: npt.NDArray[np.float64],
    box_z: npt.NDArray[np.float64],
    window: tuple[float, float] | None,
) -> npt.NDArray[np.float32]:
    """[D, H, W] HU on the box's grid, averaged over its voxels, of what `window` leaves; air where the series does not reach."""
    rows, columns = volume.voxels.shape[1:]
    weights = averaging_weights(frame.z, box_z)
    box = np.zeros((len(box_z), len(box_y), len(box_x)), np.float32)
    for index in np.flatnonzero(weights.any(0)):
        across = averaging_weights(frame.x[index] + frame.step_x * np.arange(columns), box_x)
        down = averaging_weights(frame.y[index] + frame.step_y * np.arange(rows), box_y)
        # in HU + 1024, so that what lies outside the slice (weight 0) is air
        acquired = np.asarray(volume.voxels[index], np.float32)
        plane = down @ ((acquired if window is None else np.clip(acquired, *window)) + 1024) @ across.T
        box += weights[:, index, None, None] * plane
    return box - 1024


def _to_slices(
    array: Map,
    shape: tuple[int, ...],
    original: tuple[int, ...],
    frame: _Frame,
    box_x: npt.NDArray[np.float64],
    box_y: npt.NDArray[np.float64],
    box_z: npt.NDArray[np.float64],
) -> Map:
    """[D, H, W] on the box's grid -> [slices, rows, columns] of `shape` over the acquired field, NaN outside the box."""
    slices, rows, columns = shape
    # pixel centres of the smaller grid over the same field, in units of the original's pixels
    row_index = (np.arange(rows) + 0.5) * original[1] / rows - 0.5
    column_index = (np.arange(columns) + 0.5) * original[2] / columns - 0.5
    along = linear_weights(box_z, frame.z)
    result = np.full(shape, np.nan, np.float32)
    for index in range(slices):
        if not along[index].any():
            continue
        across = linear_weights(box_x, frame.x[index] + frame.step_x * column_index)
        down = linear_weights(box_y, frame.y[index] + frame.step_y * row_index)
        plane = down @ np.tensordot(along[index], array, 1) @ across.T
        seen = np.outer(down.any(1), across.any(1))
        result[index] = np.where(seen, plane, np.nan)
    return result
