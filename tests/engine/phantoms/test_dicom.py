"""A phantom on disk is DICOM that other software reads, says that it is synthetic, and shows what was rendered."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest

from engine.errors import StorageUnavailable
from engine.imaging.discovery import open_study
from engine.phantoms import chest, hand
from engine.phantoms.dicom import write_ct_series, write_radiograph
from engine.phantoms.phantom import LesionRequest, Phantom


@pytest.fixture(scope="module")
def film() -> Phantom:
    return chest.render(12, LesionRequest("nodule"), size=128)


@pytest.fixture(scope="module")
def volume() -> Phantom:
    rng = np.random.default_rng(0)
    voxels = rng.integers(-1000, 1500, (6, 48, 40)).astype(np.int16)
    return Phantom("head", 3, voxels, (5.0, 1.8, 1.7), sex="F", age_years=61.4)


@pytest.mark.parametrize("modality", ["DX", "CR"])
@pytest.mark.parametrize("minimum_is_white", [False, True])
def test_a_radiograph_is_shown_as_it_was_rendered(
    tmp_path: Path, film: Phantom, modality: str, minimum_is_white: bool
) -> None:
    path = write_radiograph(film, tmp_path / "a.dcm", modality=modality, minimum_is_white=minimum_is_white)  # type: ignore[arg-type]
    (series,) = open_study(path)
    assert (series.modality, series.body_part, series.view, series.synthetic) == (modality, "CHEST", "PA", True)
    radiograph = series.load_radiograph()
    assert radiograph.minimum_is_white == minimum_is_white
    assert np.abs(radiograph.presentation() - film.image).max() < 1 / 4000
    assert radiograph.spacing == pytest.approx(film.spacing, abs=1e-4)
    assert radiograph.spacing_source == "PixelSpacing"
    assert not series.warnings and not radiograph.warnings


def test_a_radiograph_carries_the_tags_that_readers_rely_on(tmp_path: Path, film: Phantom) -> None:
    data = pydicom.dcmread(write_radiograph(film, tmp_path / "a.dcm"))
    assert data.file_meta.MediaStorageSOPClassUID.name == "Digital X-Ray Image Storage - For Presentation"
    assert (data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation) == (16, 12, 11, 0)
    assert data.PatientOrientation == ["L", "F"]
    assert data.PresentationLUTShape == "IDENTITY" and data.PresentationIntentType == "FOR PRESENTATION"
    assert data.Manufacturer == "Normascope" and data.ImageComments.startswith("SYNTHETIC")
    assert str(data.PatientName).startswith("Phantom^") and data.BurnedInAnnotation == "YES"
    assert data.PatientAge == f"{int(film.age_years):03d}Y" and data.PatientSex == film.sex
    assert data.pixel_array.max() <= 4095
    inverted = pydicom.dcmread(write_radiograph(film, tmp_path / "b.dcm", minimum_is_white=True))
    assert inverted.PhotometricInterpretation == "MONOCHROME1" and inverted.PresentationLUTShape == "INVERSE"


def test_a_hand_says_which_hand_it_is(tmp_path: Path) -> None:
    phantom = hand.render(2, shape=(96, 80), laterality="R")
    (series,) = open_study(write_radiograph(phantom, tmp_path / "hand.dcm", modality="CR"))
    assert (series.body_part, series.laterality, series.view) == ("HAND", "R", "PA")


def test_the_same_phantom_gives_the_same_bytes_and_another_gives_other_uids(tmp_path: Path, film: Phantom) -> None:
    first, second = (write_radiograph(film, tmp_path / name) for name in ("a.dcm", "b.dcm"))
    assert first.read_bytes() == second.read_bytes()
    healthy = pydicom.dcmread(write_radiograph(chest.render(12, size=128), tmp_path / "c.dcm"))
    ill = pydicom.dcmread(first)
    assert healthy.PatientID == ill.PatientID
    assert healthy.StudyInstanceUID != ill.StudyInstanceUID and healthy.SOPInstanceUID != ill.SOPInstanceUID


def test_a_ct_series_comes_back_in_hounsfield_units_and_in_order(tmp_path: Path, volume: Phantom) -> None:
    paths = write_ct_series(volume, tmp_path / "head")
    assert len(paths) == 6
    (series,) = open_study(tmp_path / "head")
    assert (series.modality, series.body_part, series.kind, series.synthetic) == ("CT", "HEAD", "volume", True)
    loaded = series.load_volume()
    unmarked = (slice(None), slice(0, 30), slice(None))
    assert np.array_equal(loaded.voxels[unmarked], volume.image[unmarked])
    assert (loaded.voxels[:, 30:] == 400).any(axis=(1, 2)).all()  # SYNTHETIC in each slice
    assert np.diff(loaded.geometry.slice_positions) == pytest.approx(5.0)
    assert loaded.geometry.pixel_spacing == pytest.approx((1.8, 1.7))
    assert not loaded.warnings
    uids = {pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID for path in paths}
    assert len(uids) == 6


def test_a_file_that_cannot_be_written_is_a_storage_error_with_a_cure(tmp_path: Path, film: Phantom) -> None:
    (tmp_path / "taken").write_text("a file where a folder should be")
    with pytest.raises(StorageUnavailable, match=r"cannot be written.*Choose a folder"):
        write_radiograph(film, tmp_path / "taken" / "a.dcm")


def test_radiographs_and_volumes_are_not_confused(tmp_path: Path, film: Phantom, volume: Phantom) -> None:
    with pytest.raises(ValueError, match="write_ct_series"):
        write_radiograph(volume, tmp_path / "a.dcm")
    with pytest.raises(ValueError, match="write_radiograph"):
        write_ct_series(film, tmp_path / "a")
