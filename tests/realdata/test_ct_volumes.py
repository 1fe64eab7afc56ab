"""Real CT series, as scanners and other programs wrote them, become the volumes that SimpleITK makes of them, or better ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from engine.imaging.discovery import open_study
from engine.imaging.volume import AIR, Volume, check_for_scoring
from engine.imaging.volume_geometry import is_regular, straightened

pytestmark = pytest.mark.realdata

NIFTI = (
    "ct_brain_atlas_1mm",
    "ct_cropped",
    "example_ct",
    "example_ct_sm",
    "head_template_scct",
    "phantom_pitch",
)


@pytest.fixture(scope="module")
def head(shared_data: Path) -> Volume:
    (series,) = open_study(shared_data / "ct" / "head_ge_tilted")
    return series.load_volume()


@pytest.fixture(scope="module")
def some_chest(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 neighbouring slices of the chest, linked under names in another order."""
    folder = tmp_path_factory.mktemp("chest")
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(shared_data / "ct" / "chest_lidc_0314"))
    files = [Path(name).resolve() for name in names[120:144]]
    for index, path in enumerate(files):
        (folder / f"{(index * 7) % len(files):03d}.dcm").symlink_to(path)
    return folder


def peer(folder: Path) -> sitk.Image:
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder)))
    return reader.Execute()


def assert_is(volume: Volume, image: sitk.Image) -> None:
    """Voxels equal, origin, spacing and direction equal."""
    assert (volume.voxels == np.rint(sitk.GetArrayFromImage(image))).all()
    straight = straightened(volume)
    assert straight.volume is volume
    assert straight.image.GetOrigin() == pytest.approx(image.GetOrigin(), abs=1e-4)
    assert straight.image.GetSpacing() == pytest.approx(image.GetSpacing(), abs=1e-5)
    assert straight.image.GetDirection() == pytest.approx(image.GetDirection(), abs=1e-5)


def test_a_jpeg_ls_chest_equals_what_simpleitk_reads(some_chest):
    (series,) = open_study(some_chest)
    volume = series.load_volume()
    assert_is(volume, peer(some_chest))
    assert volume.warnings == () and volume.voxels.min() < -900 and volume.voxels.max() > 500
    check_for_scoring(volume)


@pytest.mark.slow
def test_the_whole_chest_equals_what_simpleitk_reads(shared_data):
    folder = shared_data / "ct" / "chest_lidc_0314"
    (series,) = open_study(folder)
    assert_is(series.load_volume(), peer(folder))


def test_a_tilted_head_is_told_in_words_and_numbers(head):
    assert head.voxels.shape == (28, 512, 512)
    assert any("1.08 to 7.00 mm" in warning for warning in head.warnings)
    assert any("18.5 degrees" in warning for warning in head.warnings)
    assert not any("missing" in warning for warning in head.warnings)
    assert head.voxels.min() == AIR  # the scanner's -1500 outside its circle is padding, not a measurement
    check_for_scoring(head)


def test_a_tilted_head_is_sheared_straight_by_its_tilt(head):
    straight = straightened(head)
    assert is_regular(straight.volume.geometry)
    height = head.geometry.slice_positions[-1] - head.geometry.slice_positions[0]
    sheared = height * np.tan(np.radians(18.5))
    grown = (straight.volume.voxels.shape[1] - 512) * head.geometry.pixel_spacing[0]
    assert grown == pytest.approx(sheared, abs=1.0)


def test_every_acquired_voxel_is_found_again_at_its_place_in_the_patient(head):
    image = straightened(head, (1.0, 0.4882812, 0.4882812)).image
    rng = np.random.default_rng(0)
    acquired, found = [], []
    for _ in range(2000):
        index, row, column = int(rng.integers(1, 27)), int(rng.integers(100, 400)), int(rng.integers(100, 400))
        acquired.append(float(head.voxels[index, row, column]))
        point = [float(value) for value in head.geometry.voxel_to_patient(index, row, column)]
        found.append(float(image.EvaluateAtPhysicalPoint(point)))
    assert np.corrcoef(acquired, found)[0, 1] > 0.98
    assert np.median(np.abs(np.subtract(acquired, found))) < 5


def test_a_map_of_the_straight_head_comes_back_onto_its_slices(head):
    straight = straightened(head)
    back = straight.to_acquired(straight.volume.voxels.astype(np.float32))
    inside = head.voxels[1:-1, 100:-100, 100:-100]
    assert back.shape == head.voxels.shape
    assert np.corrcoef(back[1:-1, 100:-100, 100:-100].ravel(), inside.ravel())[0, 1] > 0.95


@pytest.mark.parametrize("name", NIFTI)
def test_nifti_files_equal_what_simpleitk_reads_in_patient_axes(shared_data, name):
    path = shared_data / "ct" / "nifti" / f"{name}.nii.gz"
    (series,) = open_study(path)
    assert series.kind == "volume"
    assert_is(series.load_volume(), sitk.DICOMOrient(sitk.ReadImage(str(path)), "LPS"))


def test_an_enhanced_multi_frame_series_is_stacked_by_frame_positions(shared_data):
    path = shared_data / "dicom" / "dcm_qa_enh" / "In" / "Siemens" / "XA10" / "6_1.dcm"
    (series,) = open_study(path)
    volume = series.load_volume()
    assert volume.voxels.shape == (6, 64, 64)
    assert np.diff(volume.geometry.slice_positions) == pytest.approx([2.4] * 5, abs=0.01)
    assert any("not Hounsfield units" in warning for warning in volume.warnings)
    image = sitk.ReadImage(str(path))
    stored = sitk.GetArrayFromImage(image)
    assert {voxels.tobytes() for voxels in volume.voxels} == {voxels.astype(np.int16).tobytes() for voxels in stored}
