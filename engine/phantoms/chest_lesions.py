"""Lesions of a synthetic chest, as water added to the line integrals: opacity, nodule, pleural effusion, enlarged heart.

Each is built in the patient's space from the same solids as the anatomy, and only where there is lung for it to displace.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.phantoms.chest_patient import ChestPatient, Thorax
from engine.phantoms.chest_soft import SIDES, Covers, heart_and_mediastinum, lung_length
from engine.phantoms.chest_vessels import hilum, inside_lung
from engine.phantoms.phantom import LesionKind, LesionRequest, Side
from engine.phantoms.solids import FloatArray, FloatImage, Grid, curve, smooth_noise, tube

BREADTH: dict[LesionKind, float] = {"nodule": 0.0, "opacity": 0.3, "effusion": 1.0, "cardiomegaly": 0.7}


@dataclass(frozen=True, eq=False)
class ChestScene:
    """The anatomy that a lesion is put into: `lungs` are mm of lung on each ray, (right, left); `blood` mm of vessel."""

    patient: ChestPatient
    grid: Grid
    hidden: Covers
    lungs: tuple[FloatImage, FloatImage]
    blood: FloatImage


@dataclass(frozen=True, eq=False)
class Added:
    """What a lesion adds to each ray.

    Attributes:
        water: [rows, columns] mm.
        breadth: 0 to 1, how much of it a manufacturer's processing takes for coarse structure and flattens: 0 for a nodule, 1 for a pleural
            effusion.
    """

    water: FloatImage
    size_mm: float
    side: Side
    breadth: float


def added_water(request: LesionRequest, scene: ChestScene, rng: np.random.Generator) -> Added:
    """The lesion asked for; what the request leaves open is drawn from `rng`."""
    if request.kind == "cardiomegaly":
        return _cardiomegaly(request, scene, rng)
    side = {"R": -1, "L": 1}.get(request.side) or (-1 if rng.random() < 0.5 else 1)
    make = {"nodule": _nodule, "opacity": _opacity, "effusion": _effusion}[request.kind]
    water, size = make(request, scene, side, rng)
    return Added(
        np.asarray(water * np.float32(request.strength), np.float32),
        size,
        "L" if side > 0 else "R",
        BREADTH[request.kind],
    )


def _displaced(scene: ChestScene) -> np.float32:
    """How much denser than lung soft tissue is, in units of water."""
    return np.float32(1.04 - scene.patient.lung_density)


def _place(scene: ChestScene, side: int, radius: float, rng: np.random.Generator) -> FloatArray:
    """[3] a point deep enough in the lung for a lesion of this radius, seen beside heart and dome rather than behind them."""
    patient, grid = scene.patient, scene.grid
    lung = scene.lungs[0 if side < 0 else 1]
    thorax = Thorax(patient)
    margin = min(radius, 14.0) + 3
    count = 4000
    points = np.stack(
        [
            side * rng.uniform(0.2, 0.95, count) * patient.width,
            rng.uniform(-0.9, 1.0, count) * patient.depth,
            rng.uniform(0.02, 0.93, count) * patient.height,
        ],
        1,
    )
    inside = inside_lung(points, patient, side, margin)
    row = np.clip(np.round((grid.top - points[:, 2]) / grid.spacing), 0, grid.rows - 1).astype(int)
    column = np.clip(np.round((points[:, 0] - grid.left) / grid.spacing), 0, grid.columns - 1).astype(int)
    deep = lung[row, column] > 0.62 * 2 * thorax.half_depth(points[:, 2])
    good = np.flatnonzero(inside & deep)
    if not len(good):
        good = np.flatnonzero(inside)
    return points[good[0]] if len(good) else np.array([side * 0.55 * patient.width, 10.0, 0.5 * patient.height])


def _nodule(request: LesionRequest, scene: ChestScene, side: int, rng: np.random.Generator) -> tuple[FloatImage, float]:
    """A round, slightly lobulated mass of soft tissue."""
    size = float(request.size_mm or rng.uniform(10, 28))
    radius = size / 2
    centre = _place(scene, side, radius, rng)
    grid = scene.grid
    dx, dz = grid.x - np.float32(centre[0]), grid.z - np.float32(centre[2])
    direction = np.arctan2(dz, dx)
    outline = np.ones_like(direction)
    for wave in range(2, 6):
        outline += rng.normal(0, 0.035) * np.cos(wave * direction + rng.uniform(0, 6.3))
    outline /= outline.max()
    unit = np.hypot(dx, dz) / (radius * outline)
    chord = 2 * radius * np.sqrt(np.maximum(1 - unit**2, 0))
    return np.asarray(
        np.float32(1.2) * _displaced(scene) * np.minimum(chord, scene.lungs[0 if side < 0 else 1]), np.float32
    ), size


def _opacity(
    request: LesionRequest, scene: ChestScene, side: int, rng: np.random.Generator
) -> tuple[FloatImage, float]:
    """Patchy consolidation: fluffy, ill-defined patches that run together, with bronchi left open in them."""
    size = float(request.size_mm or rng.uniform(60, 120))
    grid, lung = scene.grid, scene.lungs[0 if side < 0 else 1]
    centre = _place(scene, side, 0.3 * size, rng)
    fluff = smooth_noise(grid, rng, 30.0, 2.5, 0.8)
    total = grid.empty()
    patches = int(rng.integers(4, 8))
    for patch in range(patches):
        away = rng.normal(0, 0.17, 2) * size if patch else np.zeros(2)
        radius = size * rng.uniform(0.22, 0.38)
        wide, turn = rng.uniform(0.75, 1.3), rng.uniform(0, np.pi)
        dx, dz = grid.x - (centre[0] + away[0]), grid.z - (centre[2] + away[1])
        along = (dx * np.cos(turn) + dz * np.sin(turn)) / (radius * wide)
        across = (-dx * np.sin(turn) + dz * np.cos(turn)) / (radius / wide)
        distance = np.sqrt(along**2 + across**2) + 0.20 * fluff
        total += (rng.uniform(0.6, 1.0) * _smooth_fall(distance)).astype(np.float32)
    fill = 1 - np.exp(-1.1 * total)
    reach = np.clip((size / 2 - np.hypot(grid.x - centre[0], grid.z - centre[2])) / (0.18 * size), 0, 1)
    fill = fill * reach * np.clip(0.85 + 0.22 * fluff, 0.2, 1.3)
    thick = np.minimum(0.60 * lung, 0.80 * size)
    open_air = np.minimum(_bronchogram(scene, side, centre, size, rng), 0.5 * thick)
    return np.asarray(_displaced(scene) * fill * np.maximum(thick - 1.3 * open_air, 0), np.float32), size


def _smooth_fall(distance: FloatImage) -> FloatImage:
    """1 at the centre, 0 from distance 1 on, without an edge."""
    inside = np.clip(1 - distance, 0, 1)
    return np.asarray(inside * inside * (3 - 2 * inside), np.float32)


def _bronchogram(scene: ChestScene, side: int, centre: FloatArray, size: float, rng: np.random.Generator) -> FloatImage:
    """[rows, columns] mm of air in bronchi that fan out from the hilum through the opacity."""
    grid, start = scene.grid, hilum(scene.patient, side)
    canvas = grid.empty()
    toward = centre - start
    distance = max(float(np.linalg.norm(toward)), 1.0)
    toward = toward / distance
    for _ in range(int(rng.integers(3, 6))):
        spread = rng.normal(0, 0.28, 3)
        heading = toward + spread
        first = centre - heading * 0.45 * size
        middle = centre + rng.normal(0, 0.06, 3) * size + spread * 0.1 * size
        last = centre + heading * 0.45 * size
        line = curve([(*first, 2.3), (*middle, 1.7), (*last, 0.9)], 0.8 * grid.spacing)
        outward = np.tile([0.0, 1.0, 0.0], (len(line), 1))
        tube(canvas, grid, line, outward, line[:, 3], 2.5 * line[:, 3], 0, 1.0, fibres=12, layers=3)
    return canvas


def _effusion(
    request: LesionRequest, scene: ChestScene, side: int, rng: np.random.Generator
) -> tuple[FloatImage, float]:
    """Fluid between lung and chest wall: fills the costophrenic angle and climbs the lateral wall as a meniscus."""
    patient, grid = scene.patient, scene.grid
    size = float(request.size_mm or rng.uniform(70, 140))
    thorax = Thorax(patient)
    z = grid.z.astype(np.float64)
    top = 0.0 if side < 0 else -patient.left_dome
    floor = top - patient.dome_height
    outward = np.clip(side * grid.x / thorax.outer(z), 0, 1)  # 0 at the midline, 1 at the lateral wall
    lean = rng.uniform(2.2, 3.4)
    surface = floor + size * (0.62 + 0.38 * outward**lean)
    # the fluid's upper edge fades: it wraps around the lung and gets thinner, in front and behind, towards its top
    depth_share = np.clip((surface - z) / (0.30 * size), 0, 1)
    fill = depth_share * depth_share * (3 - 2 * depth_share)
    rim = np.clip((surface + 0.35 * size * outward**6 - z) / (0.5 * size), 0, 1) * np.clip(
        (outward - 0.90) / 0.10, 0, 1
    )
    # below the floor only a sliver of the posterior recess is left, hidden behind the abdomen
    above = np.clip((z - floor + 25) / 30, 0, 1)
    room = scene.lungs[0 if side < 0 else 1]
    water = _displaced(scene) * room * np.maximum(fill, 0.8 * rim) * above
    return np.asarray(water, np.float32), size


def _cardiomegaly(request: LesionRequest, scene: ChestScene, rng: np.random.Generator) -> Added:
    """A heart that is `size_mm` wider than the patient's own, in place of the lung beside it."""
    patient = scene.patient
    chest = 2 * patient.width
    wider = float(request.size_mm or (rng.uniform(0.57, 0.66) - patient.heart_ratio) * chest)
    ratio = patient.heart_ratio + wider * request.strength / chest
    large = heart_and_mediastinum(patient, scene.grid, ratio)
    water = scene.grid.empty()
    for side, lung in zip(SIDES, scene.lungs, strict=True):
        left = lung_length(patient, scene.grid, side, Covers(large, scene.hidden.others))
        water += _displaced(scene) * np.maximum(lung - left, 0)
    return Added(water, wider, "", BREADTH["cardiomegaly"])
