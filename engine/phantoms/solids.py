"""Solids and what a parallel beam sees of them: intervals along each ray, and tubes swept along curves in space.

Patient coordinates in mm: x to the patient's left (image right), y to the back, z to the head. The beam runs along y.
Knows nothing of anatomy or of attenuation: it yields lengths in mm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatImage = npt.NDArray[np.float32]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Grid:
    """The detector's pixels in patient coordinates.

    Attributes:
        rows, columns: size in pixels.  spacing: mm.
        left, top: x and z in mm of the centre of pixel (0, 0).
    """

    rows: int
    columns: int
    spacing: float
    left: float
    top: float

    @property
    def x(self) -> FloatImage:
        """[1, columns] mm."""
        return (self.left + self.spacing * np.arange(self.columns, dtype=np.float32))[None, :]

    @property
    def z(self) -> FloatImage:
        """[rows, 1] mm."""
        return (self.top - self.spacing * np.arange(self.rows, dtype=np.float32))[:, None]

    def empty(self) -> FloatImage:
        """[rows, columns] zeros."""
        return np.zeros((self.rows, self.columns), np.float32)


@dataclass(frozen=True, eq=False)
class Interval:
    """Where rays are inside a solid that is convex along the beam: from `front` to `back` (y, mm), both [rows, columns]; empty where back <= front."""

    front: FloatImage
    back: FloatImage

    @property
    def length(self) -> FloatImage:
        """[rows, columns] mm, 0 outside."""
        return np.maximum(self.back - self.front, np.float32(0))

    def clipped(self, other: Interval) -> Interval:
        """The part inside `other` as well."""
        return Interval(np.maximum(self.front, other.front), np.minimum(self.back, other.back))

    def joined(self, other: Interval) -> Interval:
        """The hull along the beam of two solids that touch or overlap (the gap between them, where there is one, is filled)."""
        here, there = self.back > self.front, other.back > other.front
        front = np.where(here & there, np.minimum(self.front, other.front), np.where(here, self.front, other.front))
        back = np.where(here & there, np.maximum(self.back, other.back), np.where(here, self.back, other.back))
        return Interval(front, back)


def interval(middle: FloatImage | float, half: FloatImage) -> Interval:
    """From a middle and a half length; half <= 0 is empty."""
    centre = np.broadcast_to(np.asarray(middle, np.float32), half.shape)
    return Interval(centre - half, centre + half)


def uncovered(whole: Interval, covers: list[Interval]) -> FloatImage:
    """[rows, columns] mm of `whole` that none of `covers` takes: the length of an interval minus a union of intervals."""
    inside = whole.back > whole.front
    if not covers or not inside.any():
        return whole.length
    rows, columns = (np.flatnonzero(inside.any(axis)) for axis in (1, 0))
    box = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    front, back = whole.front[box], whole.back[box]
    fronts = np.stack([np.clip(cover.front[box], front, np.maximum(back, front)) for cover in covers])
    backs = np.stack([np.clip(cover.back[box], front, np.maximum(back, front)) for cover in covers])
    backs = np.maximum(backs, fronts)
    order = np.argsort(fronts, axis=0)
    fronts, backs = np.take_along_axis(fronts, order, 0), np.take_along_axis(backs, order, 0)
    reached = front.copy()
    taken = np.zeros_like(reached)
    for next_front, next_back in zip(fronts, backs, strict=True):
        taken += np.maximum(next_back - np.maximum(next_front, reached), 0)
        reached = np.maximum(reached, next_back)
    length = np.zeros_like(whole.front)
    length[box] = np.maximum(back - front - taken, 0)
    return length


def bulge(unit: FloatImage, power: float = 2.0) -> FloatImage:
    """(1 - |unit|^power)^(1/power): the half length of a superellipse across its width; 0 outside."""
    if power == 2.0:
        return np.asarray(np.sqrt(np.maximum(1 - unit * unit, 0)), np.float32)
    inside = np.maximum(1 - np.abs(unit) ** np.float32(power), 0)
    return np.asarray(inside ** np.float32(1 / power), np.float32)


def ellipsoid(
    grid: Grid,
    centre: tuple[float, float, float],
    radii: tuple[float, float, float],
    tilt_degrees: float = 0.0,
) -> Interval:
    """An ellipsoid with radii along x, y, z, turned in the frontal plane (positive: its x axis points up at the patient's left)."""
    tilt = np.deg2rad(tilt_degrees)
    dx, dz = grid.x - np.float32(centre[0]), grid.z - np.float32(centre[2])
    along = dx * np.float32(np.cos(tilt)) + dz * np.float32(np.sin(tilt))
    across = -dx * np.float32(np.sin(tilt)) + dz * np.float32(np.cos(tilt))
    inside = 1 - (along / np.float32(radii[0])) ** 2 - (across / np.float32(radii[2])) ** 2
    half = np.float32(radii[1]) * np.sqrt(np.maximum(inside, 0))
    return interval(centre[1], np.asarray(half, np.float32))


def curve(points: npt.ArrayLike, step: float) -> FloatArray:
    """[n, dims] points `step` mm apart on a Catmull-Rom spline through `points` [k, dims] (any number of columns: x, y, z, radius, ...).

    Distance is measured on the first three columns.
    """
    knots = np.asarray(points, np.float64)
    padded = np.vstack([2 * knots[0] - knots[1], knots, 2 * knots[-1] - knots[-2]])
    pieces = []
    for i in range(len(knots) - 1):
        p0, p1, p2, p3 = padded[i : i + 4]
        count = max(2, int(np.linalg.norm((p2 - p1)[:3]) / step * 2))
        t = np.linspace(0, 1, count, endpoint=False)[:, None]
        pieces.append(
            0.5 * (2 * p1 + (p2 - p0) * t + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2 + (3 * p1 - p0 - 3 * p2 + p3) * t**3)
        )
    dense = np.vstack([*pieces, knots[-1:]])
    return evenly(dense, step)


def evenly(dense: FloatArray, step: float) -> FloatArray:
    """[n, dims] the polyline `dense` resampled to points `step` mm apart (first three columns)."""
    travelled = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(dense[:, :3], axis=0), axis=1))])
    at = np.linspace(0, travelled[-1], max(2, int(np.ceil(travelled[-1] / step)) + 1))
    return np.stack([np.interp(at, travelled, column) for column in dense.T], axis=1)


def tangents(line: FloatArray) -> FloatArray:
    """[n, 3] unit tangents of a polyline."""
    direction = np.gradient(line[:, :3], axis=0)
    return direction / np.maximum(np.linalg.norm(direction, axis=1, keepdims=True), 1e-9)


def deposit(canvas: FloatImage, grid: Grid, points: FloatArray, volumes: FloatArray) -> None:
    """Add small volumes (mm3) at `points` [n, 3] to a map of lengths (mm), shared linearly among the four nearest pixels."""
    u = (points[:, 0] - grid.left) / grid.spacing
    v = (grid.top - points[:, 2]) / grid.spacing
    keep = (u > 0) & (u < grid.columns - 1.001) & (v > 0) & (v < grid.rows - 1.001)
    if not keep.any():
        return
    u, v, share = u[keep], v[keep], volumes[keep] / grid.spacing**2
    column, row = u.astype(np.int64), v.astype(np.int64)
    fu, fv = u - column, v - row
    left, top = int(column.min()), int(row.min())
    width, height = int(column.max()) - left + 2, int(row.max()) - top + 2
    place = (row - top) * width + (column - left)
    right = share * fu
    share = share - right
    total = np.bincount(place, share * (1 - fv), width * height)
    total += np.bincount(place + 1, right * (1 - fv), width * height)
    total += np.bincount(place + width, share * fv, width * height)
    total += np.bincount(place + width + 1, right * fv, width * height)
    canvas[top : top + height, left : left + width] += total.reshape(height, width).astype(np.float32)


def tube(
    canvas: FloatImage,
    grid: Grid,
    line: FloatArray,
    outward: FloatArray,
    half_width: FloatArray,
    half_thickness: FloatArray,
    shell: float,
    core: float,
    *,
    fibres: int = 20,
    layers: int = 6,
) -> None:
    """Add a swept elliptical tube to a map of lengths: density 1 in a shell `shell` mm thick, `core` inside it.

    Args:
        line: [n, 3] centreline, evenly spaced. outward: [n, 3] direction of the thickness axis (made perpendicular to the line here).
        half_width, half_thickness: [n] mm, perpendicular to and along `outward`. A shell of 0 is a homogeneous tube of density `core`.
        fibres, layers: how many samples across width and thickness; about two a pixel leave no pattern.
    """
    along = tangents(line)
    normal = outward - (outward * along).sum(1, keepdims=True) * along
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    side = np.cross(along, normal)
    a = (np.arange(fibres) + 0.5) / fibres * 2 - 1
    b = (np.arange(layers) + 0.5) / layers * 2 - 1
    u, v = (m.ravel() for m in np.meshgrid(a, b, indexing="ij"))
    width, thick = half_width[:, None], half_thickness[:, None]
    step = float(np.linalg.norm(line[1, :3] - line[0, :3]))
    extent = np.sqrt(1 - u**2)  # the ellipse is filled column by column, so that its outline stays exact
    v = v * extent
    if shell > 0:
        inner = (u * width / np.maximum(width - shell, 1e-3)) ** 2 + (v * thick / np.maximum(thick - shell, 1e-3)) ** 2
        density = core + (1 - core) * np.clip((inner - 1) * np.minimum(width, thick) / (2 * shell) + 0.5, 0, 1)
    else:
        density = np.full((len(line), len(u)), core)
    cell = (2 * width / fibres) * (2 * thick / layers) * extent * step
    points = line[:, None, :3] + side[:, None, :] * (width * u)[..., None] + normal[:, None, :] * (thick * v)[..., None]
    deposit(canvas, grid, points.reshape(-1, 3), (cell * density).ravel())


def smooth_noise(
    grid: Grid, rng: np.random.Generator, coarsest_mm: float, finest_mm: float, slope: float = 1.0
) -> FloatImage:
    """[rows, columns] of unit variance: random texture between two scales, amplitude falling by `slope` from coarse to fine per octave.

    Drawn on a lattice in mm, so that the texture does not depend on the pixel size.
    """
    total = grid.empty()
    scale, weight = coarsest_mm, 1.0
    while scale >= finest_mm:
        down, across = (
            _spline_weights(grid.rows, grid.spacing / scale),
            _spline_weights(grid.columns, grid.spacing / scale),
        )
        lattice = rng.standard_normal((down.shape[1], across.shape[1])).astype(np.float32)
        total += np.float32(weight) * (down @ lattice @ across.T)
        scale, weight = scale / 2, weight * 2**-slope
    return np.asarray(total / max(float(total.std()), 1e-6), np.float32)


def _spline_weights(count: int, step: float) -> FloatImage:
    """[count, knots] quadratic B-spline weights of pixels `step` knots apart, scaled to keep the variance of white noise near 1."""
    at = np.arange(count) * step + 1.5
    knots = np.arange(int(np.ceil(count * step)) + 4)
    away = np.abs(at[:, None] - knots[None, :])
    inner, outer = 0.75 - away**2, 0.5 * np.maximum(1.5 - away, 0) ** 2
    return np.asarray(np.where(away < 0.5, inner, outer) * 1.35, np.float32)
