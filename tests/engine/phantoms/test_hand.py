"""The hand phantom: its bones are all there and apart, it grows, it has a side, and a lesion changes its mask and nothing else."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
from scipy.ndimage import label

from engine.phantoms.hand import HandScene, bone_map, render, scene_of
from engine.phantoms.hand_bones import Grid, LongBone, Physis
from engine.phantoms.hand_skeleton import CARPALS
from engine.phantoms.phantom import LesionRequest, Phantom

SHAPE = (256, 200)


@lru_cache(maxsize=32)
def hand(seed: int, kind: str = "", side: str = "", age: float | None = None) -> Phantom:
    request = LesionRequest(kind) if kind else None  # type: ignore[arg-type]
    return render(seed, request, shape=SHAPE, laterality=side, age_years=age)  # type: ignore[arg-type]


@lru_cache(maxsize=8)
def scene(seed: int, side: str = "L", age: float = 35.0) -> HandScene:
    return scene_of(seed, shape=(512, 400), laterality=side, age_years=age)  # type: ignore[arg-type]


def names(age: float) -> set[str]:
    return {name for name in scene(3, age=age).bones if "sesamoid" not in name}


def test_an_adult_has_27_bones_and_the_forearm_each_with_a_shadow() -> None:
    adult = scene(3)
    assert len(names(35.0) - {"radius", "ulna"}) == 27
    assert set(CARPALS) <= names(35.0)
    for name, shadow in adult.shadows.items():
        assert shadow.cortical.max() > 0.5, name
        assert shadow.trabecular.max() > 0.5, name


@pytest.mark.parametrize("seed", [3, 8])
def test_joint_spaces_part_the_bones_on_the_image(seed: int) -> None:
    bone = bone_map(scene(seed))
    pieces, count = label(bone > 1.1)
    sizes = np.bincount(pieces.ravel())[1:]
    # 14 phalanges stand alone; the metacarpals' bases, carpals and forearm may overlap
    assert (sizes > 60).sum() >= 14, count


def test_shafts_are_hollow_and_ends_are_spongy() -> None:
    adult = scene(3)
    shadow = adult.shadows["metacarpal 3"]
    middle = shadow.cortical[shadow.cortical.shape[0] // 2]
    across = np.nonzero(middle > 0.3)[0]
    walls = max(middle[across[: len(across) // 3]].max(), middle[across[-len(across) // 3 :]].max())
    assert walls > 1.3 * middle[across[len(across) // 2]]
    filled = shadow.trabecular.sum(axis=1)
    assert filled[: len(filled) // 5].max() > 2 * filled[len(filled) // 2]


def test_a_ray_through_a_cylinder_crosses_what_geometry_says() -> None:
    tube = LongBone("tube", (0.0, 0.0, 0.0), np.eye(3), 60.0, (0.0, 1.0), (6.0, 6.0), (6.0, 6.0), cortex=2.0)
    shadow = tube.shadow(Grid((400, 100), 0.2, -10.0, 70.0))
    row = round((70.0 - 30.0) / 0.2) - shadow.box[0].start
    column = round(10.0 / 0.2) - shadow.box[1].start
    assert shadow.cortical[row, column] == pytest.approx(2 * 2.0, abs=0.25)
    off = round((10.0 + 5.0) / 0.2) - shadow.box[1].start  # 5 mm off the axis the ray meets compact bone only
    assert shadow.cortical[row, off] == pytest.approx(2 * np.sqrt(36 - 25), abs=0.4)


def test_children_have_open_growth_plates_and_fewer_carpals_and_are_smaller() -> None:
    child, teenager, adult = scene(3, age=5.0), scene(3, age=13.0), scene(3, age=35.0)
    assert len(names(5.0) & set(CARPALS)) < len(names(13.0) & set(CARPALS)) == 8
    tubes = [bone for bone in child.bones.values() if isinstance(bone, LongBone)]
    assert all(isinstance(bone.physis, Physis) for bone in tubes)
    assert any(bone.physis for bone in teenager.bones.values() if isinstance(bone, LongBone))
    assert not any(bone.physis for bone in adult.bones.values() if isinstance(bone, LongBone))
    length = [s.bones["metacarpal 3"].length for s in (child, teenager, adult)]  # type: ignore[union-attr]
    assert length[0] < 0.8 * length[2]
    assert length[0] < length[1] <= 1.05 * length[2]


def test_a_growth_plate_is_a_gap_on_the_image() -> None:
    child = scene(3, age=7.0)
    shaft = child.bones["metacarpal 3"]
    assert isinstance(shaft, LongBone) and shaft.physis is not None
    shadow = child.shadows["metacarpal 3"]
    total = (shadow.cortical + shadow.trabecular).sum(axis=1)
    along = np.nonzero(total > 0)[0]
    head = total[along[0] : along[0] + len(along) // 3]
    valley = head[len(head) // 6 : -len(head) // 6].min()
    assert valley < 0.45 * head.max()


def test_the_left_thumb_is_at_the_image_right_and_the_right_hand_is_its_mirror() -> None:
    left, right = scene(5, "L"), scene(5, "R")
    thumb, little = left.bones["distal phalanx 1"], left.bones["distal phalanx 5"]
    assert isinstance(thumb, LongBone) and isinstance(little, LongBone)
    assert thumb.end()[0] > little.end()[0]
    np.testing.assert_array_equal(bone_map(left), bone_map(right)[:, ::-1])
    assert render(5, shape=SHAPE, laterality="R").laterality == "R"


def test_the_same_seed_gives_the_same_pixels_and_another_seed_another_patient() -> None:
    hand.cache_clear()
    first = hand(11)
    hand.cache_clear()
    np.testing.assert_array_equal(first.image, hand(11).image)
    assert np.abs(first.image - hand(12).image).mean() > 0.02


def test_the_image_is_for_presentation_and_bone_is_brighter_than_flesh_and_flesh_than_air() -> None:
    phantom = hand(11, side="L", age=35.0)
    assert phantom.image.dtype == np.float32 and phantom.image.shape == SHAPE
    assert phantom.view == "PA" and phantom.kind == "hand" and phantom.label == "normal"
    assert 0.3 < phantom.spacing[0] * 256 / 220 < 1.3
    assert phantom.image.min() >= 0 and phantom.image.max() <= 1
    patient = scene_of(11, shape=SHAPE, laterality="L", age_years=35.0)
    bone = bone_map(patient)
    flesh = patient.flesh_mm.reshape(256, 2, 200, 2).mean(axis=(1, 3))
    middle = np.zeros(SHAPE, bool)
    middle[30:-50, 20:-20] = True
    dense = phantom.image[(bone > 3) & middle].mean()
    soft = phantom.image[(bone < 0.01) & (flesh > 12) & middle].mean()
    air = phantom.image[(flesh < 0.01) & middle].mean()
    assert dense > soft + 0.15 and soft > air + 0.1


@pytest.mark.parametrize("seed", [21, 22, 23])
@pytest.mark.parametrize("kind", ["fracture", "metal"])
def test_a_lesion_changes_its_mask_and_nothing_else(kind: str, seed: int) -> None:
    normal, abnormal = hand(seed), hand(seed, kind)
    (lesion,) = abnormal.lesions
    different = normal.image != abnormal.image
    assert lesion.mask.dtype == bool and lesion.mask.shape == SHAPE
    assert not (different & ~lesion.mask).any()
    assert (different & lesion.mask).sum() > 0.5 * lesion.mask.sum() > 10
    assert lesion.kind == kind and abnormal.label == "abnormal"
    assert lesion.side == abnormal.laterality == normal.laterality
    assert 4 < lesion.size_mm < 90


@pytest.mark.parametrize("seed", [21, 22, 23])
def test_metal_is_far_denser_and_a_fracture_line_is_darker_than_bone(seed: int) -> None:
    assert hand(seed, "metal").lesions[0].contrast > 0.07
    normal, broken = hand(seed), hand(seed, "fracture")
    change = broken.image - normal.image
    assert change.min() < -0.08, "no lucent line"
    assert broken.lesions[0].contrast < 0.01


def test_a_requested_length_is_the_metals_length() -> None:
    lesion = render(22, LesionRequest("metal", size_mm=25.0), shape=SHAPE, age_years=30).lesions[0]
    assert lesion.size_mm == pytest.approx(25.0, rel=0.05)
    rows, columns = np.nonzero(lesion.mask)
    spacing = render(22, shape=SHAPE, age_years=30).spacing[0]
    assert np.hypot(np.ptp(rows), np.ptp(columns)) * spacing == pytest.approx(25.0, rel=0.35)


def test_a_hand_has_no_nodule() -> None:
    with pytest.raises(ValueError, match="nodule"):
        render(1, LesionRequest("nodule"), shape=SHAPE)
