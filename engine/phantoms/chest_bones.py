"""The skeleton of a synthetic chest: ribs, clavicles, scapulae, shoulders and spine as mm of cortical bone on each ray.

Ribs are tubes swept along arcs in space that follow the thorax; nothing here is drawn flat onto the image except the thin blade of the
scapula and the vertebrae, whose shapes are given in the frontal plane with a depth.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import gaussian_filter

from engine.phantoms.chest_patient import ChestPatient, Thorax, turned, vertebra_levels
from engine.phantoms.chest_soft import SIDES, shoulder_joint
from engine.phantoms.solids import FloatArray, FloatImage, Grid, bulge, curve, evenly, tube

# Ribs 1 to 12 in an adult 235 mm from dome to apex: fall in mm from the head to the lateral wall and to the costochondral junction,
# the share of the half circle (back to breastbone) at which the bone ends, and the size relative to the thorax at that height.
FALL_LATERAL = (16, 34, 48, 58, 65, 70, 73, 75, 75, 70, 58, 38)
FALL_FRONT = (32, 62, 88, 106, 119, 127, 131, 132, 127, 114, 92, 60)
BONE_ENDS = (0.84, 0.83, 0.82, 0.81, 0.80, 0.79, 0.77, 0.74, 0.71, 0.67, 0.55, 0.38)
# The first rib lies flat, its broad side up; the lower ones stand on edge.
UPWARD = (0.9, 0.5, 0.25, 0.1, 0, 0, 0, 0, 0, 0, 0, 0)
RELATIVE_SIZE = (0.78, 0.93, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.99, 0.97)


def rib_line(patient: ChestPatient, rib: int, side: int, step: float) -> tuple[FloatArray, FloatArray]:
    """([n, 3] centreline from head to cartilage, [n, 3] outward direction) of rib 1 to 12; side -1 right, 1 left."""
    thorax, h = Thorax(patient), patient.height
    number = rib - 1
    head = vertebra_levels(patient)[3 + number] + 0.035 * h
    scale = patient.rib_slope * h / 235
    share = np.linspace(0.026, BONE_ENDS[number], 160)
    lateral, front = FALL_LATERAL[number] * scale, FALL_FRONT[number] * scale
    # level at the neck, steep at the side, flatter again in front: continuous arches when seen from behind
    fall = PchipInterpolator(
        [0, 0.1, 0.25, 0.5, 0.65, 0.8, 1.0],
        [0, 0.05 * lateral, 0.34 * lateral, lateral, 0.42 * lateral + 0.58 * front, front, 1.25 * front],
    )
    z = head - fall(share)
    angle = np.pi * share
    shell = np.clip(z, -0.3 * h, 0.9 * h)
    wide = (thorax.outer(shell) + 3.5) * RELATIVE_SIZE[number]
    deep = (thorax.half_depth(shell) + 3.5) * RELATIVE_SIZE[number]
    across = np.sin(angle)
    along = np.cos(angle)
    x = wide * across ** (2 / 2.25)
    y = thorax.middle(shell) + deep * np.sign(along) * np.abs(along) ** (2 / 2.25)
    neck = np.clip(1 - share / 0.13, 0, 1)
    y = y - neck * 24  # the head sits beside the vertebral body, in front of the rib's angle
    outward = np.stack([side * across / wide, along / deep, np.full_like(x, UPWARD[number] / wide.mean())], 1)
    points = np.stack([side * x + thorax.spine_x(z) * neck, y, z], 1)
    both = evenly(
        np.hstack([turned(points, patient), turned(outward / np.linalg.norm(outward, axis=1)[:, None], patient)]), step
    )
    return both[:, :3], both[:, 3:]


def ribs(patient: ChestPatient, grid: Grid, rng: np.random.Generator) -> FloatImage:
    """[rows, columns] mm of cortical bone in twelve pairs of ribs."""
    canvas = grid.empty()
    for rib in range(1, 13):
        for side in SIDES:
            line, outward = rib_line(patient, rib, side, 0.9 * grid.spacing)
            at = np.linspace(0, 1, len(line))
            ripple = 1 + 0.05 * np.sin(2 * np.pi * (at * rng.uniform(1, 2.5) + rng.random()))
            size = {1: 1.25, 2: 1.05, 11: 0.85, 12: 0.75}.get(rib, 1.0)
            half_width = patient.rib_width * size * (0.86 + 0.30 * at**3) * ripple
            half_width = half_width * np.clip(0.35 + (1 - at) / 0.03, 0, 1) * np.clip(0.8 + at / 0.2, 0, 1)
            half_thick = 0.56 * patient.rib_width * (1.1 - 0.45 * at) * np.clip(0.4 + (1 - at) / 0.03, 0, 1)
            # behind, ribs are thick and their cortex strong; at the side and in front they are broad, flat and thin
            behind, front = int(0.42 * len(line)), int(0.66 * len(line))
            for part, shell, core in (
                (slice(0, behind + 1), 1.15, 0.17),
                (slice(behind, front + 1), 0.6, 0.12),
                (slice(front, None), 0.6, 0.11),
            ):
                tube(
                    canvas,
                    grid,
                    line[part],
                    outward[part],
                    half_width[part],
                    half_thick[part],
                    shell,
                    core,
                    fibres=26,
                    layers=9,
                )
    return canvas


def costal_calcification(patient: ChestPatient, grid: Grid, rng: np.random.Generator) -> FloatImage:
    """[rows, columns] mm of calcium in the rib cartilages of older patients: mottled, at the front ends."""
    canvas = grid.empty()
    amount = max(0.0, (patient.age - 45) / 45) * rng.uniform(0, 1.3)
    for rib in range(1, 9):
        for side in SIDES:
            strength = amount * rng.uniform(0.2, 1.0)
            count = int(rng.integers(6, 14))
            offsets = rng.normal(0, 1, (count, 3)) * (3.5, 2, 3.5)
            sizes = rng.uniform(0.8, 2.2, count)
            line, _ = rib_line(patient, rib, side, 4.0)
            inward = (line[-1] - line[-4]) / np.linalg.norm(line[-1] - line[-4])
            reach = rng.uniform(0, 22, count)
            if strength < 0.25:
                continue
            for k in range(count):
                centre = line[-1] + inward * reach[k] + offsets[k]
                radius = np.hypot(grid.x - centre[0], grid.z - centre[2]) / (sizes[k] + 0.8)
                canvas += (0.9 * strength * np.exp(-(radius**2))).astype(np.float32)
    return canvas


def clavicles(patient: ChestPatient, grid: Grid, rng: np.random.Generator) -> FloatImage:
    """[rows, columns] mm of cortical bone in both collar bones."""
    canvas = grid.empty()
    h, s = patient.height, patient.width / 140
    joint_x, joint_z = shoulder_joint(patient)
    for side in SIDES:
        tip = joint_z + 22 + rng.normal(0, 2.5)
        low = 0.775 * h + rng.normal(0, 2.0)
        rise = tip - low
        points = [
            (side * 17 * s, -62, low, 9.0),
            (side * 34 * s, -64, low + 0.16 * rise + 2, 7.0),
            (side * 72 * s, -58, low + 0.52 * rise + 3, 5.8),
            (side * 112 * s, -30, low + 0.88 * rise + 4, 6.2),
            (side * (joint_x - 34), -4, tip + 3, 7.4),
            (side * (joint_x - 14), 4, tip, 7.0),
        ]
        line = curve(points, 0.9 * grid.spacing)
        line[:, :3] = turned(line[:, :3], patient)
        at = np.linspace(0, 1, len(line))
        cap = np.clip(0.55 + np.minimum(at, 1 - at) / 0.03, 0, 1)
        outward = np.tile([0.0, 1.0, 0.0], (len(line), 1))
        tube(canvas, grid, line, outward, line[:, 3] * cap, 0.8 * line[:, 3] * cap, 1.5, 0.14, fibres=26, layers=10)
    return canvas


def scapulae_and_arms(patient: ChestPatient, grid: Grid) -> FloatImage:
    """[rows, columns] mm of cortical bone in both shoulder blades (rolled off the lungs) and upper arms."""
    canvas = grid.empty()
    h, w = patient.height, patient.width
    joint_x, joint_z = shoulder_joint(patient)
    for side in SIDES:
        glenoid = (joint_x - 24, joint_z + 2)
        top = (0.80 * w, 0.93 * h - 0.5 * patient.shoulder_drop)
        tip = (0.98 * w, 0.40 * h - 0.6 * patient.shoulder_drop)
        notch = (joint_x - 42, joint_z + 24)
        medial = (0.81 * w, 0.68 * h - 0.5 * patient.shoulder_drop)
        blade = [top, notch, glenoid, (joint_x - 33, joint_z - 26), (tip[0] + 14, tip[1] + 26), tip, medial]
        canvas += _blade(grid, [(side * x, z) for x, z in blade])
        borders: list[tuple[list[tuple[float, float, float, float]], float, float]] = [
            ([(*tip, 70, 4.0), (tip[0] + 14, tip[1] + 27, 60, 4.6), (joint_x - 33, joint_z - 26, 40, 5.0), (*glenoid, 30, 7)], 1.3, 0.2),
            ([(*top, 75, 2.0), (*medial, 80, 2.2), (*tip, 72, 3.5)], 1.0, 0.2),
            ([(medial[0], 0.80 * h - 0.5 * patient.shoulder_drop, 85, 3.0), (notch[0] - 10, joint_z + 16, 85, 5.0),
              (joint_x - 8, joint_z + 33, 55, 7.5), (joint_x + 10, joint_z + 26, 25, 8.0)], 1.2, 0.15),
            ([(notch[0] + 2, notch[1] - 6, 30, 6.0), (notch[0] + 8, notch[1] - 12, 5, 5.5), (notch[0] + 14, notch[1] - 18, -10, 5)], 1.1, 0.2),
            ([(glenoid[0], glenoid[1] + 17, 28, 4.5), (glenoid[0] - 2, glenoid[1], 28, 4.0), (glenoid[0], glenoid[1] - 17, 28, 4.5)], 1.3, 0.2),
        ]  # fmt: skip
        for points, shell, core in borders:
            line = curve([(side * x, y, z, r) for x, z, y, r in points], 0.9 * grid.spacing)
            _round_bone(canvas, grid, line, shell, core)
        _round_bone(canvas, grid, _humerus(patient, grid, side, joint_x, joint_z), 2.6, 0.10)
    return canvas


def _humerus(patient: ChestPatient, grid: Grid, side: int, joint_x: float, joint_z: float) -> FloatArray:
    angle = np.deg2rad(patient.arm_angle)
    down = np.array([np.sin(angle), -np.cos(angle)])
    scale = 1.0 if patient.sex == "M" else 0.88
    stations = (
        (-23, 6),
        (-19, 15),
        (-10, 22),
        (2, 24),
        (14, 21),
        (30, 15),
        (50, 12),
        (90, 11),
        (180, 11),
        (300, 12),
        (450, 13),
    )
    points = [
        (side * (joint_x + down[0] * t * scale), 15.0, joint_z + down[1] * t * scale, r * scale) for t, r in stations
    ]
    return curve(points, 0.9 * grid.spacing)


def _round_bone(canvas: FloatImage, grid: Grid, line: FloatArray, shell: float, core: float) -> None:
    radius = np.maximum(line[:, 3], 1.0)
    outward = np.tile([0.0, 1.0, 0.0], (len(line), 1))
    fibres = int(np.clip(2.2 * 2 * radius.max() / grid.spacing, 12, 70))
    tube(canvas, grid, line, outward, radius, 0.8 * radius, shell, core, fibres=fibres, layers=9)


def _blade(grid: Grid, outline: list[tuple[float, float]]) -> FloatImage:
    """The thin plate of a scapula: 1.3 mm of bone, thicker towards its rim."""
    corners = curve([(x, 0.0, z) for x, z in [*outline, outline[0]]], 3.0)
    double = Image.new("L", (grid.columns * 2, grid.rows * 2), 0)
    path = [(2 * (x - grid.left) / grid.spacing + 0.5, 2 * (grid.top - z) / grid.spacing + 0.5) for x, _, z in corners]
    ImageDraw.Draw(double).polygon(path, fill=255)
    plate = np.asarray(double.resize((grid.columns, grid.rows), Image.Resampling.BOX), np.float32) / np.float32(255)
    inside = gaussian_filter(plate, 9 / grid.spacing)
    return np.asarray(gaussian_filter(plate, 0.6) * (np.float32(2.3) - np.float32(1.5) * inside), np.float32)


def spine(patient: ChestPatient, grid: Grid) -> FloatImage:
    """[rows, columns] mm of cortical bone in the vertebrae C5 to L3: bodies with end plates, pedicles, arches, spinous and transverse processes."""
    canvas = grid.empty()
    levels = vertebra_levels(patient)
    heights = -np.gradient(levels)
    scale = (1.0 if patient.sex == "M" else 0.9) * patient.width / 140
    shift = float(np.sin(np.deg2rad(patient.yaw)))
    for number, (centre, pitch) in enumerate(zip(levels, heights, strict=True)):
        if not grid.z.min() - 40 < centre < grid.z.max() + 40:
            continue
        low = max(number - 3, 0) / 11  # 0 at T1, 1 at T12
        width = scale * (27 - 7 * np.sin(np.pi * min(low, 1)) * 0.4 + 13 * low**1.3) / 2
        place = _local(grid, patient, float(centre), float(pitch))
        if place is None:
            continue
        rows, x, z = place
        canvas[rows] += _vertebra(x, z, -60 * shift, -95 * shift, float(width), float(pitch), 24 + 12 * low)
    # end plates tilt with the spine's curve and the beam's: seen slightly out of true
    return np.asarray(gaussian_filter(canvas, (1.3 / grid.spacing, 0.8 / grid.spacing)), np.float32)


def _local(
    grid: Grid, patient: ChestPatient, centre: float, pitch: float
) -> tuple[slice, FloatImage, FloatImage] | None:
    """The rows that one vertebra can reach, with x from the spine's midline and z from the body's centre."""
    first = int(np.clip((grid.top - centre - 1.6 * pitch) / grid.spacing, 0, grid.rows))
    last = int(np.clip((grid.top - centre + 1.9 * pitch) / grid.spacing, 0, grid.rows))
    if last - first < 2:
        return None
    rows = slice(first, last)
    z = grid.z[rows]
    x = grid.x - Thorax(patient).spine_x(z.astype(np.float64)).astype(np.float32)
    return rows, x, z - np.float32(centre)


def _vertebra(
    x: FloatImage, z: FloatImage, body_shift: float, arch_shift: float, width: float, pitch: float, depth: float
) -> FloatImage:
    half = 0.40 * pitch
    v = z / half
    u = (x - body_shift) / (width * (0.90 + 0.10 * np.minimum(v * v, 1.3)))
    inside = _edge((1 - np.abs(v)) * half, 0.7) * bulge(np.asarray(u, np.float32), 5)
    plates = np.exp(-(((np.abs(v) - 0.96) * half / 0.9) ** 2)) * bulge(np.asarray(u, np.float32), 4)
    walls = np.exp(-(((np.abs(u) - 0.97) * width / 0.9) ** 2)) * _edge((1 - np.abs(v)) * half, 0.8)
    body = 0.13 * depth * inside + 3.4 * plates + 3.0 * walls
    arch = np.zeros_like(body)
    for side in SIDES:
        px, pz = arch_shift * 0.9 + side * 0.66 * width, 0.35 * half
        ring = np.sqrt(((x - px) / (0.20 * width)) ** 2 + ((z - pz) / (0.42 * half)) ** 2)
        arch += 3.2 * np.exp(-(((ring - 1) / 0.30) ** 2)) + 1.2 * _edge((1 - ring) * 4, 0.8)
        along = np.clip((side * (x - arch_shift) - 0.5 * width) / (1.05 * width), 0, 1)
        process = np.hypot(
            np.maximum(side * (x - arch_shift) - 1.6 * width, 0) + np.maximum(0.5 * width - side * (x - arch_shift), 0),
            z - 0.35 * half - 0.22 * half * along,
        )
        arch += 2.4 * _edge(0.34 * half + 1.5 * along - process, 0.8)
        facet = np.hypot((x - arch_shift - side * 0.50 * width) / 3.2, (z + 0.95 * half) / (0.55 * half))
        arch += 2.0 * _edge((1 - facet) * 3.5, 1.0)
    lamina = np.maximum(np.abs(x - arch_shift) - 0.45 * width, 0) + np.abs(
        z + 0.15 * half - 0.25 * np.abs(x - arch_shift)
    )
    arch += 1.6 * _edge(0.38 * half - lamina, 1.2)
    spinous = np.sqrt(((x - arch_shift) / 2.8) ** 2 + ((z + 1.25 * half) / (0.62 * half)) ** 2)
    arch += 3.0 * _edge((1 - spinous) * 3.0, 0.8) + 2.0 * np.exp(-(((spinous - 0.95) / 0.25) ** 2))
    return np.asarray(0.65 * body + 0.75 * arch, np.float32)


def _edge(distance: npt.NDArray[np.floating], softness: float) -> npt.NDArray[np.floating]:
    """1 inside (distance in mm > 0), 0 outside, over a soft edge."""
    return np.clip(0.5 + distance / (2 * softness), 0, 1)
