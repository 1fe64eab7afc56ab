"""A synthetic head CT, with or without a haemorrhage or an infarct. Anatomy is in head_skull.py and head_brain.py. Never writes files.

Axes: voxels [slice, row, column]; slices run from the feet to the head (LPS +z), rows from the patient's front to the back (+y), columns from the
patient's right to the left (+x): ImageOrientationPatient 1,0,0,0,1,0 (PS3.3 C.7.6.2.1.1) and the patient's left at the image's right.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from engine.phantoms.head_brain import Brain, Compartments, fill_brain, grow_brain
from engine.phantoms.head_lesions import HeadLesion, draw_lesion
from engine.phantoms.head_shapes import Floats, Points, noise, share
from engine.phantoms.head_skull import Head, grow_head, outside_brain
from engine.phantoms.phantom import LESION_KINDS, Lesion, LesionRequest, Phantom

DEPTHS = 3  # samples through a slice's thickness: partial volume along z
VISIBLE_HU = 3.0  # a smaller change of the noise-free image is not part of a lesion's mask


@dataclass(frozen=True)
class HeadPatient:
    """Who was scanned, and how they lay: scale of head space per axis, tilts in degrees (nod, turn, lean), shift in mm, noise in HU."""

    age_years: float
    sex: Literal["M", "F"]
    scale: tuple[float, float, float]
    angles: tuple[float, float, float]
    shift: tuple[float, float, float]
    noise_hu: float
    headrest: bool


@dataclass(frozen=True, eq=False)
class _Sampled:
    """The head at every sample: HU without lesion; and for the samples `in_brain`, where each lies, the HU of what fills the skull there
    and the share of the sample that is not bone."""

    hu: Floats
    in_brain: npt.NDArray[np.bool_]
    brain_points: Points
    brain_hu: Floats
    brain_share: Floats
    parts: Compartments
    hardening: Floats


def render(
    seed: int,
    lesion: LesionRequest | None = None,
    *,
    shape: tuple[int, int, int] = (32, 128, 128),
    spacing: tuple[float, float, float] = (5.0, 1.8, 1.8),
    age_years: float | None = None,
) -> Phantom:
    """A head CT: int16 HU [slices, rows, columns], `spacing` mm (slice, row, column). Raises ValueError for a lesion heads do not have."""
    if lesion is not None and lesion.kind not in LESION_KINDS["head"]:
        raise ValueError(f"a head phantom has no {lesion.kind}; choose one of {', '.join(LESION_KINDS['head'])}")
    patient = draw_patient(np.random.default_rng([seed, 31]), age_years)
    head = grow_head(np.random.default_rng([seed, 32]), patient.age_years)
    brain = grow_brain(np.random.default_rng([seed, 33]), patient.age_years)
    sampled = _sample(seed, patient, head, brain, shape, spacing)
    grain = _scanner_noise(seed, shape, patient.noise_hu)
    before = _slices(sampled, sampled.hu, shape)
    voxels = _stored(before, grain)
    lesions: tuple[Lesion, ...] = ()
    if lesion is not None:
        size = float(np.mean(patient.scale))  # lesions are drawn in head space, and asked for in the patient's mm
        asked = lesion if lesion.size_mm is None else replace(lesion, size_mm=lesion.size_mm / size)
        drawn = draw_lesion(asked, sampled.brain_points, sampled.parts, np.random.default_rng([seed, 34]))
        after = _slices(sampled, _with_lesion(sampled, drawn), shape)
        mask = np.abs(after - before) >= VISIBLE_HU
        changed = _stored(after, grain)
        contrast = float((after - before)[mask].mean()) if mask.any() else 0.0
        voxels = np.where(mask, changed, voxels)
        lesions = (Lesion(lesion.kind, mask, round(drawn.size_mm * size, 1), contrast, drawn.side),)
    return Phantom(
        kind="head",
        seed=seed,
        image=voxels,
        spacing=spacing,
        lesions=lesions,
        sex=patient.sex,
        age_years=patient.age_years,
    )


def draw_patient(rng: np.random.Generator, age_years: float | None) -> HeadPatient:
    """An adult from the population; head space is about a tenth larger than life, which the scale puts right."""
    age, sex = float(rng.uniform(18, 88)), "F" if rng.random() < 0.5 else "M"
    size = (0.95 if sex == "M" else 0.92) * float(rng.normal(1, 0.02))
    stretch = rng.normal(1, 0.022, 3)
    return HeadPatient(
        age_years=round(age if age_years is None else age_years, 1),
        sex="F" if sex == "F" else "M",
        scale=(size * float(stretch[0]), size * float(stretch[1]), size * float(stretch[2])),
        angles=(float(rng.normal(4, 5)), float(rng.normal(0, 3)), float(rng.normal(0, 2.5))),
        shift=(float(rng.normal(0, 4)), float(rng.normal(0, 5)), float(rng.uniform(-3, 3))),
        noise_hu=float(rng.uniform(3, 4.6)),
        headrest=bool(rng.random() < 0.7),
    )


def _head_points(
    patient: HeadPatient, shape: tuple[int, int, int], spacing: tuple[float, float, float]
) -> tuple[Points, Points]:
    """Scanner mm (x left, y FORWARDS, z up, from the field's middle) and head-space mm of every sample [slices * DEPTHS, rows, columns]."""
    count = shape[0] * DEPTHS
    top = (83 + 16) * patient.scale[2] + 4  # the field's top edge lies just over the vertex
    z = top + patient.shift[2] - spacing[0] * shape[0] + (np.arange(count) + 0.5) * spacing[0] / DEPTHS
    y = -(np.arange(shape[1]) - (shape[1] - 1) / 2) * spacing[1]
    x = (np.arange(shape[2]) - (shape[2] - 1) / 2) * spacing[2]
    zz, yy, xx = np.meshgrid(z.astype(np.float32), y.astype(np.float32), x.astype(np.float32), indexing="ij")
    nod, turn, lean = np.deg2rad(patient.angles)
    about_x = np.array([[1, 0, 0], [0, np.cos(nod), -np.sin(nod)], [0, np.sin(nod), np.cos(nod)]])
    about_z = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    about_y = np.array([[np.cos(lean), 0, np.sin(lean)], [0, 1, 0], [-np.sin(lean), 0, np.cos(lean)]])
    m = (np.diag(1 / np.asarray(patient.scale)) @ about_x @ about_y @ about_z).astype(np.float32)
    # the head's middle, not the commissure, is put at the field's centre
    u, v = xx - np.float32(patient.shift[0]), yy - np.float32(patient.shift[1] + 12)
    axes = [m[i, 0] * u + m[i, 1] * v + m[i, 2] * zz for i in range(3)]
    return Points(xx, yy, zz), Points(axes[0], axes[1], axes[2])


def _sample(
    seed: int,
    patient: HeadPatient,
    head: Head,
    brain: Brain,
    shape: tuple[int, int, int],
    spacing: tuple[float, float, float],
) -> _Sampled:
    """Anatomy at every sample of the scan."""
    scanner, p = _head_points(patient, shape, spacing)
    rng = np.random.default_rng([seed, 35])
    sway = [noise(rng, 22.0)(p) * np.float32(1.6) for _ in range(3)]  # no two heads, and no two halves, are alike
    p = Points(p.x + sway[0], p.y + sway[1], p.z + sway[2])
    edge = spacing[1] / patient.scale[0]
    near = head.skin(p) > -3
    hu = np.full(p.x.shape, -1000.0, np.float32)
    if patient.headrest:
        hu += _headrest(scanner, float(scanner.y[near].min()) - 2, edge)
    inner = p.at(near)
    tissue = outside_brain(inner, head, edge)
    cavity = head.cavity(inner)
    inside = cavity > -edge
    brain_points, depth = inner.at(inside), cavity[inside]
    room = share(depth, edge)
    filled = np.full(depth.shape, 8.0, np.float32)
    parts = fill_brain(filled, brain_points, depth, brain, edge)
    tissue[inside] = (1 - room) * tissue[inside] + room * filled
    hu[near] = np.maximum(tissue, hu[near])
    in_brain = np.zeros(near.shape, bool)
    in_brain[near] = inside
    return _Sampled(hu, in_brain, brain_points, filled, room, parts, _hardening(brain_points, depth))


def _hardening(p: Points, depth: Floats) -> Floats:
    """What beam hardening leaves after correction: a bright rim under the skull, a dark bar between the petrous bones."""
    rim = 3.5 * np.exp(-np.maximum(depth, 0) / 5)
    bar = np.exp(-(((p.y + 26) / 9) ** 2) - ((p.z + 33) / 11) ** 2) * np.exp(-((p.x / 34) ** 4))
    streak = 2.5 * np.sin(0.55 * (p.y + 26) + 0.05 * p.x) * np.exp(-(((p.z + 38) / 12) ** 2) - ((p.y + 45) / 30) ** 2)
    return np.asarray(rim - 7 * bar + streak, np.float32)


def _headrest(p: Points, back: float, edge: float) -> Floats:
    """HU above air of a carbon-fibre cradle that the back of the head (y = `back` mm) lies in."""
    radius = np.hypot(p.x / 1.05, p.y - back - 104)
    shell = np.minimum(1.8 - np.abs(radius - 106), back + 60 - p.y)
    return np.asarray(share(np.asarray(shell, np.float32), edge) * 1250, np.float32)


def _with_lesion(sampled: _Sampled, lesion: HeadLesion) -> Floats:
    """HU at every sample with the lesion painted in."""
    hu = sampled.hu.copy()
    hu[sampled.in_brain] += sampled.brain_share * (lesion.applied(sampled.brain_hu) - sampled.brain_hu)
    return hu


def _slices(sampled: _Sampled, hu: Floats, shape: tuple[int, int, int]) -> Floats:
    """[slices, rows, columns] HU as reconstructed: averaged through each slice, blurred by the kernel, without noise."""
    hard = hu.copy()
    hard[sampled.in_brain] += sampled.hardening
    thick = hard.reshape(shape[0], DEPTHS, shape[1], shape[2]).mean(axis=1)
    return np.asarray(gaussian_filter(thick, (0.12, 0.42, 0.42)), np.float32)


def _scanner_noise(seed: int, shape: tuple[int, int, int], level: float) -> Floats:
    """[slices, rows, columns] HU: noise as filtered backprojection leaves it, weak at the lowest and the highest frequencies (Riederer 1978)."""
    white = np.random.default_rng([seed, 36]).standard_normal(shape, dtype=np.float32)
    grain = gaussian_filter(white, (0, 0.62, 0.62)) - 0.85 * gaussian_filter(white, (0, 2.2, 2.2))
    return np.asarray(grain * (level / grain.std()), np.float32)


def _stored(clean: Floats, grain: Floats) -> npt.NDArray[np.int16]:
    """int16 HU; noise grows where bone takes the beam away."""
    ray = gaussian_filter(np.clip(clean, 0, 1500), (0, 9, 9)) / 420
    noisy = clean + grain * np.clip(0.8 + 0.5 * ray, 0.7, 1.8)
    return np.clip(np.rint(noisy), -1024, 3071).astype(np.int16)
