"""Haemorrhages and infarcts in the head phantom: where they are and what they do to HU. Knows nothing of scanners."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.phantoms.head_brain import Compartments
from engine.phantoms.head_shapes import Floats, Points, ellipsoid, noise, share
from engine.phantoms.phantom import LesionRequest, Side

BLOOD = 71.0  # HU of a fresh clot
# (how often, centre, radii relative to the size) of bleeds inside the brain, left side: putamen, thalamus, lobes, cerebellum
BLEEDS = (
    (0.38, (27.0, 0.0, 2.0), (0.72, 1.1, 0.85)),
    (0.17, (13.0, -18.0, 7.0), (0.85, 1.0, 0.85)),
    (0.12, (38.0, 28.0, 28.0), (0.9, 1.05, 0.9)),
    (0.13, (42.0, -38.0, 32.0), (0.95, 1.0, 0.95)),
    (0.10, (46.0, -28.0, -12.0), (0.8, 1.15, 0.8)),
    (0.10, (22.0, -64.0, -34.0), (1.0, 0.95, 0.8)),
)
# (how often, centre of the territory's base on the surface, half angle in degrees, reach towards the ventricle as a share) of infarcts
TERRITORIES = (
    (0.6, (66.0, -4.0, 18.0), 1.0),
    (0.15, (52.0, 44.0, 16.0), 0.8),
    (0.25, (28.0, -98.0, 6.0), 0.9),
)


@dataclass(frozen=True, eq=False)
class HeadLesion:
    """What happens at each sample inside the skull: `amount` (0..1) of the way to `target` HU, after adding `added` HU.

    `size_mm` is the greatest extent of the lesion in head space; `side` the patient's.
    """

    amount: Floats
    target: Floats
    added: Floats
    size_mm: float
    side: Side

    def applied(self, hu: Floats) -> Floats:
        """HU with the lesion."""
        changed = hu + self.added
        return np.asarray(changed + self.amount * (self.target - changed), np.float32)


def draw_lesion(request: LesionRequest, p: Points, parts: Compartments, rng: np.random.Generator) -> HeadLesion:
    """The lesion that a request and a generator make, at the samples `p` inside the skull."""
    side: Side = request.side or ("L" if rng.random() < 0.5 else "R")
    sign = 1.0 if side == "L" else -1.0
    own = Points(p.x * np.float32(sign), p.y, p.z)
    if request.kind == "infarct":
        return _infarct(request, own, parts, side, rng)
    # a thin short crescent would be nothing to see: small bleeds outside the brain are lenses
    kind = ("inside", "subdural", "epidural")[int(rng.choice(3, p=(0.64, 0.2, 0.16)))]
    if kind == "inside":
        return _bleed(request, own, parts, side, rng)
    return _extra_axial(request, own, parts, side, kind == "epidural" or (request.size_mm or 100) < 70, rng)


def _extent(p: Points, amount: Floats) -> float:
    """Greatest extent in mm, along the axes' bounding box, of what is more than half changed."""
    chosen = amount > 0.5
    if not chosen.any():
        return 0.0
    return float(max(np.ptp(axis[chosen]) for axis in (p.x, p.y, p.z)))


def _bleed(
    request: LesionRequest, own: Points, parts: Compartments, side: Side, rng: np.random.Generator
) -> HeadLesion:
    """A clot in the brain, lobulated; it pushes no tissue aside."""
    weights = np.array([b[0] for b in BLEEDS])
    _, center, shape = BLEEDS[int(rng.choice(len(BLEEDS), p=weights / weights.sum()))]
    half = (request.size_mm if request.size_mm is not None else float(rng.uniform(18, 48))) / 2 / max(shape)
    place = tuple(float(c + rng.normal(0, 2.5)) for c in center)
    radii = tuple(half * s for s in shape)
    ragged = noise(rng, 5.0)(own) * np.float32(0.11 * half)
    inside = ellipsoid(own, (place[0], place[1], place[2]), (radii[0], radii[1], radii[2])) + ragged
    inside = np.minimum(inside, parts.below_table - 2.0)
    amount = share(np.asarray(inside, np.float32), 2.2) * np.float32(min(request.strength, 1.0))
    target = BLOOD * max(request.strength, 1.0) ** 0.3 + 3.5 * noise(rng, 3.0)(own)
    return HeadLesion(amount, np.asarray(target, np.float32), np.zeros_like(amount), _extent(own, amount), side)


def _extra_axial(
    request: LesionRequest, own: Points, parts: Compartments, side: Side, epidural: bool, rng: np.random.Generator
) -> HeadLesion:
    """Blood between skull and brain: a lens that sutures stop (epidural), or a crescent along a whole hemisphere (subdural)."""
    span = (
        request.size_mm
        if request.size_mm is not None
        else float(rng.uniform(40, 70) if epidural else rng.uniform(85, 130))
    )
    middle = np.array([66.0, float(rng.uniform(-35, 25)), float(rng.uniform(5, 30))])
    reach = np.sqrt((own.x - middle[0]) ** 2 * 0.5 + (own.y - middle[1]) ** 2 + (own.z - middle[2]) ** 2) / np.float32(
        span / 2
    )
    thickest = (0.24 if epidural else 0.085) * span * float(rng.uniform(0.85, 1.1))
    profile = np.maximum(1 - reach**2, 0) if epidural else np.sqrt(np.maximum(1 - reach**2, 0))
    ragged = 1 + 0.1 * noise(rng, 6.0)(own)
    inside = thickest * profile * ragged - parts.below_table
    inside = np.where((own.x > 2.5) & (parts.below_tentorium < 0), inside, -9.0)
    amount = share(np.asarray(inside, np.float32), 2.0) * (reach < 1) * np.float32(min(request.strength, 1.0))
    target = BLOOD + 2.5 * noise(rng, 3.0)(own)
    return HeadLesion(
        np.asarray(amount, np.float32), np.asarray(target, np.float32), np.zeros_like(own.x), _extent(own, amount), side
    )


def _infarct(
    request: LesionRequest, own: Points, parts: Compartments, side: Side, rng: np.random.Generator
) -> HeadLesion:
    """A wedge of a territory, darker by 8 to 15 HU in grey matter and less in white, so that the ribbon is lost."""
    weights = np.array([t[0] for t in TERRITORIES])
    _, base, deep = TERRITORIES[int(rng.choice(len(TERRITORIES), p=weights / weights.sum()))]
    width = (request.size_mm if request.size_mm is not None else float(rng.uniform(38, 75))) / 2
    apex = np.array([16.0, base[1] * 0.3 - 8, 14.0])
    start = np.asarray(base) + rng.normal(0, 4, 3)
    axis = start - apex
    length = float(np.hypot.reduce(axis))
    axis = axis / length
    d = np.stack([own.x - apex[0], own.y - apex[1], own.z - apex[2]]).astype(np.float32)
    along = axis[0] * d[0] + axis[1] * d[1] + axis[2] * d[2]
    away = np.sqrt(np.maximum((d**2).sum(axis=0) - along**2, 0))
    open_at = np.clip((along - (1 - deep) * length) / length, 0, 1.2)
    ragged = noise(rng, 6.0)(own) * np.float32(0.1 * width)
    inside = np.minimum(width * open_at - away + ragged, own.x - 3)
    inside = np.where(parts.below_tentorium > 0, -9.0, inside)
    share_in = share(np.asarray(inside, np.float32), 3.5) * parts.tissue
    drop = float(rng.uniform(12, 16)) * request.strength
    # grey matter falls by `drop`, white matter by less: both end near 24 HU
    white = np.clip(parts.white, 0, 1)
    added = -share_in * (drop * (1 - white) + 0.62 * drop * white)
    return HeadLesion(
        np.zeros_like(own.x), np.zeros_like(own.x), np.asarray(added, np.float32), _extent(own, share_in), side
    )
