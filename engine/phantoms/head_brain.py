"""The brain of the head phantom: folded cortex, white matter, nuclei, ventricles, cisterns, cerebellum, brainstem and dura, in HU.

Head space as in head_skull.py. Knows nothing of bone, of scanners or of lesions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.phantoms.head_shapes import Field, Floats, Points, ellipsoid, noise, paint, share, tube, union

CSF, WHITE, GREY, NUCLEUS, CEREBELLUM, STEM, DURA, VENOUS = 6.0, 27.5, 38.5, 37.5, 36.0, 31.5, 50.0, 56.0
GYRUS_MM = 3.0  # scale of the folding noise: sulci come about 4.4 times this apart
RIBBON_MM = 3.2  # cortical thickness
SYLVIAN_X = 37.0


@dataclass(frozen=True, eq=False)
class Brain:
    """One person's brain.

    Attributes:
        folds: noise whose zero surfaces are the sulci.  depths: how deep they go.  drift: bends everything a little.
        ventricles: radius of the ventricles relative to the mean.  atrophy: mm by which sulci and outer spaces are widened.
        calcified: HU of pineal gland and choroid plexus above tissue, 0 when young.  shift: HU added to all tissue.
    """

    folds: Field
    depths: Field
    drift: tuple[Field, Field, Field]
    ventricles: float
    atrophy: float
    calcified: float
    shift: float


@dataclass(frozen=True, eq=False)
class Compartments:
    """Where in the skull a point is; mm, positive inside. What lesions are placed by.

    Attributes:
        below_table: depth beneath the inner table.  surface: depth beneath the cortex of the cerebrum (negative outside it).
        below_tentorium: positive in the posterior fossa.  white: share of white matter.  tissue: share of cerebral tissue of any kind.
        fluid: share of fluid inside the brain (ventricles, fissures).
    """

    below_table: Floats
    surface: Floats
    below_tentorium: Floats
    white: Floats
    tissue: Floats
    fluid: Floats


def grow_brain(rng: np.random.Generator, age_years: float) -> Brain:
    """A brain for a generator: ventricles and sulci widen with age (Barron, Neuroradiology 1976; from the sixth decade on)."""
    ageing = float(np.clip((age_years - 35) / 45, 0, 1.2))
    atrophy = float(np.clip(ageing**1.4 * 0.75 + rng.normal(0, 0.1), 0.0, 1.2))
    return Brain(
        folds=noise(rng, GYRUS_MM),
        depths=noise(rng, 9.0),
        drift=(noise(rng, 14.0), noise(rng, 14.0), noise(rng, 14.0)),
        ventricles=float(np.clip(rng.normal(0.92 + 0.38 * ageing, 0.11), 0.65, 1.7)),
        atrophy=atrophy,
        calcified=float(rng.uniform(40, 220)) if rng.random() < np.clip((age_years - 15) / 40, 0, 0.85) else 0.0,
        shift=float(rng.normal(0, 0.6)),
    )


def fill_brain(hu: Floats, p: Points, below_table: Floats, brain: Brain, voxel_mm: float) -> Compartments:
    """Paint everything inside the cranial cavity over `hu`, in place; `below_table` is the depth beneath the inner table."""
    bent = _bent(p, brain)
    both = bent.folded()
    tentorium = _below_tentorium(both)
    inside = share(below_table, voxel_mm)
    paint(hu, inside, CSF)
    ventricles = _ventricles(bent, both, brain.ventricles)
    surface, gap = _cortex(p, bent, both, below_table, tentorium, brain)
    cerebrum = share(surface, voxel_mm) * share(-tentorium - 1.0, voxel_mm)
    white = share(np.minimum(gap, surface) - RIBBON_MM, voxel_mm)
    paint(hu, cerebrum, GREY + (WHITE - GREY + 0.8 * brain.depths(bent)) * white)
    _paint_nuclei(hu, bent, both, cerebrum, voxel_mm)
    fluid = _fissures(bent, both, gap, brain, voxel_mm) * cerebrum
    paint(hu, fluid, CSF)
    _paint_posterior_fossa(hu, p, bent, both, below_table, tentorium, brain, voxel_mm)
    lakes = np.maximum(share(ventricles, voxel_mm), share(_cisterns(bent, both), voxel_mm) * 0.9)
    paint(hu, lakes * inside, CSF)
    _paint_dura(hu, p, bent, both, below_table, tentorium, voxel_mm)
    _paint_calcification(hu, bent, both, brain, voxel_mm)
    hu += np.float32(brain.shift) * inside
    tissue = cerebrum * (1 - fluid) * (1 - lakes)
    return Compartments(below_table, surface, tentorium, white * tissue, tissue, np.maximum(fluid, lakes))


def _bent(p: Points, brain: Brain) -> Points:
    """Nobody's brain is symmetric or made of ellipsoids: space itself is bent by about 1.3 mm."""
    dx, dy, dz = (field(p) * np.float32(1.3) for field in brain.drift)
    return Points(p.x + np.float32(0.5) * dx, p.y + dy, p.z + dz)


def _below_tentorium(both: Points) -> Floats:
    """Signed distance to the tentorium: a tent with its apex behind the midbrain; in front the petrous ridge, its edge rising backwards."""
    roof = 5 - 0.0085 * both.x**2 + 0.32 * np.minimum(both.y + 46, 0) - both.z
    ridge = -13 - 0.40 * both.x - 0.85 * np.maximum(both.z + 25, 0) * np.clip(both.x / 14, 0, 1) - both.y
    return np.asarray(np.minimum(0.85 * roof, 0.92 * ridge), np.float32)


def _ventricles(p: Points, both: Points, size: float) -> Floats:
    """Lateral ventricles with their horns, third and fourth ventricle, aqueduct. `size` scales the radii."""
    r = size
    body = tube(both, ((11, 33, 4), (9, 22, 11), (9, 2, 21), (13, -20, 24), (21, -38, 19)), (3.4 * r, 5.0 * r, 4.0 * r, 4.0 * r, 5.0 * r),
                (1, 1, 1.5))  # fmt: skip
    atrium = tube(
        both,
        ((21, -38, 19), (26, -44, 8), (24, -62, 8), (22, -76, 9)),
        (5.0 * r, 5.4 * r, 3.2 * r, 1.2 * r),
        (1, 1, 1.25),
    )
    temporal = tube(
        both, ((27, -42, 4), (34, -32, -9), (33, -18, -17), (30, -8, -21)), (4.0 * r, 2.2 * r, 1.9 * r, 1.6 * r)
    )
    lateral = np.minimum(np.maximum(np.maximum(body, atrium), temporal), both.x - 1.4)
    third = ellipsoid(p, (0, -10, -1), (1.7 * r + 0.5, 14, 10))
    aqueduct = tube(p, ((0, -24, -5), (0, -34, -14), (0, -40, -24)), (1.0, 0.9, 1.2))
    fourth = np.minimum(ellipsoid(p, (0, -46, -33), (7.5 * r, 6.0 * r, 12)), 6 - np.abs(p.x) * 0.7 + (p.y + 46) * 0.25)
    return np.maximum.reduce([lateral, third, aqueduct, np.asarray(fourth, np.float32)])


def _cortex(
    p: Points, bent: Points, both: Points, below_table: Floats, tentorium: Floats, brain: Brain
) -> tuple[Floats, Floats]:
    """(depth beneath the pial surface, distance to the nearest sulcus or fissure) of the cerebrum."""
    outer = below_table - np.float32(1.3 + 1.6 * brain.atrophy) - 0.7 * brain.depths(p)
    inner = ((bent.y - 2) / 47) ** 2 + (
        (bent.z - 6) / 30
    ) ** 2 > 1  # outside of the corpus callosum and what lies below
    split = np.where(inner, np.abs(bent.x) - np.float32(1.3 + 0.5 * brain.atrophy), np.float32(30))
    surface = np.minimum(np.minimum(outer, split), np.maximum(-tentorium - 0.5, np.where(bent.y > -20, 12, -50)))
    sulcus, center = _sulci(bent, brain)
    deep = np.maximum(np.maximum(np.minimum(outer, split) - (15 + 3.5 * brain.depths(bent)), 34 - center), 0)
    folded = np.sqrt(sulcus**2 + deep**2)
    return np.asarray(surface, np.float32), np.asarray(np.minimum(folded, _sylvian(bent, both, brain)), np.float32)


def _sulci(p: Points, brain: Brain) -> tuple[Floats, Floats]:
    """Distance to the zero surfaces of noise that hardly changes along the radius of each hemisphere (sheets that stand on the surface), and
    that radius."""
    side = np.where(p.x < 0, np.float32(-1), np.float32(1))
    x, y, z = np.abs(p.x) - 22, p.y + 14, p.z - 8
    radius = np.sqrt(x * x + y * y + z * z) + np.float32(1e-3)
    stretch = (46 + 0.3 * (radius - 46)) / radius
    folded = Points(side * (40 + x * stretch), y * stretch - 14, z * stretch + 8)
    return np.asarray(np.abs(brain.folds(folded)) * np.float32(GYRUS_MM * 0.95), np.float32), np.asarray(
        radius, np.float32
    )


def _sylvian(p: Points, both: Points, brain: Brain) -> Floats:
    """Distance to the Sylvian fissure: a slanting cleft from the side, and the cistern over the insula at its bottom."""
    slant = p.z + 1 + 0.38 * (p.y + 2) + 2.8 * brain.drift[2](p)
    ends = np.maximum(np.maximum(p.y - 24, -34 - p.y), 0)
    cleft = np.sqrt((0.93 * slant) ** 2 + np.maximum(SYLVIAN_X - both.x, 0) ** 2 + ends**2)
    bow = both.x - SYLVIAN_X + 1.5 * brain.drift[0](p) + 0.006 * (p.y - 2) ** 2
    above = np.maximum(np.abs(slant - 3) - 10, 0)
    insula = np.sqrt(bow**2 + above**2 + np.maximum(np.maximum(p.y - 22, -22 - p.y), 0) ** 2)
    return np.asarray(np.minimum(cleft, insula), np.float32)


def _fissures(p: Points, both: Points, gap: Floats, brain: Brain, voxel_mm: float) -> Floats:
    """Share of fluid in sulci and fissures: narrow in the young."""
    width = np.float32(0.62 + 0.8 * brain.atrophy)
    sylvian = _sylvian(p, both, brain) - np.float32(0.8 + 0.9 * brain.atrophy) * np.clip(
        1.1 + (both.x - 36) / 25, 0.9, 1.8
    )
    return np.maximum(share(width - gap, voxel_mm), share(-sylvian, voxel_mm))


def _cisterns(p: Points, both: Points) -> Floats:
    """Suprasellar star, interpeduncular, ambient and quadrigeminal cisterns, velum interpositum."""
    star = union(ellipsoid(p, (0, 1, -17), (9, 9, 5)), tube(both, ((4, 2, -17), (24, 6, -14)), (3.4, 1.6)), 3)
    star = union(star, tube(p, ((0, 4, -17), (0, 22, -14)), (3, 1.2)), 2)
    peduncle = ellipsoid(p, (0, -14, -16), (5, 4, 6))
    midbrain = ellipsoid(p, (0, -27, -8), (15, 12, 30))
    ambient = np.minimum(np.minimum(1.6 - np.abs(midbrain + 1.7), 8 - np.abs(p.z + 6)), 0.5 * (-21 - p.y))
    plate = np.minimum(ellipsoid(p, (0, -42, 0), (12, 4.2, 8)), 1.5 + 0.12 * both.x**2 - (p.y + 42))
    return np.maximum.reduce([star, peduncle, np.asarray(ambient, np.float32), np.asarray(plate, np.float32)])


def _midbrain(p: Points, both: Points) -> Floats:
    """Peduncles and colliculi."""
    core = ellipsoid(p, (0, -27, -10), (14, 11, 15))
    return union(core, tube(both, ((9, -18, -12), (13, -14, -4)), (5.5, 5)), 3)


def _paint_nuclei(hu: Floats, p: Points, both: Points, cerebrum: Floats, voxel_mm: float) -> None:
    """Caudate, lentiform nucleus, thalamus: grey; the internal capsule is what stays white between them."""
    caudate = tube(both, ((12.5, 20, 4), (14, 10, 12), (16, -8, 20), (20, -22, 22)), (5.2, 4.8, 2.6, 1.5))
    lentiform = ellipsoid(Points(both.x + 0.28 * (p.y - 2), both.y, both.z), (25.5, 1, 0), (6.2, 17, 9.5))
    thalamus = ellipsoid(Points(both.x + 0.25 * (p.y + 18), both.y, both.z), (10.5, -18, 7), (7.8, 13.5, 8.5))
    claustrum = np.minimum(0.5 - np.abs(both.x - 33.0 + 0.006 * (p.y - 2) ** 2), 14 - np.abs(p.y))
    central = share(30 - np.abs(p.z - 5), 4.0)
    callosum = np.minimum(0.6 * (1 - ((p.y - 2) / 50) ** 2 - ((p.z - 3) / 29) ** 2) * 29, 16 - both.x)
    paint(hu, cerebrum * share(np.asarray(callosum, np.float32), 3.0), WHITE)
    for solid, tissue in (
        (caudate, NUCLEUS),
        (lentiform, NUCLEUS),
        (thalamus, NUCLEUS - 1.5),
        (np.minimum(claustrum, 10 - np.abs(p.z)), 33.0),
    ):
        paint(hu, cerebrum * central * share(np.asarray(solid, np.float32), voxel_mm + 0.8), tissue)


def _paint_posterior_fossa(
    hu: Floats,
    p: Points,
    bent: Points,
    both: Points,
    below_table: Floats,
    tentorium: Floats,
    brain: Brain,
    voxel_mm: float,
) -> None:
    """Cerebellum with folia, and the brainstem; what they leave is cistern."""
    paint(hu, share(np.minimum(tentorium, below_table), voxel_mm), CSF)
    hemisphere = ellipsoid(both, (24, -64, -32), (36, 37, 31))
    vermis = ellipsoid(bent, (0, -64, -22), (18, 30, 30))
    reach = np.minimum(np.minimum(union(hemisphere, vermis, 5), tentorium - 0.8), below_table - 1.4 - brain.atrophy)
    reach = np.minimum(reach, union(-36 - bent.y, 1.3 * (both.x - 24), 12))  # the angle beside the pons stays cistern
    folia = np.sin((bent.z + 0.35 * bent.y + 2.5 * brain.folds(bent)) * np.float32(2 * np.pi / 5.6))
    core = union(ellipsoid(both, (19, -58, -35), (13, 11, 9)), ellipsoid(both, (13, -46, -34), (8, 9, 5)), 3)
    cerebellum = share(reach, voxel_mm)
    paint(hu, cerebellum, CEREBELLUM + 1.8 * folia - (CEREBELLUM - WHITE - 1.5) * share(core + 1.0 * folia, 3.0))
    paint(hu, cerebellum * np.clip(0.5 - reach / 3, 0, 0.5) * np.clip(folia, 0, 1) * (0.4 + brain.atrophy), CSF)
    pons = union(ellipsoid(bent, (0, -27, -31), (17, 13, 13)), tube(both, ((12, -30, -32), (20, -42, -34)), (8, 7)), 4)
    medulla = tube(bent, ((0, -33, -44), (0, -42, -64), (0, -45, -120)), (9, 7, 6.2), (1.15, 1, 1))
    stem = union(union(_midbrain(bent, both), pons, 4), medulla, 4)
    paint(hu, share(np.minimum(stem, below_table - 1.5), voxel_mm), STEM)


def _paint_dura(
    hu: Floats, p: Points, bent: Points, both: Points, below_table: Floats, tentorium: Floats, voxel_mm: float
) -> None:
    """Falx, tentorium and the venous sinuses that run in their edges, a little denser than brain."""
    inside = share(below_table + 0.5, voxel_mm)
    ring = ((bent.y - 2) / 52) ** 2 + ((bent.z - 2) / 36) ** 2 > 1
    falx = np.where(ring & (p.z > -12 + 0.1 * np.abs(p.y)) & (tentorium < 0), 0.65 - np.abs(bent.x), -9.0).astype(
        np.float32
    )
    tent = np.where(
        (both.x > 13 - 0.12 * (p.y + 40)) & (p.y < -30) & (below_table < 48), 0.55 - np.abs(tentorium), -9
    ).astype(np.float32)
    paint(hu, share(np.maximum(falx, tent), voxel_mm) * inside, DURA)
    sagittal = np.minimum(3.2 - np.abs(p.x), 4.5 - below_table)
    sagittal = np.where((p.z > 5) | (p.y < -60), sagittal, -9)
    transverse = np.minimum(np.minimum(3.4 - np.abs(tentorium), 4.8 - below_table), -52 - p.y)
    venous = np.maximum(sagittal, transverse).astype(np.float32)
    paint(hu, share(venous, voxel_mm) * inside, VENOUS)
    vessels = np.maximum(
        tube(bent, ((0, -16, -30), (0, -13, -17)), (1.5, 1.5)),
        tube(both, ((6, 0, -16), (18, 4, -14), (32, 5, -8)), (1.3, 1.3, 1.0)),
    )
    paint(hu, share(vessels, voxel_mm) * 0.8, 46.0)


def _paint_calcification(hu: Floats, bent: Points, both: Points, brain: Brain, voxel_mm: float) -> None:
    """Pineal gland and the choroid plexus in the atria calcify with age."""
    if brain.calcified <= 0:
        return
    pineal = ellipsoid(bent, (0, -34, 3), (2.6, 3.0, 2.6))
    plexus = ellipsoid(both, (24, -42, 12), (2.2, 3.4, 3.0))
    paint(hu, share(pineal, voxel_mm), 50 + brain.calcified)
    paint(hu, share(plexus, voxel_mm), 45 + 0.9 * brain.calcified)
