"""A synthetic PA radiograph of one hand, with or without a fracture or metal. Anatomy is in hand_skeleton.py, physics in radiography.py.

The image is shown the way hands are hung: fingers up, seen from the tube (the back of the hand), so that a LEFT hand has its thumb at the
image's right and a RIGHT hand at its left. Bright is dense. Never writes files.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_closing, binary_fill_holes, gaussian_filter

from engine.phantoms.hand_bones import Bone, CarpalBone, Floats, Grid, LongBone, Shadow
from engine.phantoms.hand_flesh import flesh
from engine.phantoms.hand_lesions import broken, metal
from engine.phantoms.hand_skeleton import HandPatient, draw_patient, skeleton
from engine.phantoms.markings import collimated, marked_synthetic, side_marked
from engine.phantoms.phantom import LESION_KINDS, Lesion, LesionRequest, Phantom, Side
from engine.phantoms.radiography import (
    EXTREMITY_55_KV,
    Exposure,
    Look,
    detected,
    presented,
    processing_of,
    scatter_of,
    transmitted,
)

FINE = 2  # bone is integrated on a grid this much finer than the image: cortices are thinner than a pixel
CANCELLOUS = 0.22  # attenuation of cancellous bone relative to cortical, marrow included
VISIBLE = 0.006  # a change of grey (of 0..1) below this is not seen, and not part of a lesion's mask


@dataclass(frozen=True, eq=False)
class HandScene:
    """Everything a hand's image is made from before physics.

    Attributes:
        bones: name -> solid, in the mm of `grid`, for a LEFT hand; `mirrored` says that the image is turned over for a right one.
        shadows: name -> that bone's line integrals on `grid`, which is FINE times finer than the image.
        flesh_mm: [rows, columns] of the fine grid.
    """

    patient: HandPatient
    bones: dict[str, Bone]
    shadows: dict[str, Shadow]
    flesh_mm: Floats
    grid: Grid
    spacing: float
    mirrored: bool


def render(
    seed: int,
    lesion: LesionRequest | None = None,
    *,
    shape: tuple[int, int] = (512, 400),
    laterality: Side = "",
    age_years: float | None = None,
) -> Phantom:
    """A hand radiograph: float32 [rows, columns] in [0, 1].

    `laterality` and `age_years` are drawn from the seed when left open. Raises ValueError for a lesion that hands do not have.
    """
    if lesion is not None and lesion.kind not in LESION_KINDS["hand"]:
        raise ValueError(f"a hand phantom has no {lesion.kind}; choose one of {', '.join(LESION_KINDS['hand'])}")
    scene = scene_of(seed, shape=shape, laterality=laterality, age_years=age_years)
    maps = _maps(scene, seed)
    film = _Film(seed, scene, *maps)
    image = film.image(*maps)
    lesions: tuple[Lesion, ...] = ()
    if lesion is not None:
        changed_maps, size = _with_lesion(scene, lesion, seed)
        changed = film.image(*changed_maps)
        seen = np.abs(film.image(*changed_maps, noise=False) - film.image(*maps, noise=False)) > VISIBLE
        mask = binary_fill_holes(binary_closing(seen, iterations=2) | seen)
        contrast = float((changed - image)[mask].mean()) if mask.any() else 0.0
        image = np.where(mask, changed, image)
        lesions = (Lesion(lesion.kind, mask, round(size, 1), contrast, scene.patient.laterality),)
    return Phantom(
        kind="hand",
        seed=seed,
        image=film.marked(image),
        spacing=(scene.spacing, scene.spacing),
        lesions=lesions,
        sex=scene.patient.sex,
        age_years=scene.patient.age_years,
        laterality=scene.patient.laterality,
        view="PA",
    )


def scene_of(
    seed: int, *, shape: tuple[int, int] = (512, 400), laterality: Side = "", age_years: float | None = None
) -> HandScene:
    """The patient, the solids in place, and each bone's shadow."""
    rng = np.random.default_rng([seed, 21])
    patient = draw_patient(rng, laterality, age_years)
    bones = {bone.name: _turned(bone, patient.rotation) for bone in skeleton(patient)}
    grid, spacing = _grid(bones, shape, rng)
    shadows = {name: bone.shadow(grid) for name, bone in bones.items()}
    tubes = {name: bone for name, bone in bones.items() if isinstance(bone, LongBone)}
    return HandScene(
        patient, bones, shadows, flesh(tubes, patient, grid), grid, spacing, mirrored=patient.laterality == "R"
    )


def _turned(bone: Bone, degrees: float) -> Bone:
    """The bone turned clockwise in the image plane about the capitate."""
    a = np.deg2rad(degrees)
    turn = np.array([[np.cos(a), np.sin(a), 0], [-np.sin(a), np.cos(a), 0], [0, 0, 1.0]])
    if isinstance(bone, CarpalBone):
        return replace(bone, outline=bone.outline @ turn[:2, :2].T)
    x, y, z = turn @ np.asarray(bone.origin)
    return replace(bone, origin=(float(x), float(y), float(z)), axes=bone.axes @ turn.T)


def _grid(bones: dict[str, Bone], shape: tuple[int, int], rng: np.random.Generator) -> tuple[Grid, float]:
    """A field that holds the hand and the wrist, with the margins a radiographer leaves."""
    tubes = [bone for bone in bones.values() if isinstance(bone, LongBone)]
    ends = np.stack([bone.end() for bone in tubes if bone.name not in ("radius", "ulna")])
    wrist = next(bone for bone in tubes if bone.name == "radius").end()
    scale = wrist[1] / -23.4 if wrist[1] < 0 else 1.0
    top = ends[:, 1].max() + rng.uniform(10, 20)
    bottom = wrist[1] - scale * rng.uniform(32, 44)
    left, right = ends[:, 0].min() - rng.uniform(14, 22), ends[:, 0].max() + rng.uniform(14, 22)
    spacing = float(np.round(max((top - bottom) / shape[0], (right - left) / shape[1]), 3))
    pitch = spacing / FINE
    middle = (left + right) / 2
    fine = (shape[0] * FINE, shape[1] * FINE)
    return Grid(fine, pitch, middle - fine[1] * pitch / 2, bottom + fine[0] * pitch), spacing


def _maps(scene: HandScene, seed: int, shadows: dict[str, Shadow] | None = None) -> tuple[Floats, Floats]:
    """(mm of soft tissue, mm of cortical bone) behind each image pixel, the hand turned to its own side."""
    cortical, trabecular = np.zeros(scene.grid.shape, np.float32), np.zeros(scene.grid.shape, np.float32)
    for shadow in (shadows or scene.shadows).values():
        cortical[shadow.box] += shadow.cortical
        trabecular[shadow.box] += shadow.trabecular
    texture = _trabeculae(scene.grid, seed)
    bone = cortical + CANCELLOUS * scene.patient.bone_density * trabecular * texture
    soft = np.maximum(scene.flesh_mm - cortical - 0.25 * trabecular, 0)
    return _binned(soft, scene.mirrored), _binned(bone, scene.mirrored)


def _trabeculae(grid: Grid, seed: int) -> Floats:
    """[rows, columns] about 1: the net of struts in cancellous bone, drawn out along the limb."""
    rng = np.random.default_rng([seed, 22])
    white = rng.standard_normal(grid.shape, dtype=np.float32)
    fine = gaussian_filter(white, (0.5 / grid.pitch, 0.22 / grid.pitch)) - gaussian_filter(
        white, (1.2 / grid.pitch, 0.7 / grid.pitch)
    )
    return np.asarray(np.clip(1 + 0.14 * fine / fine.std(), 0.3, 1.8), np.float32)


def _binned(fine: Floats, mirrored: bool) -> Floats:
    """The fine grid averaged down to image pixels."""
    rows, columns = fine.shape
    coarse = fine.reshape(rows // FINE, FINE, columns // FINE, FINE).mean(axis=(1, 3))
    return np.ascontiguousarray(coarse[:, ::-1] if mirrored else coarse, np.float32)


def _with_lesion(scene: HandScene, request: LesionRequest, seed: int) -> tuple[tuple[Floats, Floats], float]:
    """The maps with the lesion in place, and its extent in mm."""
    rng = np.random.default_rng([seed, 23])
    tubes = {name: bone for name, bone in scene.bones.items() if isinstance(bone, LongBone)}
    if request.kind == "fracture":
        bone, size = broken(tubes, request.size_mm, request.strength, rng)
        return _maps(scene, seed, {**scene.shadows, bone.name: bone.shadow(scene.grid)}), size
    work = metal(tubes, scene.grid, request.size_mm, request.strength, rng)
    soft, bone_mm = _maps(scene, seed)
    return (soft, bone_mm + _binned(work.bone_mm, scene.mirrored)), work.size_mm


class _Film:
    """One exposure and its processing, fixed on the lesion-free patient and applied to both images of a pair."""

    def __init__(self, seed: int, scene: HandScene, soft: Floats, bone: Floats) -> None:
        rng = np.random.default_rng([seed, 24])
        self.seed, self.spacing, self.side = seed, scene.spacing, scene.patient.laterality
        self.exposure = Exposure(
            EXTREMITY_55_KV,
            scatter_ratio=float(rng.uniform(0.03, 0.09)),
            scatter_range_mm=25.0,
            blur_mm=float(rng.uniform(0.16, 0.26)),
            quanta_per_mm2=float(rng.uniform(0.6, 2.4)) * 1e5,
        )
        self.look = Look(
            flattening=float(rng.uniform(0.1, 0.3)),
            coarse_mm=20.0,
            sharpening=float(rng.uniform(0.3, 0.9)),
            fine_mm=1.0,
            gamma=float(rng.uniform(0.95, 1.25)),
            low_percentile=1.0,
            high_percentile=99.3,
            low_level=float(rng.uniform(0.12, 0.2)),
            high_level=float(rng.uniform(0.84, 0.95)),
        )
        primary = transmitted(soft, bone, self.exposure.spectrum)
        self.scatter = scatter_of(primary, self.spacing, self.exposure)
        clean = detected(primary, self.scatter, self.spacing, self.exposure, None)
        self.processing = processing_of(clean, self.spacing, self.look, soft > 1.0)
        self.margins = tuple(float(m) for m in rng.uniform(-0.03, 0.03, 4))
        self.angle = float(rng.normal(0, 0.7))
        self.marker = self._free_corner(soft, rng)

    def image(self, soft: Floats, bone: Floats, *, noise: bool = True) -> Floats:
        """float32 [rows, columns] in [0, 1]; with the same noise whatever the maps."""
        rng = np.random.default_rng([self.seed, 25]) if noise else None
        primary = transmitted(soft, bone, self.exposure.spectrum)
        return presented(detected(primary, self.scatter, self.spacing, self.exposure, rng), self.processing)

    def marked(self, image: Floats) -> Floats:
        """Collimated, with the side marker and the word that says what it is."""
        row, column, angle = self.marker
        top, bottom, left, right = self.margins
        image = collimated(image, (top, bottom, left, right), self.angle)
        return marked_synthetic(side_marked(image, self.side, row, column, 0.042, angle, 0.96))

    def _free_corner(self, soft: Floats, rng: np.random.Generator) -> tuple[float, float, float]:
        """(row, column) shares and angle of the lead letter: beside the wrist or the fingertips, where no tissue is."""
        rows, columns = soft.shape
        jitter, angle = rng.uniform(-0.015, 0.015, 2), float(rng.normal(0, 5))
        places = [(0.82, 0.10), (0.82, 0.90), (0.09, 0.10), (0.09, 0.90), (0.7, 0.09), (0.7, 0.91)]
        size = max(rows // 24, 4)

        def covered(place: tuple[float, float]) -> float:
            r, c = int(place[0] * rows), int(place[1] * columns)
            return float(soft[max(r - size, 0) : r + size, max(c - size, 0) : c + size].max())

        row, column = min(places, key=covered)
        return row + float(jitter[0]), column + float(jitter[1]), angle


def bone_map(scene: HandScene) -> npt.NDArray[np.float32]:
    """[rows, columns] mm of cortical bone behind each image pixel, before physics; what tests and teaching figures look at."""
    return _maps(scene, 0)[1]
