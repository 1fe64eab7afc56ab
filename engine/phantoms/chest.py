"""A frontal (PA) chest radiograph of made-up anatomy, projected from solids in space, with or without a lesion.

The same seed is the same patient, position, exposure and noise; a lesion is put into the anatomy before projection and changes only
the pixels of its mask. Writes no files.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import affine_transform

from engine.phantoms import chest_bones, chest_soft
from engine.phantoms.chest_lesions import ChestScene, added_water
from engine.phantoms.chest_patient import ChestPatient, drawn_patient
from engine.phantoms.chest_vessels import hilar_haze, vessels
from engine.phantoms.markings import collimated, marked_synthetic, side_marked
from engine.phantoms.phantom import LESION_KINDS, Lesion, LesionRequest, Phantom
from engine.phantoms.radiography import (
    CHEST_120_KV,
    Exposure,
    FloatImage,
    Look,
    Processing,
    detected,
    presented,
    processing_of,
    scatter_of,
    transmitted,
)
from engine.phantoms.solids import Grid, smooth_noise

MUSCLE, FAT = np.float32(1.04), np.float32(0.92)  # attenuation relative to water near 70 keV
VISIBLE = 0.012  # a difference of three grey levels of 256 belongs to the lesion's mask

# Each part of a phantom draws from its own stream: what one part draws never moves another.
_PATIENT, _TEXTURE, _VESSELS, _BONES, _BREASTS, _GAS, _EXPOSURE, _NOISE, _LESION, _MARKS = range(10)


def render(
    seed: int,
    lesion: LesionRequest | None = None,
    *,
    size: int = 512,
    noise: bool = True,
    markings: bool = True,
) -> Phantom:
    """One PA chest radiograph.

    Args:
        seed: which patient, position, exposure and noise.
        lesion: None for a normal chest.
        size: rows and columns; the field stays the same, so that the spacing grows as the size falls.
        noise: False leaves out quantum noise.
        markings: False leaves out the side marker, the collimator edges and the word SYNTHETIC.

    Returns:
        Phantom with a float32 image [size, size] in [0, 1], bright = dense, the patient's left at image right.

    Raises:
        ValueError: the lesion's kind is not one of a chest, or the size is below 64.
    """
    if lesion is not None and lesion.kind not in LESION_KINDS["chest"]:
        raise ValueError(f"a chest has no {lesion.kind!r}: choose from {', '.join(LESION_KINDS['chest'])}")
    if size < 64:
        raise ValueError(f"a chest radiograph needs at least 64 pixels a side, not {size}")
    patient = drawn_patient(_stream(seed, _PATIENT))
    grid = _grid(patient, size)
    film = _Film.taken(seed, patient, grid, noise)
    lesions: tuple[Lesion, ...] = ()
    if lesion is not None:
        image, lesions = film.with_lesion(lesion, markings)
    else:
        image = film.image(film.primary, film.processing)
        image = _marked(seed, image) if markings else image
    return Phantom(
        kind="chest",
        seed=seed,
        image=image,
        spacing=(grid.spacing, grid.spacing),
        lesions=lesions,
        sex=patient.sex,
        age_years=float(patient.age),
        view="PA",
    )


@dataclass(frozen=True, eq=False)
class _Film:
    """A healthy patient's exposure, from which the image with and without a lesion is made."""

    seed: int
    scene: ChestScene
    soft: FloatImage
    bone: FloatImage
    exposure: Exposure
    primary: FloatImage
    scatter: FloatImage
    processing: Processing
    noise: bool

    @classmethod
    def taken(cls, seed: int, patient: ChestPatient, grid: Grid, noise: bool) -> _Film:
        scene, soft, bone, tissue = _anatomy(seed, patient, grid)
        exposure, look = _technique(_stream(seed, _EXPOSURE))
        primary = transmitted(soft, bone, exposure.spectrum)
        scatter = scatter_of(primary, grid.spacing, exposure)
        clean = detected(primary, scatter, grid.spacing, exposure, None)
        processing = processing_of(clean, grid.spacing, look, tissue)
        return cls(seed, scene, soft, bone, exposure, primary, scatter, processing, noise)

    def signal(self, primary: FloatImage, noise: bool = False) -> FloatImage:
        rng = _stream(self.seed, _NOISE) if noise else None
        return detected(primary, self.scatter, self.processing.spacing, self.exposure, rng)

    def image(self, primary: FloatImage, processing: Processing) -> FloatImage:
        return presented(self.signal(primary, self.noise), processing)

    def with_lesion(self, request: LesionRequest, markings: bool) -> tuple[FloatImage, tuple[Lesion, ...]]:
        """The healthy image with the lesion's pixels exchanged, and the lesion."""
        added = added_water(request, self.scene, _stream(self.seed, _LESION))
        water = _rolled(added.water, self.scene.patient.roll)
        dense = transmitted(self.soft + water, self.bone, self.exposure.spectrum)
        changed, clean = self.signal(dense), self.signal(self.primary)
        coarse = self.processing.coarse + np.float32(added.breadth) * (changed - clean)
        flattened = replace(self.processing, coarse=coarse)
        difference = presented(changed, flattened) - presented(clean, self.processing)
        mask = np.abs(difference) > VISIBLE
        contrast = float(difference[mask].mean()) if mask.any() else 0.0
        healthy = self.image(self.primary, self.processing)
        ill = np.where(mask, self.image(dense, flattened), healthy)
        if markings:  # what is written over the image may hide pixels of the lesion
            ill, healthy = _marked(self.seed, ill), _marked(self.seed, healthy)
            mask = mask & (ill != healthy)
        return ill, (Lesion(request.kind, mask, added.size_mm, contrast, added.side),)


def _stream(seed: int, part: int) -> np.random.Generator:
    return np.random.default_rng([seed, part])


def _grid(patient: ChestPatient, size: int) -> Grid:
    spacing = patient.field / size
    above = 0.135 * patient.field + patient.shift_z
    return Grid(size, size, spacing, patient.shift_x - (size - 1) / 2 * spacing, patient.height + above - spacing / 2)


def _anatomy(seed: int, patient: ChestPatient, grid: Grid) -> tuple[ChestScene, FloatImage, FloatImage, np.ndarray]:
    """(scene for lesions, mm of water, mm of cortical bone, where the patient is): line integrals, rolled as the patient leans."""
    hidden = chest_soft.covers(patient, grid)
    right, left = (chest_soft.lung_length(patient, grid, side, hidden) for side in chest_soft.SIDES)
    lung = right + left
    texture = smooth_noise(grid, _stream(seed, _TEXTURE), 26.0, 1.4, 0.75)
    density = np.float32(patient.lung_density) * (1 + np.float32(0.05 * patient.markings) * texture)
    skin = chest_soft.body(patient, grid, patient.fat).length
    muscle = np.minimum(chest_soft.body(patient, grid, 0.0).length, skin)
    coarse = smooth_noise(grid, _stream(seed, _TEXTURE + 100), 60.0, 6.0, 1.0)
    soft = MUSCLE * muscle * (1 + np.float32(0.012) * coarse) + FAT * (skin - muscle)
    soft = soft - (MUSCLE - density) * lung
    blood = vessels(patient, grid, _stream(seed, _VESSELS))
    soft += (MUSCLE - np.float32(patient.lung_density)) * np.minimum(blood + hilar_haze(patient, grid), 0.6 * lung)
    fat, gland = chest_soft.breasts(patient, grid, _stream(seed, _BREASTS))
    soft += FAT * fat + MUSCLE * gland
    soft -= MUSCLE * chest_soft.airways(patient, grid)
    soft -= MUSCLE * np.minimum(chest_soft.gas(patient, grid, _stream(seed, _GAS)), 0.6 * muscle)
    bone = _skeleton(seed, patient, grid)
    soft = np.maximum(soft - 0.8 * bone, 0)
    scene = ChestScene(patient, grid, hidden, (right, left), blood)
    soft, bone = _rolled(soft, patient.roll), _rolled(bone, patient.roll)
    seen = _rolled(lung, patient.roll)
    return scene, soft, bone, (seen > 40) | (soft > 150)


def _skeleton(seed: int, patient: ChestPatient, grid: Grid) -> FloatImage:
    rng = _stream(seed, _BONES)
    bone = chest_bones.ribs(patient, grid, rng)
    bone += chest_bones.clavicles(patient, grid, rng)
    bone += chest_bones.costal_calcification(patient, grid, rng)
    bone += chest_bones.scapulae_and_arms(patient, grid)
    bone += chest_bones.spine(patient, grid)
    return np.asarray(np.float32(patient.bone_density) * bone, np.float32)


def _rolled(image: FloatImage, degrees: float) -> FloatImage:
    """The image turned about its centre, as a patient who leans."""
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centre = (np.array(image.shape) - 1) / 2
    return np.asarray(affine_transform(image, turn, centre - turn @ centre, order=1, mode="nearest"), np.float32)


def _technique(rng: np.random.Generator) -> tuple[Exposure, Look]:
    exposure = Exposure(
        CHEST_120_KV,
        scatter_ratio=float(rng.uniform(0.05, 0.14)),
        scatter_range_mm=float(rng.uniform(28, 45)),
        blur_mm=float(rng.uniform(0.3, 0.55)),
        quanta_per_mm2=float(10 ** rng.uniform(5.3, 5.9)),
    )
    look = Look(
        flattening=float(rng.uniform(0.25, 0.5)),
        coarse_mm=float(rng.uniform(18, 28)),
        sharpening=float(rng.uniform(0.25, 0.7)),
        fine_mm=float(rng.uniform(2.0, 4.0)),
        gamma=float(rng.uniform(0.75, 1.2)),
        low_percentile=4.0,
        high_percentile=98.5,
        low_level=float(rng.uniform(0.1, 0.27)),
        high_level=float(rng.uniform(0.84, 0.93)),
    )
    return exposure, look


def _marked(seed: int, image: FloatImage) -> FloatImage:
    """Side marker, collimator edges and the word SYNTHETIC, the same for a patient with and without a lesion."""
    rng = _stream(seed, _MARKS)
    side, angle = ("L", "R")[int(rng.random() < 0.35)], float(rng.normal(0, 6))
    column = float(rng.uniform(0.90, 0.95) if side == "L" else rng.uniform(0.05, 0.10))
    row, height = float(rng.uniform(0.05, 0.16)), float(rng.uniform(0.03, 0.045))
    margins = [float(m) for m in np.where(rng.random(4) < 0.3, rng.uniform(0.005, 0.03, 4), -0.2)]
    turn = float(rng.normal(0, 0.6))
    out = side_marked(image, side, row, column, height, angle)
    out = collimated(out, (margins[0], margins[1], margins[2], margins[3]), turn)
    return marked_synthetic(out)
