"""The head phantom: tissues have their HU and their places, axes are DICOM's, and a lesion changes its mask and nothing else."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
from scipy.ndimage import label

from engine.phantoms.head import render
from engine.phantoms.head_brain import fill_brain, grow_brain
from engine.phantoms.head_shapes import Points, ellipsoid, tube
from engine.phantoms.head_skull import grow_head, outside_brain
from engine.phantoms.phantom import LesionRequest, Phantom, Side

SHAPE, SPACING = (24, 64, 64), (6.6, 3.6, 3.6)


@lru_cache(maxsize=32)
def head(seed: int, kind: str = "", side: Side = "", size: float | None = None, age: float | None = None) -> Phantom:
    request = LesionRequest(kind, size_mm=size, side=side) if kind else None  # type: ignore[arg-type]
    return render(seed, request, shape=SHAPE, spacing=SPACING, age_years=age)


def points(*places: tuple[float, float, float]) -> Points:
    x, y, z = np.asarray(places, np.float32).T
    return Points(x, y, z)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_tissues_have_their_hounsfield_units_where_anatomy_puts_them(seed: int) -> None:
    skull, brain = grow_head(np.random.default_rng(seed), 40.0), grow_brain(np.random.default_rng(seed + 50), 40.0)
    inside = points(
        (9, 8, 18), (-9, 8, 18), (26, -22, 32), (-26, -22, 32), (11, -18, 7), (25, 1, 0), (25, -66, -25), (0, -28, -32)
    )
    hu = np.full(8, 8.0, np.float32)
    fill_brain(hu, inside, skull.cavity(inside), brain, 1.0)
    ventricles, white, thalamus, putamen, cerebellum, pons = hu[:2], hu[2:4], hu[4], hu[5], hu[6], hu[7]
    assert (ventricles > 0).all() and (ventricles < 15).all()
    assert (white > 24).all() and (white < 32).all()
    assert 33 < thalamus < 41 and 33 < putamen < 41 and 31 < cerebellum < 41 and 27 < pons < 36
    assert min(thalamus, putamen) > white.max() + 4

    outside = points((8, 10, -31), (27, 47, -56), (33, 68, -30), (32, 49, -26), (95, 40, 60))
    sphenoid_sinus, maxillary_sinus, vitreous, orbital_fat, air = outside_brain(outside, skull, 1.0)
    assert max(sphenoid_sinus, maxillary_sinus, air) < -800
    assert 0 < vitreous < 20
    assert orbital_fat < -20


def test_cortex_is_a_grey_ribbon_around_white_matter() -> None:
    skull, brain = grow_head(np.random.default_rng(4), 30.0), grow_brain(np.random.default_rng(5), 30.0)
    x, y = np.meshgrid(np.arange(-70, 70, 1.0), np.arange(-100, 75, 1.0))
    p = Points(x.ravel().astype(np.float32), y.ravel().astype(np.float32), np.full(x.size, 42.0, np.float32))
    depth = skull.cavity(p)
    hu = np.full(p.x.shape, 8.0, np.float32)
    parts = fill_brain(hu, p, depth, brain, 1.0)
    shallow, deep = hu[(depth > 3.5) & (depth < 7)], hu[(parts.surface > 22) & (np.abs(p.x) > 14)]
    assert np.median(shallow) > np.median(deep) + 6
    sulci = (depth > 6) & (depth < 14) & (np.abs(p.x) > 10)
    assert 0.03 < (hu[sulci] < 22).mean() < 0.45, "sulci carry fluid between the gyri"


def test_the_volume_is_a_ct_in_hounsfield_units() -> None:
    phantom = head(1, age=45.0)
    voxels = phantom.image
    assert voxels.dtype == np.int16 and voxels.shape == SHAPE
    assert phantom.spacing == SPACING and phantom.kind == "head" and phantom.laterality == ""
    assert np.median(voxels[:, :4, :4]) == pytest.approx(-1000, abs=15)
    assert voxels.max() > 900 and voxels.min() >= -1024
    brain = voxels[(voxels > 15) & (voxels < 55)]
    assert 29 < np.median(brain) < 38
    assert brain.size * np.prod(SPACING) == pytest.approx(1.35e6, rel=0.35)  # a brain and some neck: mm3


def test_slices_run_from_feet_to_head_and_rows_from_front_to_back() -> None:
    voxels = head(1, age=45.0).image
    inside_air = np.zeros(SHAPE, bool)
    for index, air in enumerate(voxels < -600):
        pieces = label(air)[0]
        edge = np.unique(np.concatenate([pieces[0], pieces[-1], pieces[:, 0], pieces[:, -1]]))
        inside_air[index] = air & ~np.isin(pieces, edge)
    low, high = inside_air[:6].sum(), inside_air[12:18].sum()
    assert low > 5 * max(high, 1), "sinuses and mastoids are in the low slices"
    front, back = inside_air[:6, :28, 20:44].sum(), inside_air[:6, 36:, 20:44].sum()
    assert front > 3 * max(back, 1), "nose and sinuses are at the top of the picture"
    assert (voxels[-1] > 300).sum() < (voxels[12] > 300).sum()


@pytest.mark.parametrize("kind", ["haemorrhage", "infarct"])
def test_a_lesion_on_the_patients_left_is_at_the_image_right(kind: str) -> None:
    for side in ("L", "R"):
        (lesion,) = head(31, kind, side).lesions
        column = np.nonzero(lesion.mask)[2].mean()
        assert lesion.side == side
        assert (column > SHAPE[2] / 2 + 2) == (side == "L")


@pytest.mark.parametrize("seed", [41, 42, 44])
@pytest.mark.parametrize("kind", ["haemorrhage", "infarct"])
def test_a_lesion_changes_its_mask_and_nothing_else(kind: str, seed: int) -> None:
    normal, abnormal = head(seed), head(seed, kind)
    (lesion,) = abnormal.lesions
    different = normal.image != abnormal.image
    assert lesion.mask.shape == SHAPE and lesion.mask.any()
    assert not (different & ~lesion.mask).any()
    assert (different & lesion.mask).sum() > 0.95 * lesion.mask.sum()
    change = (abnormal.image.astype(float) - normal.image)[lesion.mask]
    assert lesion.contrast == pytest.approx(change.mean(), abs=0.6)
    if kind == "haemorrhage":
        assert lesion.contrast > 15
        brain = normal.image[lesion.mask] < 60  # the rest of the mask is shared with the skull
        assert 58 < np.percentile(abnormal.image[lesion.mask][brain], 85) < 90
    else:
        assert change.min() > -16 or change.min() < -8
        assert -12 < lesion.contrast < -4.5
    assert abnormal.label == "abnormal" and normal.label == "normal"


@pytest.mark.parametrize("kind", ["haemorrhage", "infarct"])
def test_a_requested_size_is_the_masks_size(kind: str) -> None:
    (lesion,) = head(45, kind, "", 40.0).lesions
    assert lesion.size_mm == pytest.approx(40, rel=0.4)
    extent = max(np.ptp(where) * step for where, step in zip(np.nonzero(lesion.mask), SPACING, strict=True))
    assert extent == pytest.approx(lesion.size_mm, abs=16)


def test_strength_makes_an_infarct_darker() -> None:
    faint, plain = (
        render(46, LesionRequest("infarct", strength=s), shape=SHAPE, spacing=SPACING).lesions[0] for s in (0.6, 1.0)
    )
    assert plain.contrast < faint.contrast - 1
    assert plain.mask.sum() > faint.mask.sum()


def test_the_same_seed_gives_the_same_voxels_and_another_seed_another_patient() -> None:
    first = head(51).image
    head.cache_clear()
    np.testing.assert_array_equal(first, head(51).image)
    assert (np.abs(first.astype(int) - head(52).image) > 100).mean() > 0.02


def test_the_old_have_more_fluid_than_the_young() -> None:
    def fluid(age: float) -> int:
        voxels = head(53, age=age).image[11:20].astype(float)
        return int(((voxels > -5) & (voxels < 18))[:, 12:52, 16:48].sum())

    assert fluid(82.0) > 1.5 * fluid(24.0)


def test_noise_in_a_plain_region_is_a_few_hounsfield_units() -> None:
    with_noise = render(54, shape=(8, 128, 128), spacing=(5.0, 1.8, 1.8)).image
    air = with_noise[:, 2:30, 2:30].astype(float)
    assert 1.5 < air.std() < 7
    neighbours = np.corrcoef(air[:, :, :-1].ravel(), air[:, :, 1:].ravel())[0, 1]
    assert neighbours > 0.25, "CT noise is correlated from voxel to voxel"


def test_a_head_has_no_fracture() -> None:
    with pytest.raises(ValueError, match="fracture"):
        render(1, LesionRequest("fracture"), shape=SHAPE, spacing=SPACING)


def test_distances_are_millimetres_and_positive_inside() -> None:
    p = points((12, 0, 0), (8, 0, 0), (0, 0, 23), (0, 5, 0))
    np.testing.assert_allclose(ellipsoid(p, (0, 0, 0), (10, 10, 20))[[0, 1]], [-2, 2], atol=0.05)
    assert ellipsoid(p, (0, 0, 0), (10, 10, 20))[2] == pytest.approx(-3, abs=0.1)
    np.testing.assert_allclose(tube(p, ((-20, 0, 0), (20, 0, 0)), (4, 4))[[0, 3]], [4, -1], atol=1e-4)
