"""The soft tissue of the hand: how many millimetres of water-like tissue each ray crosses around the bones. Knows nothing of bone or X-rays."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt, gaussian_filter
from skimage.draw import polygon as polygon_pixels

from engine.phantoms.hand_bones import Floats, Grid, LongBone
from engine.phantoms.hand_skeleton import HandPatient

FAT_MM = 1.9  # under the skin
FAT = 0.86  # attenuation of subcutaneous fat relative to muscle at 55 kV

Points = npt.NDArray[np.float64]


def flesh(bones: dict[str, LongBone], patient: HandPatient, grid: Grid) -> Floats:
    """[rows, columns] mm of water-like tissue, bones not yet taken out; fingers, thumb and palm merge without seams."""
    skin = _envelope(bones, patient, grid, 0.0)
    muscle = _envelope(bones, patient, grid, FAT_MM * patient.scale)
    return np.asarray(FAT * skin + (1 - FAT) * muscle, np.float32)


def _envelope(bones: dict[str, LongBone], patient: HandPatient, grid: Grid, beneath: float) -> Floats:
    """Thickness of what lies at least `beneath` mm under the skin; a high norm joins the parts smoothly."""
    total = np.zeros(grid.shape, np.float32)
    for start, end, radii, depth in _limbs(bones, patient):
        _add_limb(total, grid, start, end, (radii[0] - beneath, radii[1] - beneath), depth - beneath)
    for outline, depth, rim in _sheets(bones, patient):
        _add_sheet(total, grid, outline, depth - beneath, rim, beneath)
    return np.asarray(np.power(total, np.float32(1 / 5)), np.float32)


def _limbs(bones: dict[str, LongBone], patient: HandPatient) -> list[tuple[Points, Points, tuple[float, float], float]]:
    """(start, end, radii, half depth) of round parts: two a finger, thenar and hypothenar, forearm."""
    k = patient.scale * patient.flesh
    parts: list[tuple[Points, Points, tuple[float, float], float]] = []
    for finger in (1, 2, 3, 4, 5):
        girth = {1: 1.12, 2: 1.0, 3: 1.02, 4: 0.96, 5: 0.84}[finger] * k
        proximal, tip = bones[f"proximal phalanx {finger}"], bones[f"distal phalanx {finger}"]
        chain = [proximal.end(-0.15), proximal.end()]
        if finger > 1:
            chain.append(bones[f"middle phalanx {finger}"].end())
        chain.append(tip.end() - tip.axes[1] * 3.5 * k)
        radii = (11.0, 9.5, 8.6, 7.6) if finger > 1 else (12.0, 10.2, 8.8)
        for i in range(len(chain) - 1):
            parts.append((chain[i], chain[i + 1], (radii[i] * girth, radii[i + 1] * girth), 8.2 * girth))
    thumb, little = bones["metacarpal 1"], bones["metacarpal 5"]
    parts.append((thumb.end(-0.1), thumb.end(), (14.0 * k, 12.5 * k), 15.0 * k))
    parts.append((little.end(-0.2), little.end(0.9), (11.5 * k, 11.0 * k), 12.0 * k))
    radius, ulna = bones["radius"], bones["ulna"]
    parts.append(
        ((radius.end(0) + ulna.end(0)) / 2, (radius.end(0.85) + ulna.end(0.85)) / 2, (31.0 * k, 27.0 * k), 22.0 * k)
    )
    return parts


def _sheets(bones: dict[str, LongBone], patient: HandPatient) -> list[tuple[Points, float, float]]:
    """(outline [n, 2], half depth, width of the rounded rim): palm with its webs, and the wrist."""
    k = patient.scale * patient.flesh
    heads = {f: bones[f"metacarpal {f}"].end() for f in (1, 2, 3, 4, 5)}
    webs = {
        f: (bones[f"proximal phalanx {f}"].end(0.36) + bones[f"proximal phalanx {f + 1}"].end(0.36)) / 2
        for f in (2, 3, 4)
    }
    right, up = np.array([1.0, 0, 0]), np.array([0, 1.0, 0])
    radius, ulna = bones["radius"], bones["ulna"]
    middle = (heads[1] + bones["metacarpal 2"].end(0.62)) / 2
    across = bones["metacarpal 1"].axes[0]
    palm = [
        ulna.end(0.8) - right * 13 * k,
        bones["metacarpal 5"].end(0.0) - right * 13 * k,
        heads[5] - right * 11.0 * k,
        bones["proximal phalanx 5"].end(0.3) - right * 7 * k,
        webs[4],
        webs[3],
        webs[2],
        bones["proximal phalanx 2"].end(0.3) + right * 9.0 * k,
        heads[2] + right * 10.5 * k,
        middle + (up - right) * 0.5 * k,
        heads[1] - across * 7 * k,
        heads[1] + across * 6 * k,
        bones["metacarpal 1"].end(0.0) + across * 9 * k,
        radius.end(0.8) + right * 19 * k,
    ]
    wrist = [
        ulna.end(0.5) - right * 12.5 * k,
        ulna.end(1.05) - right * 12.0 * k,
        bones["metacarpal 5"].end(0.1) - right * 8 * k,
        bones["metacarpal 3"].end(0.35),
        bones["metacarpal 1"].end(0.1),
        radius.end(0.97) + right * 19.5 * k,
        radius.end(0.5) + right * 15 * k,
    ]
    return [(np.stack(palm)[:, :2], 12.5 * k, 13.0 * k), (np.stack(wrist)[:, :2], 18.0 * k, 22.0 * k)]


def _add_limb(total: Floats, grid: Grid, start: Points, end: Points, radii: tuple[float, float], depth: float) -> None:
    """Fifth power of the chord through a tapering limb with round ends, added in place."""
    reach = max(radii)
    low, high = np.minimum(start, end) - reach, np.maximum(start, end) + reach
    box = grid.box((low[0], high[0]), (low[1], high[1]))
    x, y = grid.coordinates(box)
    along = (end - start)[:2]
    length = max(float(along @ along), 1e-6)
    t = np.clip(((x - start[0]) * along[0] + (y - start[1]) * along[1]) / length, 0, 1)
    away = (x - start[0] - t * along[0]) ** 2 + (y - start[1] - t * along[1]) ** 2
    radius = radii[0] + t * (radii[1] - radii[0])
    chord = 2 * depth * np.sqrt(np.clip(1 - away / radius**2, 0, 1))
    total[box] += np.asarray(chord**5, np.float32)


def _add_sheet(total: Floats, grid: Grid, outline: Points, depth: float, rim: float, beneath: float) -> None:
    """Fifth power of the thickness of an inflated outline, added in place."""
    rows, columns = (grid.top - outline[:, 1]) / grid.pitch, (outline[:, 0] - grid.left) / grid.pitch
    inside = np.zeros(grid.shape, np.float32)
    inside[polygon_pixels(rows, columns, grid.shape)] = 1
    inside = gaussian_filter(inside, 4.0 / grid.pitch) > 0.5  # webs are round, an outline's corners are not
    distance = distance_transform_edt(np.pad(inside, ((0, 1), (0, 0)), mode="edge"))[:-1] * grid.pitch - beneath
    rise = np.clip(distance / rim, 0, 1)
    total += np.asarray((2 * depth * np.sqrt(rise * (2 - rise))) ** 5, np.float32)
