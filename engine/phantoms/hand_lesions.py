"""Fractures and metal in the hand: chooses where, breaks the bone, adds the metal. Projects nothing itself but the metal's own shadow."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from engine.phantoms.hand_bones import Floats, Fracture, Grid, LongBone

TITANIUM = 9.0  # attenuation relative to cortical bone at 55 kV; with the beam's softest part gone behind a plate
STEEL = 28.0
GOLD = 90.0

# where hands break, with how often and at which share of the length (Karl et al., J Hand Surg Am 2015;40:2334, in outline)
FRACTURE_SITES: tuple[tuple[str, float, tuple[float, float]], ...] = (
    ("radius", 0.30, (0.72, 0.84)),
    ("metacarpal 5", 0.20, (0.60, 0.80)),
    ("metacarpal 4", 0.08, (0.35, 0.65)),
    ("metacarpal 3", 0.05, (0.35, 0.65)),
    ("metacarpal 2", 0.05, (0.35, 0.65)),
    ("metacarpal 1", 0.06, (0.15, 0.40)),
    ("proximal phalanx 5", 0.09, (0.20, 0.60)),
    ("proximal phalanx 4", 0.05, (0.20, 0.70)),
    ("proximal phalanx 3", 0.04, (0.20, 0.70)),
    ("proximal phalanx 2", 0.04, (0.20, 0.70)),
    ("middle phalanx 3", 0.04, (0.30, 0.65)),
)


def broken(
    bones: dict[str, LongBone], size_mm: float | None, strength: float, rng: np.random.Generator
) -> tuple[LongBone, float]:
    """One of the bones with a fracture, and the length in mm of its fracture line.

    `size_mm` sets that length by the line's obliquity, as far as the bone is wide; `strength` scales gap and displacement.
    """
    weights = np.array([site[1] for site in FRACTURE_SITES])
    name, _, (low, high) = FRACTURE_SITES[int(rng.choice(len(FRACTURE_SITES), p=weights / weights.sum()))]
    bone = bones[name]
    fraction = float(rng.uniform(low, high))
    width = 2 * float(np.interp(fraction, bone.stations, bone.half_width))
    across = float(rng.uniform(0.15, 0.9)) * (0.35 if name == "radius" else 1.0)
    if size_mm is not None:
        across = float(np.sqrt(np.clip((size_mm / width) ** 2 - 1, 0.01, 4.0)))
    sign = 1.0 if rng.random() < 0.5 else -1.0
    way = 1.0 if rng.random() < 0.5 else -1.0
    size = width / 20 + 0.55
    fracture = Fracture(
        position=fraction * bone.length,
        slope=sign * across,
        gap=strength * (0.55 + 0.022 * width) * float(rng.uniform(0.8, 1.4)),
        displacement=way * strength * size * float(rng.uniform(1.2, 2.6)),
        teeth=0.22 * size,
        pitch=0.38 * width,
        phase=float(rng.uniform(0, 6.28)),
    )
    return replace(bone, fracture=fracture), float(width * np.hypot(1.0, across))


@dataclass(frozen=True, eq=False)
class Metalwork:
    """mm of cortical bone that would stop as much as the metal does: [rows, columns]; and its greatest extent in mm."""

    bone_mm: Floats
    size_mm: float


def metal(
    bones: dict[str, LongBone],
    grid: Grid,
    size_mm: float | None,
    strength: float,
    rng: np.random.Generator,
) -> Metalwork:
    """A plate with screws, a K-wire or a ring. `strength` scales the thickness of the metal."""
    kind = ("plate", "wire", "ring")[int(rng.choice(3, p=(0.4, 0.35, 0.25)))]
    if kind == "plate":
        return _plate(bones, grid, size_mm, strength, rng)
    if kind == "wire":
        return _wire(bones, grid, size_mm, strength, rng)
    return _ring(bones, grid, size_mm, strength, rng)


def _frame(bone: LongBone, grid: Grid) -> tuple[Floats, Floats]:
    """(across, along) mm of every pixel in the bone's frame, as projected; along is measured from its proximal end."""
    x, y = grid.coordinates((slice(0, grid.shape[0]), slice(0, grid.shape[1])))
    axis = bone.axes[1][:2] / np.hypot(*bone.axes[1][:2])
    dx, dy = x - np.float32(bone.origin[0]), y - np.float32(bone.origin[1])
    return (
        np.asarray(dx * np.float32(axis[1]) - dy * np.float32(axis[0]), np.float32),
        np.asarray(dx * np.float32(axis[0]) + dy * np.float32(axis[1]), np.float32),
    )


def _edge(inside_mm: npt.NDArray[np.floating], width: float = 0.3) -> Floats:
    """0 outside, 1 inside, over `width` mm."""
    return np.asarray(np.clip(inside_mm / width + 0.5, 0, 1), np.float32)


def _plate(
    bones: dict[str, LongBone], grid: Grid, size_mm: float | None, strength: float, rng: np.random.Generator
) -> Metalwork:
    """A titanium plate on the back of a metacarpal or of the radius, a screw in every hole."""
    name = ("metacarpal 2", "metacarpal 3", "metacarpal 4", "metacarpal 5", "radius")[int(rng.integers(5))]
    bone = bones[name]
    big = name == "radius"
    usual = (0.58 if not big else 0.6) * bone.length * float(rng.uniform(0.85, 1.1))
    length = min(size_mm if size_mm is not None else usual, 0.8 * bone.length)
    center = bone.length * (0.66 if big else 0.52)
    half = (4.0 if big else 2.5) * float(rng.uniform(0.9, 1.1)) * min(1.0, bone.length / 50 + 0.2)
    across, along = _frame(bone, grid)
    across = across - float(rng.uniform(-0.25, 0.25)) * half
    place = np.abs(along - center) - (length / 2 - half)
    beyond = np.hypot(across, np.maximum(place, 0))
    holes = max(round(length / (2.9 * half)), 2)
    centers = center + (np.arange(holes) - (holes - 1) / 2) * (length - 2 * half) / max(holes - 1, 1)
    waist = 0.16 * half * (1 - np.cos((along - centers[0]) * 2 * np.pi / max(centers[1] - centers[0], 1e-3)))
    titanium = 1.3 * _edge(half - beyond - np.where(place < 0, waist, 0))
    for at in centers:
        distance = np.hypot(across, along - at)
        # a screw is seen nearly end on: its shaft runs away from the tube, its head has a socket
        lean = np.hypot(across - 0.12 * (along - at), (along - at) * 0.92)
        titanium += (2.6 if not big else 4.0) * _edge(0.42 * half - lean) + 0.9 * _edge(0.62 * half - distance)
        titanium -= 0.8 * _edge(0.2 * half - distance)
    return Metalwork(np.asarray(titanium * (TITANIUM * strength), np.float32), float(length))


def _wire(
    bones: dict[str, LongBone], grid: Grid, size_mm: float | None, strength: float, rng: np.random.Generator
) -> Metalwork:
    """One or two crossed steel wires, 1.2 to 1.6 mm thick, through a bone, one end bent outside the skin."""
    names = (
        "metacarpal 1",
        "metacarpal 4",
        "metacarpal 5",
        "proximal phalanx 2",
        "proximal phalanx 3",
        "proximal phalanx 5",
        "radius",
    )
    bone = bones[names[int(rng.integers(len(names)))]]
    scale = min(1.0, bone.length / 40)
    radius = float(rng.uniform(0.6, 0.8)) * max(scale, 0.8)
    length = size_mm if size_mm is not None else min(0.95 * bone.length, 60.0) * float(rng.uniform(0.85, 1.1))
    across, along = _frame(bone, grid)
    total = np.zeros(grid.shape, np.float32)
    slope = float(rng.uniform(0.12, 0.3)) * (1 if rng.random() < 0.5 else -1)
    for tilt in (slope, -slope)[: 1 if rng.random() < 0.5 else 2]:
        u, s = across - tilt * (along - 0.55 * bone.length), along - 0.5 * bone.length
        u = u / np.float32(np.hypot(1, tilt))
        inside = radius**2 - u * u
        taper = _edge(length / 2 * np.cos(np.arctan(tilt)) - np.abs(s), 0.6)
        total += 2 * np.sqrt(np.maximum(inside, 0)).astype(np.float32) * taper
    return Metalwork(np.asarray(total * (STEEL * strength), np.float32), float(length))


def _ring(
    bones: dict[str, LongBone],
    grid: Grid,
    size_mm: float | None,
    strength: float,
    rng: np.random.Generator,
) -> Metalwork:
    """A gold band around the ring or middle finger's proximal phalanx, seen from the side: thickest where it turns."""
    bone = bones[("proximal phalanx 4", "proximal phalanx 4", "proximal phalanx 3")[int(rng.integers(3))]]
    across, along = _frame(bone, grid)
    at = float(rng.uniform(0.5, 0.62)) * bone.length
    outer = 1.5 * max(bone.half_width)  # the finger is about as wide there
    if size_mm is not None:
        outer = size_mm / 2
    height, thick = float(rng.uniform(2.4, 4.5)), 1.3
    lean = float(rng.uniform(-0.12, 0.12))
    opening = float(rng.uniform(0.0, 1.6))  # the ring's plane is rarely exactly along the ray
    total = np.zeros(grid.shape, np.float32)
    chord = np.sqrt(np.maximum(outer**2 - across**2, 0)) - np.sqrt(np.maximum((outer - thick) ** 2 - across**2, 0))
    arch = np.sqrt(np.maximum(1 - (across / outer) ** 2, 0))
    for front in (1.0, -1.0):
        s = along - at - lean * across - front * opening * arch
        total += np.asarray(chord * _edge(height / 2 - np.abs(s)), np.float32)
    return Metalwork(np.asarray(total * (GOLD * strength), np.float32), 2 * outer)
