"""The solids that a hand is made of, and how much cortical and trabecular bone each pixel's ray crosses. Knows no anatomy and no X-ray physics.

Frame: millimetres; x to the image's right, y up the image (towards the fingertips), z towards the tube. Rays run along z (parallel beam: a hand
lies on the detector, so magnification is under 3 %). A `LongBone` is a swept tube in a frame of its own and is integrated along the rays in
3D, so that flexion and rotation foreshorten it as they should; a `CarpalBone` is an outline inflated to a rounded block.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt
from skimage.draw import polygon as polygon_pixels

Floats = npt.NDArray[np.float32]
STEP_MM = 0.5  # along the ray; the soft surface below makes the sum smooth
SURFACE_MM = 0.35  # width over which a surface fades, so that 0.4 mm pixels show no staircase
TABLE = 256


@dataclass(frozen=True, eq=False)
class Grid:
    """Where the centre of pixel [row, column] lies: x = left + column * pitch, y = top - row * pitch, all in mm."""

    shape: tuple[int, int]
    pitch: float
    left: float
    top: float

    def box(self, x: tuple[float, float], y: tuple[float, float]) -> tuple[slice, slice]:
        """The rows and columns that cover a rectangle, clipped to the grid (empty when it lies outside)."""
        first_row = int(np.floor((self.top - y[1]) / self.pitch))
        last_row = int(np.ceil((self.top - y[0]) / self.pitch)) + 1
        first_column = int(np.floor((x[0] - self.left) / self.pitch))
        last_column = int(np.ceil((x[1] - self.left) / self.pitch)) + 1
        rows, columns = self.shape
        return (
            slice(min(max(first_row, 0), rows), min(max(last_row, 0), rows)),
            slice(min(max(first_column, 0), columns), min(max(last_column, 0), columns)),
        )

    def coordinates(self, box: tuple[slice, slice]) -> tuple[Floats, Floats]:
        """x [1, columns] and y [rows, 1] in mm inside a box."""
        x = self.left + np.arange(box[1].start, box[1].stop, dtype=np.float32) * np.float32(self.pitch)
        y = self.top - np.arange(box[0].start, box[0].stop, dtype=np.float32) * np.float32(self.pitch)
        return x[None, :].astype(np.float32), y[:, None].astype(np.float32)


@dataclass(frozen=True, eq=False)
class Shadow:
    """A solid's line integrals over part of a grid: [rows, columns] mm of compact and of cancellous bone."""

    box: tuple[slice, slice]
    cortical: Floats
    trabecular: Floats


@dataclass(frozen=True)
class Physis:
    """An open growth plate: `distance` mm from the end at which it sits, `gap` mm wide, its epiphysis `width` times as wide as the shaft's end."""

    at_distal_end: bool
    distance: float
    gap: float
    width: float


@dataclass(frozen=True)
class Fracture:
    """A break at `position` mm from the proximal end, running `slope` mm up per mm across, with teeth `teeth` mm high, about `pitch` mm apart.

    The distal fragment is moved `displacement` mm across at the break and swings back to its joint, so that the joint stays where it was.
    """

    position: float
    slope: float
    gap: float
    displacement: float
    teeth: float
    pitch: float
    phase: float


@dataclass(frozen=True)
class LongBone:
    """A tube along its own axis: `s` mm from the proximal end, `u` mm across, `v` mm in depth.

    Attributes:
        origin: (x, y, z) of the proximal end's centre.  axes: rows are the unit vectors of u, s and v.  length: mm.
        stations, half_width, half_depth: fractions of the length, and mm there.
        cortex: shaft cortical thickness in mm at mid-shaft; thins towards both ends.
        proximal_dome, distal_dome: mm by which the end falls off towards its edge (negative: a cup).
        notch: depth in mm of the groove between two condyles.  slant: mm up per mm across of the distal end.
        styloid: (u mm, height mm, width mm) of a spike on the distal end.  bow: mm that mid-shaft lies off the straight axis.
    """

    name: str
    origin: tuple[float, float, float]
    axes: npt.NDArray[np.float64]
    length: float
    stations: tuple[float, ...]
    half_width: tuple[float, ...]
    half_depth: tuple[float, ...]
    cortex: float
    proximal_dome: float = 0.0
    distal_dome: float = 3.0
    notch: float = 0.0
    slant: float = 0.0
    styloid: tuple[float, float, float] | None = None
    bow: float = 0.0
    physis: Physis | None = None
    fracture: Fracture | None = None

    def end(self, fraction: float = 1.0) -> npt.NDArray[np.float64]:
        """[3] mm of the point on the axis at a fraction of the length."""
        return np.asarray(self.origin) + self.axes[1] * self.length * fraction

    def shadow(self, grid: Grid) -> Shadow:
        """Sum the bone along every ray of its bounding box."""
        reach = max(self.half_width) + 3.0
        points = np.stack([self.end(-3.0 / self.length), self.end(1 + 5.0 / self.length)])
        low, high = points.min(axis=0) - reach, points.max(axis=0) + reach
        box = grid.box((low[0], high[0]), (low[1], high[1]))
        x, y = grid.coordinates(box)
        cortical = np.zeros((y.shape[0], x.shape[1]), np.float32)
        trabecular = np.zeros_like(cortical)
        if cortical.size == 0:
            return Shadow(box, cortical, trabecular)
        axes = self.axes.astype(np.float32)
        dx, dy = x - np.float32(self.origin[0]), y - np.float32(self.origin[1])
        planar = [axes[i, 0] * dx + axes[i, 1] * dy for i in range(3)]
        tables = self._tables()
        # only rays whose foot on the axis can lie inside the tube are followed
        away = (dx * axes[1, 1] - dy * axes[1, 0]) / np.hypot(axes[1, 0], axes[1, 1])
        rows, columns = np.nonzero(np.abs(away) < reach)
        if rows.size == 0:
            return Shadow(box, cortical, trabecular)
        u0, s0, v0 = (np.ascontiguousarray(part[rows, columns]) for part in planar)
        compact, spongy = np.zeros_like(u0), np.zeros_like(u0)
        for z in np.arange(low[2], high[2], STEP_MM, dtype=np.float32) - np.float32(self.origin[2]):
            hard, soft = self._density(u0 + axes[0, 2] * z, s0 + axes[1, 2] * z, v0 + axes[2, 2] * z, tables)
            compact += hard
            spongy += soft
        cortical[rows, columns] = compact * STEP_MM
        trabecular[rows, columns] = spongy * STEP_MM
        return Shadow(box, cortical, trabecular)

    def _tables(self) -> dict[str, Floats]:
        """Radius, cortical thickness and marrow density along the length, sampled for fast lookup."""
        t = np.linspace(0, 1, TABLE)
        shaft = np.clip(np.minimum(t, 1 - t) / 0.38, 0, 1)
        ease = shaft * shaft * (3 - 2 * shaft)
        shape = {
            "width": np.interp(t, self.stations, self.half_width),
            "depth": np.interp(t, self.stations, self.half_depth),
            "cortex": 0.36 + (self.cortex - 0.36) * ease,
            "spongy": 1.0 - 0.8 * ease,
        }
        kernel = np.hanning(15)[1:-1] / np.hanning(15)[1:-1].sum()
        for name in ("width", "depth"):
            shape[name] = np.convolve(np.pad(shape[name], 6, mode="edge"), kernel, mode="valid")
        return {name: values.astype(np.float32) for name, values in shape.items()}

    def _density(self, u: Floats, s: Floats, v: Floats, tables: dict[str, Floats]) -> tuple[Floats, Floats]:
        """Share of compact and of cancellous bone at points of the bone's own frame."""
        index = np.clip(s * np.float32((TABLE - 1) / self.length), 0, TABLE - 1).astype(np.int32)
        if self.bow:
            along = np.clip(s / np.float32(self.length), 0, 1)
            u = u - np.float32(4 * self.bow) * along * (1 - along)
        gap = None
        if self.fracture is not None:
            u, gap = self._broken(u, s, self.fracture)
        width, depth = tables["width"][index], tables["depth"][index]
        if self.physis is not None:
            beyond = s > self.length - self.physis.distance if self.physis.at_distal_end else s < self.physis.distance
            scale = np.where(beyond, np.float32(self.physis.width), np.float32(1))
            width, depth = width * scale, depth * scale
        across, through = u / width, v / depth
        radius = np.sqrt(across * across + through * through)
        inside = (1 - radius) * np.minimum(width, depth)
        inside = _smooth_minimum(inside, self._ends(u, s, np.minimum(radius, 1.3), across), 1.6)
        if self.physis is not None:
            inside = np.minimum(inside, self._plate(s, across, self.physis))
        thickness = tables["cortex"][index]
        outer = np.clip(inside / np.float32(SURFACE_MM) + 0.5, 0, 1)
        inner = np.clip((inside - thickness) / np.float32(SURFACE_MM) + 0.5, 0, 1)
        if gap is not None:
            outer, inner = outer * gap, inner * gap
        return outer - inner, inner * tables["spongy"][index]

    def _ends(self, u: Floats, s: Floats, radius: Floats, across: Floats) -> Floats:
        """Depth below the nearer of the two end surfaces."""
        edge = radius * radius
        ball = 1.25 * (1 - np.sqrt(np.maximum(1 - 0.96 * edge, 0)))  # a head is round, not a parabola
        top = np.float32(self.length) - np.float32(self.distal_dome) * ball + np.float32(self.slant) * u
        if self.notch:
            top = top - np.float32(self.notch) * np.exp(-((across / np.float32(0.34)) ** 2))
        if self.styloid is not None:
            at, height, breadth = self.styloid
            top = top + np.float32(height) * np.exp(-(((u - np.float32(at)) / np.float32(breadth)) ** 2))
        return np.minimum(s - np.float32(self.proximal_dome) * edge, top - s)

    def _plate(self, s: Floats, across: Floats, physis: Physis) -> Floats:
        """Distance from the growth plate's cartilage, which undulates a little and is convex towards the joint."""
        level = self.length - physis.distance if physis.at_distal_end else physis.distance
        bend = np.float32(0.7 if physis.at_distal_end else -0.5) * across * across
        return np.abs(s - np.float32(level) + bend) - np.float32(physis.gap / 2)

    def _broken(self, u: Floats, s: Floats, fracture: Fracture) -> tuple[Floats, Floats]:
        """u with the distal fragment moved, and 0 in the gap, 1 in the fragments."""
        turn = u * np.float32(2 * np.pi / fracture.pitch)
        wave = (
            np.sin(turn + fracture.phase) + 0.6 * np.sin(2.37 * turn + 2 * fracture.phase) + 0.35 * np.sin(5.3 * turn)
        )
        line = np.float32(fracture.position) + np.float32(fracture.slope) * u + np.float32(fracture.teeth) * wave
        beyond = s - line
        swing = np.clip(1 - beyond / np.float32(max(self.length - fracture.position, 1.0)), 0, 1)
        moved = np.where(beyond > 0, u - np.float32(fracture.displacement) * swing, u)
        gap = np.clip((np.abs(beyond) - np.float32(fracture.gap / 2)) / np.float32(SURFACE_MM) + 0.5, 0, 1)
        return moved.astype(np.float32), gap.astype(np.float32)


@dataclass(frozen=True)
class CarpalBone:
    """A short bone: `outline` [n, 2] mm corners (rounded here), `center_z` and `half_depth` in mm, `cortex` in mm."""

    name: str
    outline: npt.NDArray[np.float64]
    center_z: float
    half_depth: float
    cortex: float

    def shadow(self, grid: Grid) -> Shadow:
        """Outer minus inner rounded block: a shell around cancellous bone."""
        corners = _rounded(self.outline)
        low, high = corners.min(axis=0) - 1.5, corners.max(axis=0) + 1.5
        box = grid.box((low[0], high[0]), (low[1], high[1]))
        shape = (box[0].stop - box[0].start, box[1].stop - box[1].start)
        nothing = np.zeros(shape, np.float32)
        if nothing.size == 0:
            return Shadow(box, nothing, nothing)
        rows = (grid.top - corners[:, 1]) / grid.pitch - box[0].start
        columns = (corners[:, 0] - grid.left) / grid.pitch - box[1].start
        inside = np.zeros(shape, bool)
        inside[polygon_pixels(rows, columns, shape)] = True
        distance = (distance_transform_edt(np.pad(inside, 1))[1:-1, 1:-1] * grid.pitch).astype(np.float32)
        depth = float(distance.max()) or 1.0
        whole = self.half_depth * _block(distance, depth)
        core = max(self.half_depth - self.cortex, 0.1) * _block(distance - self.cortex, max(depth - self.cortex, 0.1))
        return Shadow(box, (2 * np.maximum(whole - core, 0)).astype(np.float32), (2 * core).astype(np.float32))


Bone = LongBone | CarpalBone


def _block(distance: Floats, depth: float) -> Floats:
    """Half thickness (0..1) of a block with rounded edges at a distance from its outline."""
    rise = np.clip(distance / (0.75 * depth), 0, 1)
    return np.sqrt(rise * (2 - rise)).astype(np.float32)


def _rounded(corners: npt.NDArray[np.float64], times: int = 3) -> npt.NDArray[np.float64]:
    """Chaikin's corner cutting (Computer Graphics and Image Processing 3, 1974): bones have no sharp corners."""
    for _ in range(times):
        following = np.roll(corners, -1, axis=0)
        corners = np.stack([0.75 * corners + 0.25 * following, 0.25 * corners + 0.75 * following], 1).reshape(-1, 2)
    return corners


def _smooth_minimum(a: Floats, b: Floats, width: float) -> Floats:
    """Polynomial smooth minimum: two surfaces meet in a rounded edge `width` mm wide."""
    blend = np.clip(np.float32(0.5) + (b - a) * np.float32(0.5 / width), 0, 1)
    return b + (a - b) * blend - np.float32(width) * blend * (1 - blend)
