"""The box a head model sees is at the right place in the patient, and its maps come back to the right voxels."""

from __future__ import annotations

import numpy as np
import pytest

from engine.errors import ImplausibleImage, InconsistentSeries, NotApplicable
from engine.imaging.volume import Volume, VolumeGeometry
from engine.models.card import Preprocessing
from engine.preprocess import prepare

SIZE = (32, 64, 64)
HEAD_CT = Preprocessing(name="head-ct")


def ball_head(
    positions: np.ndarray, row=(1.0, 0, 0), column=(0, 1.0, 0), spacing=2.0, side=160
) -> tuple[Volume, np.ndarray, np.ndarray]:
    """A shell of bone of 80 mm radius at the origin with a dense ball of 12 mm at (30, -20, 10) LPS; masks of the ball and of the inner 60 mm."""
    row, column = np.asarray(row, float), np.asarray(column, float)
    r, c = np.mgrid[:side, :side]
    voxels = np.full((len(positions), side, side), -1000, np.int16)
    ball, near_centre = np.zeros(voxels.shape, bool), np.zeros(voxels.shape, bool)
    for index, origin in enumerate(positions):
        points = origin + row * spacing * c[..., None] + column * spacing * r[..., None]
        radius = np.linalg.norm(points, axis=-1)
        near_centre[index] = radius < 60
        voxels[index][radius < 80] = 900
        voxels[index][radius < 72] = 30
        ball[index] = np.linalg.norm(points - (30, -20, 10), axis=-1) < 12
        voxels[index][ball[index]] = 75
    geometry = VolumeGeometry(np.asarray(positions, float), row, column, (spacing, spacing))
    return Volume(voxels, geometry, np.ones(len(positions), bool)), ball, near_centre


def level(z: np.ndarray, shear: float = 0.0) -> np.ndarray:
    """Axial slice origins at `z`, moved back by `shear` mm a mm of z, as a tilted gantry's stack is."""
    return np.stack([np.full(len(z), -160.0), -160.0 + shear * z, z], 1)


@pytest.mark.parametrize(
    "volume_and_ball",
    [
        ball_head(level(np.arange(-90, 90, 4.0))),
        ball_head(level(np.sort(np.concatenate([np.arange(-90, 0, 7.0), np.arange(1, 90, 2.0)])))),
        ball_head(level(np.arange(-90, 90, 4.0), shear=0.3)),
        ball_head(level(np.arange(-90, 90, 1.0))),
    ],
    ids=["regular", "uneven spacing", "sheared stack", "thin slices"],
)
def test_a_dense_ball_keeps_its_place_to_the_box_and_back(volume_and_ball) -> None:
    volume, ball, near_centre = volume_and_ball
    prepared = prepare(volume, HEAD_CT, SIZE)
    grey = (prepared.tensor[0] + 1) / 2
    assert prepared.tensor.shape == (1, *SIZE)

    # the box hangs from the vertex at z = 80 and is centred on the skull at x = y = 0
    z, y, x = np.meshgrid(
        80 - (31 - np.arange(32)) * 5.0,
        (np.arange(64) - 31.5) * 220 / 64,
        (np.arange(64) - 31.5) * 220 / 64,
        indexing="ij",
    )
    hot = (np.abs(grey - (75 + 14) / 127) < 0.1) & (
        x**2 + y**2 + z**2 < 60**2
    )  # the shell's blurred rim has the same grey
    found = [float(axis[hot].mean()) for axis in (x, y, z)]
    assert found == pytest.approx([30, -20, 10], abs=3)

    back = prepared.to_original(grey)
    assert back.shape == volume.voxels.shape
    seen = ~np.isnan(back)
    assert seen[ball].all()
    hot = (np.abs(back - (75 + 14) / 127) < 0.12) & near_centre
    overlap = 2 * (hot & ball).sum() / (hot.sum() + ball.sum())
    assert overlap > 0.75


def test_a_box_that_begins_lower_shows_the_same_slices_without_the_uppermost() -> None:
    volume, *_ = ball_head(level(np.arange(-90, 90, 5.0)))
    lower = Preprocessing(name="head-ct", options={"below_mm": 40.0})
    whole, part = prepare(volume, HEAD_CT, SIZE), prepare(volume, lower, (24, 64, 64))
    np.testing.assert_array_equal(part.tensor, whole.tensor[:, :24])
    seen = ~np.isnan(part.to_original(part.tensor[0]))
    np.testing.assert_allclose(
        part.to_original(part.tensor[0])[seen], whole.to_original(whole.tensor[0])[seen], atol=1e-5
    )
    assert not seen[volume.geometry.positions[:, 2] > 41].any(), "nothing is said of what lies above the box"


def test_a_box_shifted_by_a_voxel_along_each_axis_shows_the_neighbouring_voxels() -> None:
    volume, *_ = ball_head(level(np.arange(-90, 90, 5.0)))
    shifted = Preprocessing(name="head-ct", options={"shift_mm": (5.0, 220 / 64, 220 / 64)})
    whole, moved = prepare(volume, HEAD_CT, SIZE), prepare(volume, shifted, SIZE)
    np.testing.assert_allclose(moved.tensor[:, :-1, :-1, :-1], whole.tensor[:, 1:, 1:, 1:], atol=1e-4)


def test_bone_in_a_corner_of_a_coarse_voxel_does_not_outshine_the_brain_where_the_window_comes_first() -> None:
    volume, *_ = ball_head(level(np.arange(-90, 90, 5.0)))
    options = {"field_mm": 140.0, "slice_mm": 10.0, "below_mm": 20.0, "lowest_hu": 0.0, "width_hu": 80.0}
    usual, first = (
        prepare(volume, Preprocessing(name="head-ct", options=options | {"window_first": window}), (8, 14, 14))
        for window in (False, True)
    )
    grey, of_window = ((prepared.tensor[0] + 1) / 2 for prepared in (usual, first))
    brain = np.abs(grey - 30 / 80) < 1e-4
    assert brain.sum() > 300
    np.testing.assert_allclose(of_window[brain], grey[brain], atol=1e-4)
    assert (grey == 1).sum() > 2 * (of_window == 1).sum()


def test_a_map_stored_small_covers_the_same_field() -> None:
    volume, *_ = ball_head(level(np.arange(-90, 90, 5.0)))
    prepared = prepare(volume, HEAD_CT, SIZE)
    full = prepared.to_original(prepared.tensor[0])
    small = prepared.to_field(prepared.tensor[0], 80)
    assert small.shape == (volume.voxels.shape[0], 80, 80)
    reduced = full.reshape(full.shape[0], 80, 2, 80, 2).mean((2, 4))
    both = ~np.isnan(reduced) & ~np.isnan(small)
    assert np.abs(reduced - small)[both].mean() < 0.02


def test_images_stored_right_to_left_are_seen_the_right_way_round() -> None:
    upright, *_ = ball_head(level(np.arange(-90, 90, 5.0)))
    positions = level(np.arange(-90, 90, 5.0))
    positions[:, 0] = 158.0
    flipped, *_ = ball_head(positions[::-1].copy(), row=(-1.0, 0, 0))
    np.testing.assert_allclose(
        prepare(upright, HEAD_CT, SIZE).tensor, prepare(flipped, HEAD_CT, SIZE).tensor, atol=0.02
    )


def test_what_cannot_be_a_head_is_refused_with_a_reason() -> None:
    three, *_ = ball_head(level(np.array([-5.0, 0, 5])))
    with pytest.raises(InconsistentSeries, match="3 slices"):
        prepare(three, HEAD_CT, SIZE)
    volume, *_ = ball_head(level(np.arange(-90, 90, 5.0)))
    with pytest.raises(ImplausibleImage, match="skull"):
        prepare(Volume(np.minimum(volume.voxels, 100), volume.geometry, volume.loaded), HEAD_CT, SIZE)
    geometry = VolumeGeometry(
        volume.geometry.positions[:, [2, 0, 1]], np.array([0, 1.0, 0]), np.array([0, 0, 1.0]), (2, 2)
    )
    with pytest.raises(NotApplicable, match="axial"):
        prepare(Volume(volume.voxels, geometry, volume.loaded), HEAD_CT, SIZE)
