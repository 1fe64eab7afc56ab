"""A straight volume is where the patient is, however slices were tilted, spaced and turned; maps made on it come back to the slices."""

from __future__ import annotations

import numpy as np
import pytest

from engine.errors import ImplausibleImage, InconsistentSeries
from engine.imaging.volume import AIR, Volume, VolumeGeometry, check_for_scoring
from engine.imaging.volume_geometry import is_regular, straightened
from engine.imaging.volume_reading import read_volume

SPHERE, RADIUS = np.array([14.0, -9.0, 21.0]), 8.0
"""LPS mm: on the patient's left, in front, and towards the head of the middle."""
ROD = np.array([-18.0, 12.0])
"""x, y of a rod along z: on the patient's right, at the back."""

HEAD_FIRST = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
ORIENTATIONS = {
    "head first supine": HEAD_FIRST,
    "head first prone": (-1.0, 0.0, 0.0, 0.0, -1.0, 0.0),
    "feet first, stored mirrored": (-1.0, 0.0, 0.0, 0.0, 1.0, 0.0),
    "coronal": (1.0, 0.0, 0.0, 0.0, 0.0, -1.0),
    "sagittal": (0.0, 1.0, 0.0, 0.0, 0.0, -1.0),
    "oblique": (0.9848077530, 0.1736481777, 0.0, -0.1631759112, 0.9254165784, -0.3420201433),
}
DEPTHS = {
    "even": np.arange(-40, 41, 2.0),
    "uneven": np.cumsum([-42, *np.random.default_rng(5).uniform(0.9, 4.1, 34)]),
    "two spacings": np.concatenate([np.arange(-40, 0, 2.0), np.arange(0, 44, 4.0)]),
}


def points_of(geometry: VolumeGeometry, rows: int, columns: int) -> np.ndarray:
    """[slices, rows, columns, 3] LPS mm."""
    across = geometry.row_direction * geometry.pixel_spacing[1]
    down = geometry.column_direction * geometry.pixel_spacing[0]
    grid = np.arange(rows)[:, None, None] * down + np.arange(columns)[None, :, None] * across
    return geometry.positions[:, None, None, :] + grid[None]


def anatomy(points: np.ndarray) -> np.ndarray:
    """HU of a sphere and a rod in air, with edges a millimetre soft."""
    sphere = np.clip(RADIUS + 0.5 - np.linalg.norm(points - SPHERE, axis=-1), 0, 1)
    rod = np.clip(4.5 - np.linalg.norm(points[..., :2] - ROD, axis=-1), 0, 1)
    return np.rint(-1000 + 1000 * sphere + 1800 * rod).astype(np.int16)


def geometry_for(orientation, depths, tilt_degrees: float, size=(70, 80), spacing=(1.2, 1.1)) -> VolumeGeometry:
    """Slices centred on the origin, sheared along their columns by the tilt."""
    across, down = np.array(orientation[:3]), np.array(orientation[3:])
    normal = np.cross(across, down)
    corner = -across * spacing[1] * (size[1] - 1) / 2 - down * spacing[0] * (size[0] - 1) / 2
    drift = down * np.tan(np.radians(tilt_degrees))
    positions = np.array([corner + depth * (normal + drift) for depth in depths])
    return VolumeGeometry(positions, across, down, spacing)


def written(write_ct, geometry: VolumeGeometry, size=(70, 80)) -> Volume:
    """Through DICOM files with shuffled names."""
    orientation = (*geometry.row_direction, *geometry.column_direction)
    hounsfield = anatomy(points_of(geometry, *size))
    return read_volume(
        write_ct(geometry.positions, hounsfield, orientation=orientation, spacing=geometry.pixel_spacing)
    )


def centre_of(volume: Volume, near: np.ndarray, within: float) -> np.ndarray:
    """LPS mm centre of the matter within a distance of a point."""
    points = points_of(volume.geometry, *volume.voxels.shape[1:])
    weight = np.clip(volume.voxels.astype(np.float64) + 1000, 0, None) * (
        np.linalg.norm(points - near, axis=-1) < within
    )
    return (points * weight[..., None]).sum((0, 1, 2)) / weight.sum()


@pytest.mark.parametrize("depths", DEPTHS)
@pytest.mark.parametrize("tilt", [0.0, 18.5, -12.0])
@pytest.mark.parametrize("orientation", ["head first supine", "oblique"])
def test_a_sphere_and_a_rod_are_found_where_they_were(write_ct, orientation, tilt, depths):
    volume = written(write_ct, geometry_for(ORIENTATIONS[orientation], DEPTHS[depths], tilt))
    straight = straightened(volume)
    half_voxel = 0.5 * np.array(straight.spacing).min()
    assert np.linalg.norm(centre_of(straight.volume, SPHERE, 12) - SPHERE) < half_voxel
    for z in (-15.0, 15.0):
        found = centre_of(straight.volume, np.array([*ROD, z]), 7)
        assert np.linalg.norm(found[:2] - ROD) < half_voxel
    assert is_regular(straight.volume.geometry)
    assert any("tilted" in warning for warning in volume.warnings) is (tilt != 0)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_left_right_and_head_foot_stay_the_patients(write_ct, orientation):
    volume = written(write_ct, geometry_for(ORIENTATIONS[orientation], DEPTHS["uneven"], 10))
    straight = straightened(volume, (2.0, 1.5, 1.5))
    assert np.linalg.norm(centre_of(straight.volume, SPHERE, 12) - SPHERE) < 0.75
    image = straight.image
    index = image.TransformPhysicalPointToIndex([float(value) for value in SPHERE])
    assert image[index] > -100
    assert image[image.TransformPhysicalPointToIndex([float(-SPHERE[0]), float(SPHERE[1]), float(SPHERE[2])])] < -900


@pytest.mark.parametrize("spacing", [None, (3.0, 1.2, 1.1), (1.0, 0.8, 0.9), (5.0, 2.5, 3.0)])
@pytest.mark.parametrize("tilt", [0.0, 18.5])
def test_a_map_made_on_the_grid_comes_back_to_the_acquired_voxels(tilt, spacing):
    geometry = geometry_for(HEAD_FIRST, DEPTHS["uneven"], tilt)
    voxels = anatomy(points_of(geometry, 70, 80))
    straight = straightened(Volume(voxels, geometry, np.ones(len(voxels), bool)), spacing)
    slope = np.array([0.3, -0.2, 0.5])
    made = (points_of(straight.volume.geometry, *straight.volume.voxels.shape[1:]) @ slope).astype(np.float32)
    back = straight.to_acquired(made)
    expected = points_of(geometry, 70, 80) @ slope
    assert back.shape == voxels.shape and back.dtype == np.float32
    edge = slice(3, -3)
    assert np.abs(back - expected)[edge, edge, edge].max() < 0.01  # what is linear is kept
    assert np.abs(back - expected).max() < 0.5 * np.abs(slope) @ np.array(
        [straight.spacing[2], straight.spacing[1], straight.spacing[0]]
    )


def test_straightening_keeps_what_is_linear_exactly():
    geometry = geometry_for(HEAD_FIRST, DEPTHS["uneven"], 15)
    slope = np.array([8.0, -5.0, 6.0])
    voxels = np.rint(points_of(geometry, 70, 80) @ slope).astype(np.int16)
    grid = straightened(Volume(voxels, geometry, np.ones(len(voxels), bool))).volume
    inside = grid.voxels != AIR
    inside &= np.roll(inside, 2, 1) & np.roll(inside, -2, 1)
    difference = (grid.voxels - points_of(grid.geometry, *grid.voxels.shape[1:]) @ slope)[:, :, 2:-2][
        inside[:, :, 2:-2]
    ]
    assert inside.mean() > 0.5 and np.percentile(np.abs(difference), 99) < 1.01


def test_a_coarser_grid_averages_instead_of_skipping():
    geometry = geometry_for(HEAD_FIRST, np.arange(-20, 20, 1.0), 0, spacing=(1.0, 1.0))
    voxels = np.zeros((40, 70, 80), np.int16)
    voxels[::2] += 300
    voxels[:, ::2] += 300
    voxels[:, :, ::2] += 300
    grid = straightened(Volume(voxels, geometry, np.ones(40, bool)), (4.0, 4.0, 4.0)).volume.voxels[1:-1, 1:-1, 1:-1]
    assert np.abs(grid - 450.0).max() < 25


def test_a_regular_volume_is_not_copied(write_ct):
    volume = written(write_ct, geometry_for(HEAD_FIRST, DEPTHS["even"], 0))
    straight = straightened(volume)
    assert straight.volume is volume
    made = volume.voxels.astype(np.float32)
    assert (straight.to_acquired(made) == made).all()


def test_what_was_not_scanned_is_air():
    geometry = geometry_for(HEAD_FIRST, DEPTHS["even"], 20)
    voxels = np.full((len(DEPTHS["even"]), 70, 80), 50, np.int16)
    straight = straightened(Volume(voxels, geometry, np.ones(len(voxels), bool))).volume.voxels
    assert straight.shape[1] > 70 and set(np.unique(straight)) == {AIR, 50}
    assert straight[0, -1, 40] == AIR and straight[-1, 0, 40] == AIR


def test_an_unreadable_slice_is_bridged_by_its_neighbours_and_stays_marked():
    geometry = geometry_for(HEAD_FIRST, DEPTHS["even"], 10)
    voxels = np.full((len(DEPTHS["even"]), 70, 80), 40, np.int16)
    voxels[7] = AIR
    loaded = np.ones(len(voxels), bool)
    loaded[7] = False
    straight = straightened(Volume(voxels, geometry, loaded, unreadable=(7,))).volume
    assert straight.voxels[7, 40, 40] == 40
    assert straight.unreadable == (7,) and not straight.loaded[7]
    with pytest.raises(InconsistentSeries):
        check_for_scoring(straight)


def test_impossible_grids_and_maps_are_refused():
    geometry = geometry_for(HEAD_FIRST, DEPTHS["even"], 0)
    voxels = np.zeros((len(DEPTHS["even"]), 70, 80), np.int16)
    volume = Volume(voxels, geometry, np.ones(len(voxels), bool))
    with pytest.raises(ImplausibleImage, match="positive"):
        straightened(volume, (0.0, 1.0, 1.0))
    with pytest.raises(ImplausibleImage, match="too many voxels"):
        straightened(volume, (0.01, 0.01, 0.01))
    with pytest.raises(ValueError, match="shape"):
        straightened(volume).to_acquired(np.zeros((1, 2, 3), np.float32))
    with pytest.raises(InconsistentSeries, match="no slice is loaded"):
        straightened(Volume(voxels, geometry, np.zeros(len(voxels), bool)))
