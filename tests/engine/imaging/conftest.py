"""CT series written to disk as scanners write them, with the defects a test asks for."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from engine.imaging.series import Series

WriteCt = Callable[..., Series]

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


@pytest.fixture
def write_ct(tmp_path: Path) -> WriteCt:
    """Writes `hounsfield` [slices, rows, columns] (or None for a ramp) at `positions` as files with shuffled names, and returns the series."""

    def write(
        positions: Sequence[Sequence[float]],
        hounsfield: np.ndarray | None = None,
        *,
        orientation: Sequence[float] = AXIAL,
        spacing: tuple[float, float] = (1.0, 1.0),
        intercept: float = -1024,
        slope: float = 1,
        folder: str = "series",
        edit: Callable[[int, Dataset], None] | None = None,
    ) -> Series:
        if hounsfield is None:
            hounsfield = np.stack([np.full((8, 9), 10 * index, np.int16) for index in range(len(positions))])
        place = tmp_path / folder
        place.mkdir()
        study, series = generate_uid(), generate_uid()
        numbers = list(range(len(positions)))
        random.Random(len(positions)).shuffle(numbers)
        for index, (position, pixels) in enumerate(zip(positions, hounsfield, strict=True)):
            stored = np.rint((pixels.astype(np.float64) - intercept) / slope).astype("<u2")
            data = _slice(stored, position, orientation, spacing, study, series)
            data.RescaleSlope, data.RescaleIntercept = slope, intercept
            data.InstanceNumber = len(positions) - index
            if edit is not None:
                edit(index, data)
            data.save_as(place / f"{numbers[index]:04d}.dcm", enforce_file_format=True)
        sources = tuple(sorted(str(path) for path in place.iterdir()))
        return Series("ct", study, series, "volume", "dicom", sources, modality="CT", frames=len(sources))

    return write


def _slice(
    stored: np.ndarray,
    position: Sequence[float],
    orientation: Sequence[float],
    spacing: Sequence[float],
    study: str,
    series: str,
) -> Dataset:
    """One CT Image Storage instance (PS3.3 A.3), 12 of 16 bits unsigned."""
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = CTImageStorage
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = generate_uid()
    data.StudyInstanceUID, data.SeriesInstanceUID = study, series
    data.Modality, data.PatientID, data.PatientName = "CT", "T1", "Test^Ct"
    data.ImagePositionPatient = [f"{value:.8g}" for value in position]
    data.ImageOrientationPatient = [f"{value:.10g}" for value in orientation]
    data.PixelSpacing = list(spacing)
    data.Rows, data.Columns = stored.shape
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 0
    data.PixelData = stored.tobytes()
    return data


@pytest.fixture
def as_series() -> Callable[..., Series]:
    """A series of given files, as discovery would make it."""

    def make(*sources: str | Path, file_format: str = "dicom", **values: Any) -> Series:
        kind = values.pop("kind", "volume")
        return Series("k", "1.2", "1.2.3", kind, file_format, tuple(str(source) for source in sources), **values)  # type: ignore[arg-type]

    return make


@pytest.fixture(scope="session")
def pydicom_files() -> Path:
    """The folder of test files inside pydicom's wheel."""
    import pydicom

    return Path(pydicom.__file__).parent / "data" / "test_files"


@pytest.fixture
def radiograph_dataset() -> Callable[..., Dataset]:
    """A DX data set (PS3.3 A.26) of `pixels` [rows, columns]; keyword arguments set or, with None, delete elements."""

    def make(pixels: np.ndarray, **elements: Any) -> Dataset:
        data = Dataset()
        data.file_meta = FileMetaDataset()
        data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        data.SOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
        data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
        data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = generate_uid()
        data.StudyInstanceUID, data.SeriesInstanceUID = generate_uid(), generate_uid()
        data.Modality, data.PatientID, data.PatientName = "DX", "P1", "Test^Film"
        data.Rows, data.Columns = pixels.shape[-2:]
        data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
        bits = pixels.dtype.itemsize * 8
        data.BitsAllocated, data.BitsStored, data.HighBit = bits, bits, bits - 1
        data.PixelRepresentation = int(pixels.dtype.kind == "i")
        data.PixelData = pixels.tobytes() + b"\0" * (pixels.nbytes % 2)
        data["PixelData"].VR = "OW"
        for keyword, value in elements.items():
            if value is None:
                delattr(data, keyword)
            else:
                setattr(data, keyword, value)
        return data

    return make


@pytest.fixture
def write_radiograph(tmp_path: Path, radiograph_dataset: Callable[..., Dataset]) -> Callable[..., Path]:
    """Writes `radiograph_dataset` to `name` below the test's folder, and returns where."""

    def write(pixels: np.ndarray, name: str = "film.dcm", **elements: Any) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        radiograph_dataset(pixels, **elements).save_as(path, enforce_file_format=True)
        return path

    return write


@pytest.fixture
def opened() -> Callable[[str | Path], tuple[list[Series], list[Any]]]:
    """(series, errors) of `open_study`."""
    from engine.imaging.discovery import open_study

    def find(path: str | Path) -> tuple[list[Series], list[Any]]:
        errors: list[Any] = []
        return list(open_study(path, on_error=errors.append)), errors

    return find
