"""Pulmonary vessels of a synthetic chest: trees that branch from the hila by Murray's law and end where the lung ends."""

from __future__ import annotations

import numpy as np

from engine.phantoms.chest_patient import ChestPatient, Thorax, turned
from engine.phantoms.chest_soft import SIDES
from engine.phantoms.solids import FloatArray, FloatImage, Grid, curve, deposit, tube

FINEST_MM = 0.33


def inside_lung(points: FloatArray, patient: ChestPatient, side: int, margin: float = 2.0) -> np.ndarray:
    """[n] bool: which points [n, 3] lie at least `margin` mm inside the thorax's half and above the diaphragm."""
    thorax = Thorax(patient)
    x, y, z = points.T
    outer, inner = thorax.outer(z) - margin, thorax.inner(z)
    unit_x = (side * x - (outer + inner) / 2) / np.maximum((outer - inner) / 2, 1)
    unit_y = (y - thorax.middle(z)) / np.maximum(thorax.half_depth(z) - margin, 1)
    top = 0.0 if side < 0 else -patient.left_dome
    dome_x = (side * x - 0.33 * patient.width) / (0.66 * patient.width)
    dome_y = (y + 8) / (0.96 * patient.depth)
    dome = top - patient.dome_height * (1 - np.sqrt(np.clip(1 - np.abs(dome_x) ** 2.1 - dome_y**2, 0, 1)))
    within = np.abs(unit_x) ** 2.4 + np.abs(unit_y) ** 2.4 < 1
    return np.asarray(within & (z < patient.height - 3 * margin) & (z > dome + margin) & (z > top - 75))


def hilum(patient: ChestPatient, side: int) -> FloatArray:
    """[3] where the artery leaves the mediastinum; the left hilum is the higher one."""
    s = patient.width / 140
    return (
        np.array([-34.0 * s, 18, 0.485 * patient.height])
        if side < 0
        else np.array([33.0 * s, 22, 0.55 * patient.height])
    )


def vessels(patient: ChestPatient, grid: Grid, rng: np.random.Generator) -> FloatImage:
    """[rows, columns] mm of blood in arteries and veins, both lungs."""
    canvas = grid.empty()
    for side in SIDES:
        _central(canvas, grid, patient, side, rng)
        starts, directions, radii = _segments(patient, side, rng)
        _grow(canvas, grid, patient, side, starts, directions, radii, rng)
    return canvas


def hilar_haze(patient: ChestPatient, grid: Grid) -> FloatImage:
    """[rows, columns] mm of the soft tissue that wraps the great vessels and bronchi at both hila: nodes, fat, bronchial walls."""
    haze = grid.empty()
    for side in SIDES:
        x, _, z = hilum(patient, side)
        along = (grid.z - z + 8) / 24
        across = (grid.x - x - side * 4) / 13
        haze += (13 * patient.markings * np.exp(-(along**2) - across**2)).astype(np.float32)
    return haze


def _central(canvas: FloatImage, grid: Grid, patient: ChestPatient, side: int, rng: np.random.Generator) -> None:
    """The pulmonary artery's lower branch beside the bronchus, and its upper trunk."""
    x, y, z = hilum(patient, side)
    s, m = patient.width / 140, patient.markings
    drop = patient.height / 235
    lower = [
        (x - side * 12 * s, y - 4, z + 5, 8.4 * m),
        (x + side * 4 * s, y, z, 7.2 * m),
        (x + side * 14 * s, y + 6, z - 20 * drop, 5.9 * m),
        (x + side * 20 * s, y + 12, z - 46 * drop, 4.2 * m),
        (x + side * 29 * s, y + 16, z - 68 * drop, 2.8 * m),
    ]
    upper = [
        (x - side * 10 * s, y - 6, z + 4, 6.4 * m),
        (x + side * 4 * s, y - 8, z + 14 * drop, 5.0 * m),
        (x + side * 14 * s, y - 4, z + 36 * drop, 3.4 * m),
    ]
    vein = [
        (x - side * 6 * s, y - 14, z - 34 * drop, 5.5 * m),
        (x + side * 12 * s, y - 12, z - 42 * drop, 4.2 * m),
        (x + side * 38 * s, y - 8, z - 56 * drop, 2.6 * m),
    ]
    for points in (lower, upper, vein):
        line = curve(points, 0.7 * grid.spacing)
        line[:, :3] = turned(line[:, :3], patient)
        line[:, 3] *= 1 + 0.04 * np.sin(np.linspace(0, 9, len(line)) + rng.uniform(0, 6))
        tube(
            canvas,
            grid,
            line,
            np.tile([0.0, 1.0, 0.0], (len(line), 1)),
            line[:, 3],
            line[:, 3],
            0,
            1.0,
            fibres=30,
            layers=3,
        )


def _segments(patient: ChestPatient, side: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Where the segmental vessels start, where they head (x away from the midline, y back, z up) and how thick they are."""
    x, y, z = hilum(patient, side)
    s, drop = patient.width / 140, patient.height / 235
    table = np.array(
        # start (from hilum)    heading              radius
        [
            [6, -6, 22, 0.45, 0.1, 1.0, 2.3], [8, -4, 18, 0.9, 0.3, 0.8, 2.1], [6, -8, 14, 0.8, -0.6, 0.6, 2.1],
            [12, -2, 26, 0.25, 0.5, 1.0, 1.9], [10, 0, 4, 1.0, -0.3, 0.15, 2.1], [12, 4, -6, 1.0, 0.5, 0.1, 2.0],
            [16, 6, -20, 1.0, -0.5, -0.35, 2.3], [18, 8, -26, 0.9, 0.3, -0.5, 2.4], [20, 10, -36, 0.7, 0.6, -0.9, 2.5],
            [20, 12, -44, 0.35, 0.4, -1.0, 2.6], [24, 14, -54, 0.6, -0.1, -1.0, 2.4], [14, 10, -30, 0.05, 0.5, -1.0, 2.2],
            [10, -12, -38, 0.9, -0.5, -0.6, 2.3], [4, -14, -36, 0.5, -0.7, -0.9, 2.0], [8, -10, -10, 1.0, -0.8, 0.0, 1.8],
        ]
    )  # fmt: skip
    scale = np.array([side * s, 1.0, drop])
    starts = np.array([x, y, z]) + table[:, :3] * scale
    headings = table[:, 3:6] * [side, 1, 1] + rng.normal(0, 0.14, (len(table), 3))
    headings /= np.linalg.norm(headings, axis=1, keepdims=True)
    radii = 1.3 * table[:, 6] * patient.markings * rng.uniform(0.85, 1.15, len(table))
    return starts, headings, radii


def _grow(
    canvas: FloatImage,
    grid: Grid,
    patient: ChestPatient,
    side: int,
    starts: FloatArray,
    headings: FloatArray,
    radii: FloatArray,
    rng: np.random.Generator,
) -> None:
    """All branches of one generation at once, until they are finer than the detector or leave the lung."""
    for _ in range(14):
        if not len(starts):
            return
        lengths = np.clip(7.0 * radii + 4, 5, 22) * rng.uniform(0.6, 1.4, len(radii))
        bends = rng.normal(0, 0.13, (len(radii), 3)) * lengths[:, None]
        ends = starts + headings * lengths[:, None]
        keep = inside_lung(ends, patient, side)
        _draw(canvas, grid, patient, starts[keep], bends[keep], ends[keep], radii[keep])
        starts, headings, radii, bends = ends[keep], headings[keep], radii[keep], bends[keep]
        headings = headings + 0.6 * bends / np.maximum(np.linalg.norm(bends, axis=1, keepdims=True), 1) * 0.3
        starts, headings, radii = _split(starts, headings, radii, rng)


def _split(
    starts: FloatArray, headings: FloatArray, radii: FloatArray, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Each branch becomes two: radii by Murray's law (r0^3 = r1^3 + r2^3), the thinner one turning more."""
    share = rng.uniform(0.18, 0.5, len(radii))
    thin, thick = np.cbrt(share) * radii, np.cbrt(1 - share) * radii
    across = np.cross(headings, rng.normal(0, 1, headings.shape))
    across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-6)
    turn_thin = rng.uniform(0.45, 0.85, (len(radii), 1))
    turn_thick = turn_thin * (thin / thick)[:, None] ** 2 * 0.7
    new = np.vstack([headings + across * turn_thin, headings - across * turn_thick])
    new /= np.linalg.norm(new, axis=1, keepdims=True)
    size = np.concatenate([thin, thick]) * 0.985
    keep = size > FINEST_MM
    return np.vstack([starts, starts])[keep], new[keep], size[keep]


def _draw(
    canvas: FloatImage,
    grid: Grid,
    patient: ChestPatient,
    starts: FloatArray,
    bends: FloatArray,
    ends: FloatArray,
    radii: FloatArray,
) -> None:
    """Round tubes along quadratic curves; thin ones as few fibres, thick ones as many."""
    for low, high, rings in ((0.0, 0.55, 1), (0.55, 1.1, 2), (1.1, 9.0, 4)):
        chosen = (radii >= low) & (radii < high)
        if not chosen.any():
            continue
        a, b, c, r = starts[chosen], bends[chosen], ends[chosen], radii[chosen]
        length = np.linalg.norm(c - a, axis=1)
        count = int(np.ceil(length.max() / (0.7 * grid.spacing)))
        t = ((np.arange(count) + 0.5) / count)[None, :, None]
        middle = (a + c) / 2 + b
        centre = (1 - t) ** 2 * a[:, None] + 2 * t * (1 - t) * middle[:, None] + t**2 * c[:, None]
        along = (c - a) / length[:, None]
        first = np.cross(along, [0.0, 1.0, 0.0])
        first /= np.maximum(np.linalg.norm(first, axis=1, keepdims=True), 1e-3)
        second = np.cross(along, first)
        offsets, shares = _disc(rings)
        cross = first[:, None] * offsets[None, :, :1] + second[:, None] * offsets[None, :, 1:]
        points = centre[:, :, None, :] + r[:, None, None, None] * cross[:, None]
        volume = (np.pi * r**2 * length / count)[:, None, None] * shares[None, None, :]
        volume = np.broadcast_to(volume, points.shape[:3])
        deposit(canvas, grid, turned(points.reshape(-1, 3), patient), volume.reshape(-1))


def _disc(rings: int) -> tuple[FloatArray, FloatArray]:
    """Points that fill a unit disc evenly and the share of its area that each stands for."""
    points = [(0.0, 0.0)] if rings == 1 else []
    if rings > 1:
        count = 6 * rings * rings // 2
        golden = np.pi * (3 - np.sqrt(5))
        points = [
            (np.sqrt((k + 0.5) / count) * np.cos(k * golden), np.sqrt((k + 0.5) / count) * np.sin(k * golden))
            for k in range(count)
        ]
    return np.array(points), np.full(len(points), 1 / len(points))
