"""The soft parts of a synthetic chest as solids along the beam: body, lungs, mediastinum, heart, diaphragm, airways, gas.

Gives lengths in mm for each ray; attenuation is radiography.py's matter. No randomness beyond the patient, except gas and breast shape,
which come from the generator handed in.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

from engine.phantoms.chest_patient import ChestPatient, Thorax
from engine.phantoms.solids import FloatImage, Grid, Interval, bulge, curve, ellipsoid, interval, tube, uncovered

SIDES = (-1, 1)  # the patient's right, left


@dataclass(frozen=True, eq=False)
class Covers:
    """What keeps lung out of the rays, by name, so that a lesion can exchange one part."""

    heart: Interval
    others: tuple[Interval, ...]

    @property
    def all(self) -> list[Interval]:
        return [self.heart, *self.others]


def cavity(patient: ChestPatient, grid: Grid, side: int) -> Interval:
    """What one lung would fill without heart, mediastinum and diaphragm."""
    thorax = Thorax(patient)
    z = grid.z.astype(np.float64)
    outer, inner = thorax.outer(z), thorax.inner(z)
    unit = (side * (grid.x - _yaw_shift(patient, 10)) - (outer + inner) / 2) / np.maximum((outer - inner) / 2, 1e-3)
    half = thorax.half_depth(z) * bulge(unit.astype(np.float32), 2.4)
    half = np.where(z < patient.height, half, 0)
    return interval(np.broadcast_to(thorax.middle(z), half.shape).astype(np.float32), half.astype(np.float32))


def diaphragm(patient: ChestPatient, grid: Grid, side: int) -> Interval:
    """The abdomen under one dome: an elliptic dome that widens below until no lung is left beside it."""
    top = 0.0 if side < 0 else -patient.left_dome
    base = top - patient.dome_height
    z = grid.z
    down = np.clip((base - z) / 70, 0, None)
    thorax = Thorax(patient)
    outer = thorax.outer(np.asarray(z, np.float64)).astype(np.float32)
    left, right = -0.30 * patient.width, outer * np.float32(1.0)
    radius = (right - left) / 2 * (1 + 0.10 * down)
    centre = (left + right) / 2
    rise = np.clip((z - base) / patient.dome_height, 0, 1)
    unit = (side * (grid.x - _yaw_shift(patient, -10)) - centre) / radius
    inside = 1 - np.abs(unit) ** 2.1 - rise**2.0
    depth = patient.depth * (0.96 + 0.22 * down)
    half = np.where(inside > 0, depth * np.sqrt(np.maximum(inside, 0)), 0)
    return interval(-8.0, half.astype(np.float32))


def mediastinum_borders(patient: ChestPatient, heart_ratio: float) -> tuple[PchipInterpolator, PchipInterpolator]:
    """x of the mediastinum's right and left border as functions of z/height, the heart scaled to a cardiothoracic ratio."""
    lean, old = patient.heart_lean, patient.aorta
    heart = heart_ratio * 2 * patient.width
    right = heart * (0.315 - 0.03 * lean)
    left = heart - right
    level = 0.035 + 0.035 * (1 - lean)  # height of the heart's widest point: the apex rests on the left dome
    s = patient.width / 140
    p = s * patient.pedicle
    right_points = [
        (-0.50, 24 * s),
        (-0.16, 0.72 * right),
        (0.02, 0.93 * right),
        (level + 0.08, right),
        (level + 0.17, 0.97 * right),
        (level + 0.28, 0.76 * right),
        (0.45, (24 + 3 * old) * p),
        (0.58, (22 + 7 * old) * p),
        (0.72, (21 + 4 * old) * p),
        (0.88, 27 * p),
        (1.06, 20 * s),
        (1.4, 18 * s),
    ]
    left_points = [
        (-0.50, 26 * s),
        (-0.20, 0.70 * left),
        (-0.08, 0.95 * left),
        (level - 0.04, left),
        (level + 0.05, 0.95 * left),
        (level + 0.17, 0.78 * left),
        (level + 0.29, 0.57 * left + 3 * s),
        (level + 0.40, 0.40 * left + 9 * s),
        (0.56, (31 + 2 * lean) * p),
        (0.625, (24 + 3 * old) * p),
        (0.76, 22 * p),
        (0.90, 27 * p),
        (1.06, 19 * s),
        (1.4, 18 * s),
    ]
    return _pchip(right_points, -1), _pchip(left_points, 1)


def _pchip(points: list[tuple[float, float]], sign: int) -> PchipInterpolator:
    height, reach = zip(*sorted(points), strict=True)
    return PchipInterpolator(height, sign * np.asarray(reach))


def heart_and_mediastinum(patient: ChestPatient, grid: Grid, heart_ratio: float) -> Interval:
    """One solid between the two borders: heart below, great vessels above, lying in front of the spine."""
    right, left = mediastinum_borders(patient, heart_ratio)
    level = np.clip(grid.z.astype(np.float64) / patient.height, -0.5, 1.4)
    low, high = right(level), left(level)
    share = np.clip(1 - np.abs(level - 0.02) / 0.5, 0, 1) ** 0.7  # how much of the heart there is at this height
    half_depth = (0.36 + 0.20 * share) * patient.depth
    middle = (0.10 - 0.28 * share) * patient.depth
    x = grid.x - _yaw_shift(patient, -20)
    unit = (x - (low + high) / 2) / ((high - low) / 2)
    half = half_depth * bulge(unit.astype(np.float32), 2.2)
    return interval(np.broadcast_to(middle, half.shape).astype(np.float32), half.astype(np.float32))


def covers(patient: ChestPatient, grid: Grid) -> Covers:
    """Heart and mediastinum, both domes, the spine's soft sheath, aortic knob and descending aorta."""
    h, s, old = patient.height, patient.width / 140, patient.aorta
    spine = Thorax(patient).spine_x(grid.z.astype(np.float64)) - _yaw_shift(patient, -60)
    sheath = 60 * bulge(((grid.x - spine) / (27 * s)).astype(np.float32), 3.0)
    radius = (15.5 + 5.5 * old) * s
    knob = ellipsoid(
        grid, ((17 + 5 * old) * s + _yaw_shift(patient, 10), 14, 0.71 * h), (radius, 1.6 * radius, 1.05 * radius)
    )
    below = np.clip((0.72 * h - grid.z) / 12, 0, 1)
    sway = (24 + 7 * old) * s + 6 * old * np.sin(np.pi * (0.7 - grid.z / h)) + _yaw_shift(patient, 55)
    wide = (12.5 + 3 * old) * s
    aorta = interval(52.0, (wide * bulge(((grid.x - sway) / wide).astype(np.float32)) * below).astype(np.float32))
    return Covers(
        heart_and_mediastinum(patient, grid, patient.heart_ratio),
        (
            diaphragm(patient, grid, -1),
            diaphragm(patient, grid, 1),
            interval(0.40 * patient.depth + 60, sheath.astype(np.float32)),
            knob,
            aorta,
        ),
    )


def lung_length(patient: ChestPatient, grid: Grid, side: int, hidden: Covers) -> FloatImage:
    """[rows, columns] mm of lung on each ray, one side."""
    return uncovered(cavity(patient, grid, side), hidden.all)


def body(patient: ChestPatient, grid: Grid, margin: float) -> Interval:
    """Torso, shoulders, neck and upper arms, `margin` mm outside (negative: inside) the muscle's surface."""
    thorax = Thorax(patient)
    h, wall = patient.height, patient.muscle + margin
    z = grid.z.astype(np.float64)
    waist = np.minimum(z, 0.30 * h)
    width = thorax.outer(waist) * 0.985 + wall * 0.85 + 0.05 * np.clip(-z, 0, 200) * (patient.fat / 14 - 1)
    depth = thorax.half_depth(np.minimum(z, 0.5 * h)) + wall
    closing = bulge(np.clip((z / h - 0.45) / 0.75, 0, 1).astype(np.float32), 2.0)  # the torso ends inside the shoulders
    torso = interval(
        (thorax.middle(z) * 0.7 + np.zeros_like(grid.x)).astype(np.float32),
        (depth * closing * bulge((grid.x / (width * (0.25 + 0.75 * closing))).astype(np.float32), 2.5)).astype(
            np.float32
        ),
    )
    shoulders = _shoulders(patient, grid, margin)
    neck_width, neck_depth = (57 if patient.sex == "M" else 48) + margin, 55 + margin
    neck = interval(14.0, (neck_depth * bulge(grid.x / neck_width) * (z > 0.8 * h)).astype(np.float32))
    whole = torso.joined(shoulders).joined(neck)
    for side in SIDES:
        whole = whole.joined(_arm(patient, grid, side, margin))
    return whole


def shoulder_joint(patient: ChestPatient) -> tuple[float, float]:
    """(|x|, z) of the centre of the humeral head."""
    return patient.width * 1.24 + 4, 0.85 * patient.height - patient.shoulder_drop


def _shoulders(patient: ChestPatient, grid: Grid, margin: float) -> Interval:
    h = patient.height
    joint_x, joint_z = shoulder_joint(patient)
    away = np.abs(grid.x)
    top_out = joint_z + 34 + margin
    top_in = 1.30 * h - 0.4 * patient.shoulder_drop + margin
    slope = np.clip((away - 40) / (joint_x - 40), 0, None)
    top = top_out + (top_in - top_out) * np.exp(-2.2 * slope) - 60 * np.clip(slope - 1, 0, None) ** 1.5
    bottom = 0.36 * h + 0.33 * h * np.clip((away - 0.9 * patient.width) / (0.5 * patient.width), 0, 1.2) - margin
    half_height = np.maximum((top - bottom) / 2, 1e-3)
    reach = joint_x + 45 + margin
    depth = (0.78 * patient.depth + margin) * (1 - 0.42 * np.clip(away / reach, 0, 1) ** 2)
    half = depth * bulge(np.asarray((grid.z - (top + bottom) / 2) / half_height, np.float32), 2.6)
    half = half * bulge(np.asarray(away / reach, np.float32), 4.0)
    return interval(16.0, half.astype(np.float32))


def _arm(patient: ChestPatient, grid: Grid, side: int, margin: float) -> Interval:
    joint_x, joint_z = shoulder_joint(patient)
    angle = np.deg2rad(patient.arm_angle)
    radius = (40 if patient.sex == "M" else 35) + margin
    dx, dz = side * grid.x - joint_x, grid.z - joint_z
    along = dx * np.sin(angle) - dz * np.cos(angle)
    across = dx * np.cos(angle) + dz * np.sin(angle)
    capped = np.hypot(across, np.minimum(along, 0))
    return interval(10.0, (radius * bulge((capped / radius).astype(np.float32))).astype(np.float32))


def breasts(patient: ChestPatient, grid: Grid, rng: np.random.Generator) -> tuple[FloatImage, FloatImage]:
    """(fat, gland): [rows, columns] mm of each that the breasts add, flattened against the detector; zeros for men."""
    fat, gland = grid.empty(), grid.empty()
    sag = 0.25 + 0.35 * (patient.age - 18) / 72
    glandular = np.clip(rng.normal(0.4 - 0.3 * (patient.age - 40) / 50, 0.1), 0.08, 0.7)
    for side in SIDES:
        jitter = rng.normal(0, 4, 3)
        if patient.breast <= 0:
            continue
        radius = patient.breast + 0.6 * jitter[0]
        x0 = side * (0.64 * patient.width + jitter[1]) + _yaw_shift(patient, -110)
        z0 = 0.33 * patient.height - sag * radius + jitter[2]
        dz = grid.z - z0
        stretch = np.where(dz > 0, 1.75, 1.0) * radius
        distance = ((grid.x - x0) / (1.05 * radius)) ** 2 + (dz / stretch) ** 2
        thick = np.clip(0.62 * radius, 18, 42) * np.clip(1 - distance, 0, 1) ** 0.7
        fat += ((1 - glandular) * thick).astype(np.float32)
        gland += (glandular * thick).astype(np.float32)
    return fat, gland


def airways(patient: ChestPatient, grid: Grid) -> FloatImage:
    """[rows, columns] mm of air in trachea and main bronchi."""
    h, s, old = patient.height, patient.width / 140, patient.aorta
    wide = (8.8 if patient.sex == "M" else 7.4) * s
    carina = 0.60 * h
    shift = _yaw_shift(patient, 15)
    bend = (-2.5 - 3 * old) * s
    trunk = [
        (shift * 0.5, 5, 1.5 * h, wide),
        (shift, 12, 1.15 * h, wide),
        (shift + 0.4 * bend, 20, 0.90 * h, wide),
        (shift + bend, 28, 0.72 * h, wide * 0.97),
        (shift + bend, 34, carina, wide * 1.05),
    ]
    right = [
        (shift + bend, 34, carina + 6, 0.8 * wide),
        (-17 * s + shift, 36, carina - 13, 0.78 * wide),
        (-34 * s + shift, 38, carina - 30, 0.6 * wide),
        (-43 * s + shift, 40, carina - 52, 0.42 * wide),
    ]
    left = [
        (shift + bend, 34, carina + 6, 0.72 * wide),
        (16 * s + shift, 37, carina - 12, 0.68 * wide),
        (40 * s + shift, 42, carina - 26, 0.55 * wide),
        (50 * s + shift, 46, carina - 48, 0.38 * wide),
    ]
    canvas = grid.empty()
    for points in (trunk, right, left):
        line = curve(points, 0.5 * grid.spacing)
        outward = np.tile([0.0, 1.0, 0.0], (len(line), 1))
        tube(canvas, grid, line, outward, line[:, 3], 0.85 * line[:, 3], 0, 1.0, fibres=36, layers=3)
    return canvas


def gas(patient: ChestPatient, grid: Grid, rng: np.random.Generator) -> FloatImage:
    """[rows, columns] mm of gas under the left dome (stomach, with a fluid level when the patient stands) and in the colon."""
    top = -patient.left_dome
    filling = float(rng.uniform(0.0, 1.0))
    x0 = 0.42 * patient.width + rng.normal(0, 6)
    wide, high = 13 + 28 * filling, 7 + 16 * filling
    z0 = top - high - rng.uniform(7, 12)
    bubble = ellipsoid(grid, (x0, 10, z0), (wide, 14 + 18 * filling, high), float(rng.normal(-6, 6))).length
    level = z0 - high * rng.uniform(-0.1, 0.9)
    bubble = bubble * np.clip((grid.z - level) / 1.5, 0, 1)
    total = bubble
    for _ in range(int(rng.integers(0, 5))):
        x1, z1 = rng.uniform(0.1, 0.85) * patient.width, top - rng.uniform(45, 110)
        size = rng.uniform(7, 17)
        loop = ellipsoid(grid, (x1, -20, z1), (size * rng.uniform(1, 1.8), size, size), float(rng.uniform(-60, 60)))
        total = np.maximum(total, 0.8 * loop.length)
    return np.asarray(total, np.float32)


def _yaw_shift(patient: ChestPatient, y: float) -> float:
    """x by which a yaw moves what lies at depth y."""
    return float(-np.sin(np.deg2rad(patient.yaw)) * y)
