"""Volumes on a regular, rectangular grid: tilted stacks sheared straight, uneven spacing resampled by true positions, and back again.

The grid's axes are the slices' own row and column directions and their normal, so a straight volume keeps the patient's left, right, head and
feet as acquired. In the plane SimpleITK resamples linearly; along the normal each grid plane is the distance-weighted mean of the acquired
slices around it (piecewise linear by their true positions). Both average where the grid is coarser than the slices. Reads no files.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk  # noqa: N813 - as its own documentation names it

from engine.errors import ImplausibleImage, InconsistentSeries
from engine.imaging.volume import AIR, Volume, VolumeGeometry

_SAME_MM = 1e-3
_COARSER = 1.25
"""A grid at least this much coarser than the pixels is averaged, so that nothing aliases."""
_MOST_VOXELS = 1 << 31

Weights = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Plane:
    """A rectangular 2D grid in slice coordinates (mm along the row and column directions)."""

    origin: tuple[float, float]
    """(along the row direction, along the column direction) of the first pixel's centre."""
    spacing: tuple[float, float]
    """(row, column), as DICOM has it."""
    size: tuple[int, int]
    """(rows, columns)."""

    def image(self, pixels: npt.NDArray[np.generic]) -> sitk.Image:
        """[rows, columns] as a SimpleITK image on this grid."""
        image = sitk.GetImageFromArray(pixels)
        image.SetOrigin(self.origin)
        image.SetSpacing((self.spacing[1], self.spacing[0]))
        return image

    def along(self, other: _Plane, axis: int) -> _Plane:
        """This grid with one array axis (0 rows, 1 columns) taken from the other."""
        rows, columns = (other if axis == 0 else self), (other if axis == 1 else self)
        return _Plane(
            (columns.origin[0], rows.origin[1]), (rows.spacing[0], columns.spacing[1]), (rows.size[0], columns.size[1])
        )

    def is_on(self, other: _Plane) -> bool:
        """True when the two grids have the same points."""
        apart = np.abs(np.subtract((*self.origin, *self.spacing), (*other.origin, *other.spacing)))
        return self.size == other.size and float(apart.max()) < _SAME_MM


@dataclass(frozen=True, eq=False)
class Straight:
    """A volume on a regular grid, and the way back to the slices it was made from.

    Attributes:
        volume: the regular volume: positions step evenly along the normal. -1024 where nothing was scanned. Grid slices nearest to an
            unreadable acquired slice are marked unreadable, as `check_for_scoring` wants to know.
        acquired: geometry of the slices it was made from.  acquired_size: (rows, columns) of each.
    """

    volume: Volume
    acquired: VolumeGeometry
    acquired_size: tuple[int, int]

    @property
    def spacing(self) -> tuple[float, float, float]:
        """(slice, row, column) mm."""
        positions = self.volume.geometry.slice_positions
        between = float(positions[1] - positions[0]) if len(positions) > 1 else 1.0
        return (between, *self.volume.geometry.pixel_spacing)

    @cached_property
    def image(self) -> sitk.Image:
        """The volume as a SimpleITK image in LPS mm (a copy)."""
        geometry = self.volume.geometry
        image = sitk.GetImageFromArray(self.volume.voxels)
        image.SetOrigin([float(value) for value in geometry.positions[0]])
        between, row, column = self.spacing
        image.SetSpacing((column, row, between))
        axes = np.stack([geometry.row_direction, geometry.column_direction, geometry.normal], axis=1)
        image.SetDirection([float(value) for value in axes.ravel()])
        return image

    def to_acquired(self, array: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """A map made on the grid, at the acquired slices' voxels.

        Args:
            array: [slices', rows', columns'] float32, one value a voxel of `volume`.

        Returns:
            [slices, rows, columns] float32, trilinear.
        """
        if array.shape != self.volume.voxels.shape:
            raise ValueError(f"the map has shape {array.shape}, the grid {self.volume.voxels.shape}")
        weights = _linear(self.volume.geometry.slice_positions, self.acquired.slice_positions)
        result = np.empty((len(weights), *self.acquired_size), np.float32)
        planes = _Planes(array, self.volume.geometry, outside=0.0, target_moves=not _on_one_grid(self.acquired))
        for index, row in enumerate(weights):
            result[index] = planes.blended(row, _plane_of(self.acquired, index, self.acquired_size))
        return result


def straightened(volume: Volume, spacing: tuple[float, float, float] | None = None) -> Straight:
    """The volume on a regular rectangular grid along its slices' rows, columns and normal.

    Args:
        volume: as read; slices that are not loaded are bridged by their neighbours.
        spacing: (slice, row, column) mm; the median slice distance and the pixel spacing when None.

    Returns:
        A volume that covers every acquired voxel. One that is regular already, and of that spacing, is not copied.

    Raises:
        InconsistentSeries: no slice is loaded.
        ImplausibleImage: a spacing that is not positive, or a grid beyond two thousand million voxels.
    """
    geometry = volume.geometry
    size = (volume.voxels.shape[1], volume.voxels.shape[2])
    between = _median_distance(geometry)
    wanted = spacing or (between, *geometry.pixel_spacing)
    if not all(np.isfinite(wanted)) or min(wanted) <= 0:
        raise ImplausibleImage(
            f"a spacing of {wanted} mm is impossible", where=volume.where or None, cure="Choose a positive spacing"
        )
    if not volume.loaded.any():
        raise InconsistentSeries("no slice is loaded", where=volume.where or None, cure="Load the series first")
    if bool(volume.loaded.all()) and is_regular(geometry) and np.allclose(wanted, (between, *geometry.pixel_spacing)):
        return Straight(volume, geometry, size)
    grid, depths = _covering(geometry, size, wanted)
    if len(depths) * grid.size[0] * grid.size[1] > _MOST_VOXELS:
        raise ImplausibleImage(
            "the grid would have too many voxels", where=volume.where or None, cure="Choose a coarser spacing"
        )
    straight = VolumeGeometry(
        np.array([_patient_point(geometry, grid.origin, depth) for depth in depths]),
        geometry.row_direction,
        geometry.column_direction,
        grid.spacing,
    )
    nearest = np.abs(geometry.slice_positions[None, :] - depths[:, None]).argmin(1)
    marked = replace(
        volume,
        voxels=_on_grid(volume, grid, depths, wanted[0]),
        geometry=straight,
        loaded=volume.loaded[nearest].copy(),
        unreadable=tuple(int(index) for index in np.flatnonzero(np.isin(nearest, volume.unreadable))),
    )
    return Straight(marked, geometry, size)


def is_regular(geometry: VolumeGeometry) -> bool:
    """True when the slices are evenly spaced, one straight behind the other, within a hundredth of a pixel over the whole stack."""
    count = len(geometry.positions)
    if count == 1:
        return True
    ideal = geometry.positions[0] + np.outer(np.arange(count), geometry.normal) * _mean_distance(geometry)
    return float(np.abs(geometry.positions - ideal).max()) <= 0.01 * min(
        *geometry.pixel_spacing, _mean_distance(geometry)
    )


def _mean_distance(geometry: VolumeGeometry) -> float:
    positions = geometry.slice_positions
    return float(positions[-1] - positions[0]) / (len(positions) - 1)


def _median_distance(geometry: VolumeGeometry) -> float:
    """mm between slices: their mean where regular, else the median; 1 for a single slice."""
    if len(geometry.positions) == 1:
        return 1.0
    return _mean_distance(geometry) if is_regular(geometry) else float(np.median(np.diff(geometry.slice_positions)))


def _plane_of(geometry: VolumeGeometry, index: int, size: tuple[int, ...]) -> _Plane:
    """The 2D grid of one slice."""
    position = geometry.positions[index]
    origin = float(position @ geometry.row_direction), float(position @ geometry.column_direction)
    return _Plane(origin, geometry.pixel_spacing, (size[0], size[1]))


def _patient_point(geometry: VolumeGeometry, origin: tuple[float, float], depth: float) -> npt.NDArray[np.float64]:
    """LPS mm of slice coordinates; exact because rows, columns and normal are perpendicular unit vectors."""
    across, down = geometry.row_direction * origin[0], geometry.column_direction * origin[1]
    return np.asarray(across + down + geometry.normal * depth, np.float64)


def _covering(
    geometry: VolumeGeometry, size: tuple[int, int], wanted: tuple[float, float, float]
) -> tuple[_Plane, npt.NDArray[np.float64]]:
    """The smallest centred grid that covers every slice's pixels, and the depth of its planes along the normal."""
    across = geometry.positions @ geometry.row_direction
    down = geometry.positions @ geometry.column_direction
    columns, first_across = _cells(across, size[1] * geometry.pixel_spacing[1], geometry.pixel_spacing[1], wanted[2])
    rows, first_down = _cells(down, size[0] * geometry.pixel_spacing[0], geometry.pixel_spacing[0], wanted[1])
    depth = geometry.slice_positions
    length = float(depth[-1] - depth[0])
    planes = int(length / wanted[0] + 1e-6) + 1
    start = float(depth[0]) + (length - (planes - 1) * wanted[0]) / 2
    grid = _Plane((first_across, first_down), (wanted[1], wanted[2]), (rows, columns))
    return grid, np.asarray(start + np.arange(planes) * wanted[0], np.float64)


def _cells(starts: npt.NDArray[np.float64], extent: float, pixel: float, wanted: float) -> tuple[int, float]:
    """(cells, centre of the first) that cover [start - pixel/2, start - pixel/2 + extent] for every start."""
    low, high = float(starts.min()) - pixel / 2, float(starts.max()) - pixel / 2 + extent
    count = max(1, int(np.ceil((high - low) / wanted - 1e-3)))
    return count, (low + high) / 2 - (count - 1) * wanted / 2


def _on_grid(volume: Volume, grid: _Plane, depths: npt.NDArray[np.float64], between: float) -> npt.NDArray[np.int16]:
    """[planes, rows', columns'] int16."""
    usable = np.flatnonzero(volume.loaded)
    weights = np.zeros((len(depths), len(volume.voxels)))
    weights[:, usable] = _averaging(volume.geometry.slice_positions[usable], depths, between)
    result = np.empty((len(depths), *grid.size), np.int16)
    slices = _Planes(volume.voxels, volume.geometry, outside=float(AIR), target_moves=False)
    for plane, row in enumerate(weights):
        result[plane] = np.rint(slices.blended(row, grid)).astype(np.int16)
    return result


class _Planes:
    """A stack of planes, of which weighted means are asked for on other grids, in ascending order."""

    def __init__(
        self, array: npt.NDArray[np.generic], geometry: VolumeGeometry, *, outside: float, target_moves: bool
    ) -> None:
        self.array, self.geometry, self.outside, self.target_moves = array, geometry, outside, target_moves
        self.one_grid = _on_one_grid(geometry)
        self.ready: dict[int, npt.NDArray[np.float32]] = {}
        self.ready_on: _Plane | None = None

    def blended(self, weights: npt.NDArray[np.float64], target: _Plane) -> npt.NDArray[np.float32]:
        """[rows', columns'] float32: the mean of the planes by `weights` [planes], on the target's grid.

        Resampling costs more than averaging, so it is done once a result or once a plane, whichever is less often: planes that are all on
        one grid are averaged first where results are fewer than planes, or each on a grid of its own.
        """
        used = [int(index) for index in np.flatnonzero(weights)]
        shares = [np.float32(weights[index]) for index in used]
        if self.one_grid and (self.target_moves or len(used) > 2):
            own = _plane_of(self.geometry, 0, self.array.shape[1:])
            mean = _mean([self.array[index].astype(np.float32) for index in used], shares)
            return _resampled(mean, own, target, outside=self.outside)
        return _mean([self._on(index, target) for index in used], shares)

    def _on(self, index: int, target: _Plane) -> npt.NDArray[np.float32]:
        """One plane on the target's grid, kept for the next result on the same grid."""
        if self.ready_on is None or not self.ready_on.is_on(target):
            self.ready, self.ready_on = {}, target
        if index not in self.ready:
            self.ready = {kept: pixels for kept, pixels in self.ready.items() if kept >= index - 1}
            own = _plane_of(self.geometry, index, self.array.shape[1:])
            self.ready[index] = _resampled(self.array[index].astype(np.float32), own, target, outside=self.outside)
        return self.ready[index]


def _on_one_grid(geometry: VolumeGeometry) -> bool:
    """True when the slices lie straight behind one another."""
    offsets = geometry.positions @ np.stack([geometry.row_direction, geometry.column_direction], axis=1)
    return float(np.ptp(offsets, axis=0).max()) < _SAME_MM


def _mean(planes: list[npt.NDArray[np.float32]], shares: list[np.float32]) -> npt.NDArray[np.float32]:
    """Weighted sum; the planes themselves are left as they are."""
    total = planes[0] * shares[0]
    for pixels, share in zip(planes[1:], shares[1:], strict=True):
        total += pixels * share
    return total


def _resampled(
    pixels: npt.NDArray[np.float32], source: _Plane, target: _Plane, *, outside: float
) -> npt.NDArray[np.float32]:
    """From one plane's grid to another's: averaged along axes where the target is coarser, interpolated linearly along the others."""
    if source.is_on(target):
        return pixels
    pixels, source = _averaged(pixels, source, target, outside)
    if source.is_on(target):
        return pixels
    image = source.image(np.ascontiguousarray(pixels))
    resampler = sitk.ResampleImageFilter()
    resampler.SetSize((target.size[1], target.size[0]))
    resampler.SetOutputOrigin(target.origin)
    resampler.SetOutputSpacing((target.spacing[1], target.spacing[0]))
    resampler.SetInterpolator(sitk.sitkLinear)
    resampler.SetDefaultPixelValue(outside)
    resampler.SetNumberOfThreads(1)  # a slice takes milliseconds: waking threads takes longer
    return np.asarray(sitk.GetArrayFromImage(resampler.Execute(image)), np.float32)


def _averaged(
    pixels: npt.NDArray[np.float32], source: _Plane, target: _Plane, outside: float
) -> tuple[npt.NDArray[np.float32], _Plane]:
    """The pixels with every axis that is coarser in the target brought onto it, and the grid they are on then."""
    for axis, along in ((0, 1), (1, 0)):  # array axis, and the same axis in a plane's origin
        fine, coarse = source.spacing[axis], target.spacing[axis]
        if coarse <= _COARSER * fine:
            continue
        positions = source.origin[along] + fine * np.arange(source.size[axis], dtype=np.float64)
        wanted = target.origin[along] + coarse * np.arange(target.size[axis], dtype=np.float64)
        weights = _averaging(positions, wanted, coarse)
        weights[(wanted < positions[0] - coarse / 2) | (wanted > positions[-1] + coarse / 2)] = 0
        lacking = (outside * (1 - weights.sum(1))).astype(np.float32)[:, None]
        pixels = _carried(weights, pixels) + lacking if axis == 0 else (_carried(weights, pixels.T) + lacking).T
        source = source.along(target, axis)
    return pixels, source


def _carried(weights: Weights, rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """weights [targets, sources] @ rows [sources, columns], of which only the narrow band that is not zero is worked on.

    A full matrix product does a hundred times the work, and its threads get in the way of those that decode and show.
    """
    used = weights != 0
    first = used.argmax(1)
    width = int(used.sum(1).max(initial=0))
    total = np.zeros((len(weights), rows.shape[1]), np.float32)
    rows = np.ascontiguousarray(rows)
    targets = np.arange(len(weights))
    for step in range(width):
        source = np.minimum(first + step, weights.shape[1] - 1)
        share = np.where(first + step < weights.shape[1], weights[targets, source], 0)
        total += share.astype(np.float32)[:, None] * rows[source]
    return total


def _linear(source: npt.NDArray[np.float64], target: npt.NDArray[np.float64]) -> Weights:
    """[targets, sources] piecewise linear interpolation between ascending positions, held constant beyond the ends."""
    weights = np.zeros((len(target), len(source)))
    rows = np.arange(len(target))
    if len(source) == 1:
        weights[:, 0] = 1.0
        return weights
    held = np.clip(target, source[0], source[-1])
    upper = np.clip(np.searchsorted(source, held, side="right"), 1, len(source) - 1)
    share = (held - source[upper - 1]) / (source[upper] - source[upper - 1])
    share[np.abs(share) < 1e-6] = 0.0
    share[np.abs(share - 1) < 1e-6] = 1.0
    weights[rows, upper - 1] = 1 - share
    weights[rows, upper] = share
    return weights


def _averaging(source: npt.NDArray[np.float64], target: npt.NDArray[np.float64], step: float) -> Weights:
    """As `_linear`; where the step is coarser than the sources, their mean by distance and by the length that each stands for."""
    weights = _linear(source, target)
    if len(source) < 2 or step <= _COARSER * float(np.median(np.diff(source))):
        return weights
    closeness = np.clip(1 - np.abs(target[:, None] - source[None, :]) / step, 0, None)
    crowded = (closeness > 0).sum(1) > 2
    kernel = closeness * np.gradient(source)[None, :]
    weights[crowded] = kernel[crowded] / kernel[crowded].sum(1, keepdims=True)
    return weights
