"""Skull, scalp and face of the head phantom: where the cranial cavity is, and the HU of everything outside it. Knows nothing of the brain.

Head space: mm; x to the patient's left, y forwards, z upwards; origin and size like the MNI brain template's (anterior commissure at the origin),
so that published coordinates hold; `head.py` scales it to the patient. The vault's profile was measured on an average skull and rounded.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from engine.phantoms.head_shapes import (
    Field,
    Floats,
    Points,
    ellipsoid,
    lattice,
    noise,
    paint,
    share,
    true_distance,
    tube,
    union,
)

AIR, FAT, SKIN, MUSCLE, COMPACT, DIPLOE = -1000.0, -95.0, 45.0, 55.0, 1250.0, 560.0

# height -> front and back of the inner table in the midline, and its greatest half width
VAULT_Z = (-30.0, -10.0, 0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 77.0, 82.0)
VAULT_FRONT = (66.0, 72.0, 74.0, 73.0, 71.5, 68.0, 62.0, 54.0, 42.0, 25.0, 8.0, -12.0)
VAULT_BACK = (-102.0, -104.0, -105.0, -104.0, -102.0, -98.0, -92.5, -85.0, -76.0, -63.0, -49.0, -33.0)
VAULT_HALF = (69.0, 71.5, 72.0, 71.0, 70.0, 68.5, 66.0, 61.5, 54.0, 42.0, 29.0, 12.0)


@dataclass(frozen=True, eq=False)
class Head:
    """One person's head.

    Attributes:
        cavity: signed distance to the inner table, positive inside.  skin: signed distance to the skin.
        thickness_mm: of the skull vault.  texture: coarse noise that makes soft tissue uneven.  cells: fine noise for air cells.
    """

    cavity: Field
    skin: Field
    thickness_mm: float
    scalp_mm: float
    texture: Field
    cells: Field


def grow_head(rng: np.random.Generator, age_years: float) -> Head:
    """A head for a generator. The skull thickens a little with age."""
    points, cavity = _lattice_and_cavity()
    thickness = float(np.clip(rng.normal(6.2 + 0.015 * (age_years - 40), 0.8), 4.6, 8.5))
    scalp = float(np.clip(rng.normal(5.2, 0.9), 3.2, 7.5))
    skin = true_distance(_skin(points, cavity.values, thickness + scalp))
    return Head(cavity, skin, thickness, scalp, noise(rng, 7.0), noise(rng, 2.6))


@cache
def _lattice_and_cavity() -> tuple[Points, Field]:
    """The lattice in head space, and the inner table's distance there: alike in all heads, which differ by scale and sway."""
    points = lattice()
    cavity = true_distance(_cavity(points))
    for values in (points.x, points.y, points.z, cavity.values):
        values.setflags(write=False)
    return points, cavity


def _cavity(p: Points) -> Floats:
    """Inside of the skull: vault, middle and posterior fossae, suprasellar space, spinal canal."""
    front, back, half = (np.interp(p.z, VAULT_Z, v).astype(np.float32) for v in (VAULT_FRONT, VAULT_BACK, VAULT_HALF))
    t = (p.y - (front + back) / 2) / np.maximum((front - back) / 2, 1)
    wide = half * (1 - np.float32(0.06) * np.maximum(t, 0))
    ring = (np.abs(p.x / wide) ** 2.3 + np.abs(t) ** 2.3) ** (1 / 2.3)
    floor: npt.NDArray[np.floating] = np.interp(
        p.y, (-20, 0, 12, 25, 40, 60, 75), (-12, -14, -17, -24, -25, -17, -2)
    ).astype(np.float32)
    floor = floor + np.clip((p.y - 12) / 10, 0, 1) * 12 * np.exp(-(((np.abs(p.x) - 33) / 17) ** 2)).astype(np.float32)
    vault = np.minimum((1 - ring) * half, np.minimum(p.z - floor, 83 - p.z))
    both = p.folded()
    inside = union(vault, ellipsoid(both, (44, -12, -20), (24, 39, 25)), 5)
    posterior = ellipsoid(p, (0, -59, -30), (59, 43, 37))
    inside = union(inside, posterior, 4)
    inside = union(inside, ellipsoid(p, (0, -12, -17), (24, 18, 15)), 4)
    inside = -union(-inside, _petrous(both) - 0.5, 3)
    return union(inside, tube(p, ((0, -40, -45), (0, -44, -68), (0, -46, -120)), (17, 14, 12.5)), 6)


def _petrous(both: Points) -> Floats:
    """The pyramids that part the middle from the posterior fossa, from the mastoid to the clivus."""
    return tube(both, ((62, -40, -36), (44, -32, -33), (26, -20, -31), (12, -9, -31)), (12, 9.5, 7, 4.5))


def _skin(p: Points, cavity: Floats, cover: float) -> Floats:
    """Scalp over the vault, face and neck below."""
    both = p.folded()
    vault = np.where(p.z > -45, cavity + cover, np.float32(-50) + cavity)
    face = ellipsoid(p, (0, 30, -52), (66, 56, 62))
    face = union(face, ellipsoid(p, (0, 84, -50), (11, 16, 24)), 8)
    face = union(face, ellipsoid(both, (33, 66, -32), (16, 15, 14)), 6)
    face = union(face, ellipsoid(both, (62, -8, -30), (17, 42, 42)), 10)
    neck = tube(p, ((0, -52, -45), (0, -38, -130)), (62, 62), (1.05, 1.0, 1.0))
    neck = np.minimum(neck, -20 - p.z)
    ear = ellipsoid(both, (82, -27, -32), (5, 15, 24))
    return np.maximum(union(union(vault, face, 12), neck, 14), ear)


def outside_brain(p: Points, head: Head, voxel_mm: float) -> Floats:
    """HU at points, the cranial cavity left as whatever surrounds it: scalp, muscles, face, skull, air spaces."""
    depth, cavity = head.skin(p), head.cavity(p)
    # muscles lie in long layers with fat between, much alike on both sides
    uneven = head.texture(Points(np.abs(p.x) + 0.06 * p.x, p.y, 0.35 * p.z))
    hu = np.full(p.x.shape, AIR, np.float32)
    paint(hu, share(depth, voxel_mm), SKIN)
    paint(hu, share(depth - 2.3, voxel_mm), FAT)
    low = np.clip((-8 - p.z) / 12, 0, 1) * share(depth - 4.5 - 2 * uneven, voxel_mm)
    paint(hu, low * (0.97 - 0.8 * np.exp(-((uneven / 0.2) ** 2))), MUSCLE + 4 * np.abs(uneven))
    both = p.folded()
    temporalis = np.minimum(ellipsoid(both, (70, 8, 2), (13, 42, 38)), depth - 3)
    paint(hu, share(temporalis, voxel_mm), MUSCLE)
    _paint_face(hu, p, both, head, voxel_mm)
    _paint_vault(hu, p, cavity, head, voxel_mm)
    _paint_base(hu, p, both, cavity, head, voxel_mm)
    return hu


def _paint_vault(hu: Floats, p: Points, cavity: Floats, head: Head, voxel_mm: float) -> None:
    """Two tables with diploe between, thin at the temples, thick at forehead and occiput; sutures cross it as grey threads."""
    temple = np.exp(-(((p.y - 12) / 28) ** 2) - ((p.z + 8) / 22) ** 2) * (np.abs(p.x) > 35)
    thick = np.float32(head.thickness_mm) * (1 + 0.12 * head.texture(p) - 0.45 * temple)
    thin = (p.z < -22) | ((p.y > 15) & (p.y < 62) & (p.z < -6))  # base and orbital roofs
    thick = np.where(thin, np.minimum(thick, 2.4), thick)
    thick = thick + 4 * np.exp(-((p.x / 9) ** 2) - ((p.y + 105) / 14) ** 2)  # occipital protuberance
    out = -cavity
    shell = np.minimum(out, thick - out)
    shell = np.minimum(shell, p.z + 78)
    between = share(np.minimum(out - 1.7, thick - 2.0 - out), voxel_mm)
    tissue = COMPACT + (DIPLOE - COMPACT) * between
    wander = 2.2 * head.cells(p)
    coronal = np.abs(p.y - 12 + 0.28 * np.abs(p.x) - wander + (p.z - 40) * 0.1)
    lambdoid = np.abs(p.y + 72 + 0.45 * (p.z - 30) - 0.25 * np.abs(p.x) - wander)
    sagittal = np.where((p.y < 5) & (p.y > -85), np.abs(p.x - wander), 9)
    seam = np.where(p.z > 12, np.minimum(np.minimum(coronal, lambdoid), sagittal), 9)
    tissue = tissue - 650 * np.clip(1.2 - seam / 1.3, 0, 1)
    paint(hu, share(shell, voxel_mm), tissue)
    sinus = np.minimum(ellipsoid(p.folded(), (10, 75.6, -3), (13, 3.0, 10)), np.abs(p.x) - 0.8)
    bone = ellipsoid(p.folded(), (8, 74.5, -4), (21, 5.8, 14))
    paint(hu, share(bone, voxel_mm), COMPACT * 0.85)
    paint(hu, share(sinus, voxel_mm), AIR)


def _paint_base(hu: Floats, p: Points, both: Points, cavity: Floats, head: Head, voxel_mm: float) -> None:
    """Petrous pyramids with mastoid cells, sphenoid wings and body, clivus, condyles, atlas."""
    petrous = _petrous(both)
    wing = tube(both, ((54, 22, -12), (34, 17, -17), (9, 12, -17)), (3.2, 3.2, 3.0))
    body = ellipsoid(p, (0, 8, -28), (19, 17, 14))
    clivus = tube(p, ((0, -8, -26), (0, -24, -58)), (9, 7), (1.6, 1, 1))
    clinoid = tube(p, ((-9, -9, -18), (9, -9, -18)), (2.4, 2.4))
    crest = tube(p, ((0, -100, -22), (0, -94, -46), (0, -70, -66)), (7, 6, 4))
    condyle = ellipsoid(both, (19, -37, -72), (8, 14, 9))
    atlas = np.minimum(tube(p, ((0, -45, -84), (0, -46, -100)), (27, 27), (1.2, 1, 1)), -76 - p.z)
    grain = head.cells(p)
    for solid, tissue in (
        (petrous, 1150.0),
        (wing, 900.0),
        (body, 620.0),
        (clivus, 560.0),
        (clinoid, 850.0),
        (crest, 1000.0),
    ):
        paint(hu, share(solid, voxel_mm), tissue + 110 * grain)
        paint(hu, share(1.6 - np.abs(solid - 1.2), voxel_mm) * 0.8, COMPACT * 0.9)
    paint(hu, share(np.maximum(condyle, atlas), voxel_mm), 750.0)
    mastoid = ellipsoid(both, (59, -42, -40), (12, 14, 20))
    paint(hu, share(mastoid + 2, voxel_mm), 900.0)
    cells = np.minimum(mastoid, 1.6 * grain + 0.5)
    paint(hu, share(cells, voxel_mm) * 0.92, -900.0)
    antrum = tube(both, ((50, -33, -34), (57, -38, -36)), (3.5, 4.5))
    canal = tube(both, ((46, -24, -37), (92, -25, -35)), (3.0, 4.2))
    inner_ear = tube(both, ((20, -27, -33), (30, -28, -32)), (2.2, 1.6))
    paint(hu, share(np.maximum(antrum, canal), voxel_mm), AIR)
    paint(hu, share(inner_ear, voxel_mm), 10.0)
    sphenoid = np.minimum(ellipsoid(both, (8, 9, -31), (9, 12, 9)), np.abs(p.x - 2) - 0.7)
    paint(hu, share(sphenoid, voxel_mm), AIR)
    sella = ellipsoid(p, (0, -1, -20), (7, 6, 5))
    paint(hu, share(sella, voxel_mm), 42.0)


def _paint_face(hu: Floats, p: Points, both: Points, head: Head, voxel_mm: float) -> None:
    """Orbits, nose and sinuses, cheek bones, jaws."""
    grain = head.cells(p)
    maxilla = ellipsoid(both, (27, 47, -56), (18.5, 21, 22))
    cheek = tube(both, ((40, 64, -46), (57, 48, -46), (68, 10, -41), (68, -8, -38)), (6.5, 6.0, 2.6, 2.6), (1, 1, 1.3))
    rim = tube(both, ((50, 55, -46), (50, 60, -22), (46, 62, -14)), (4.5, 4.5, 4.5))
    nose = tube(p, ((0, 82, -29), (0, 75, -17)), (3, 5))
    jaw = tube(both, ((51, -10, -44), (50, 2, -70), (48, 12, -100)), (5.5, 4.5, 5), (1, 2.0, 1))
    pterygoid = tube(both, ((14, 14, -40), (17, 12, -70)), (2.6, 2.6), (1, 2.5, 1))
    vomer = np.minimum(ellipsoid(p, (0, 40, -46), (21, 40, 34)), 80 - p.y)
    for solid, tissue in ((maxilla, 850.0), (cheek, 1050.0), (rim, 1050.0), (jaw, 1100.0), (pterygoid, 800.0)):
        paint(hu, share(solid, voxel_mm), tissue)
    paint(hu, share(vomer, voxel_mm), 60.0)
    paint(hu, share(nose, voxel_mm), 900.0)
    paint(hu, share(ellipsoid(both, (27, 47, -56), (16.5, 19, 20)), voxel_mm), AIR)
    ethmoid = np.minimum(ellipsoid(both, (6, 42, -30), (11, 30, 15)), np.abs(p.x) - 0.7)
    walls = np.minimum(np.abs(((p.y + 3 * grain) % 9.0) - 4.5), np.abs(both.x - 6 + grain))
    paint(hu, share(ethmoid, voxel_mm), AIR)
    paint(hu, share(ethmoid, voxel_mm) * np.clip(0.75 - 0.55 * walls, 0, 1), 450.0)
    cavity = np.minimum(ellipsoid(both, (8, 48, -58), (9.5, 34, 22)), np.abs(p.x - 1.2) - 0.9)
    turbinate = np.maximum(ellipsoid(both, (9, 46, -66), (3.5, 24, 6)), ellipsoid(both, (8, 44, -50), (3, 18, 5)))
    paint(hu, share(cavity, voxel_mm), AIR)
    paint(hu, share(turbinate, voxel_mm), 50.0)
    pharynx = ellipsoid(p, (0, 3, -72), (14, 9, 24))
    paint(hu, share(pharynx, voxel_mm), AIR)
    _paint_orbits(hu, p, both, voxel_mm)


def _paint_orbits(hu: Floats, p: Points, both: Points, voxel_mm: float) -> None:
    """A cone of fat in a bony wall, the globe with its lens, optic nerve and the straight muscles."""
    orbit = union(ellipsoid(both, (33, 58, -32), (19, 18, 17)), tube(both, ((31, 55, -31), (14, 16, -24)), (15, 3)), 6)
    wall = np.minimum(orbit + 1.5, 66 - p.y)
    paint(hu, share(wall, voxel_mm), 950.0)
    paint(hu, share(orbit, voxel_mm), FAT)
    nerve = tube(both, ((33, 56, -32), (24, 36, -28), (12, 14, -23)), (2.4, 2.2, 2.0))
    medial = tube(both, ((21.5, 60, -32), (19, 42, -30), (13, 20, -25)), (1.8, 2.6, 1.5), (1, 1, 1.8))
    lateral = tube(both, ((47, 60, -32), (38, 38, -30), (15, 20, -25)), (1.6, 2.4, 1.5), (1, 1, 1.8))
    over = tube(both, ((33, 60, -18.5), (28, 40, -19), (14, 20, -22)), (1.8, 2.4, 1.6), (1.8, 1, 1))
    below = tube(both, ((33, 60, -46), (27, 40, -42), (14, 20, -27)), (1.8, 2.4, 1.6), (1.8, 1, 1))
    soft = np.maximum.reduce([nerve, medial, lateral, over, below])
    paint(hu, share(np.minimum(soft, orbit + 1), voxel_mm), 42.0)
    globe = ellipsoid(both, (33, 68, -32), (12.6, 12.4, 12.4))
    paint(hu, share(globe, voxel_mm), 48.0)
    paint(hu, share(globe - 1.3, voxel_mm), 9.0)
    paint(hu, share(ellipsoid(both, (33, 76.5, -32), (4.8, 2.2, 4.8)), voxel_mm), 75.0)
