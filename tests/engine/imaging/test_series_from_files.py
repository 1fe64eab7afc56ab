"""Files become series: copies once, patients apart, slices gathered to volumes by place, direction and pass."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset

from tests.engine.imaging.written_slices import AXIAL, CORONAL, GREY, Opened, Write, slices


def test_images_of_one_series_are_series_of_their_own(write_radiograph: Write, opened: Opened) -> None:
    for name in ("a.dcm", "b.dcm"):
        path = write_radiograph(GREY, name, SeriesInstanceUID="1.2.3", SOPInstanceUID=f"1.2.3.{ord(name[0])}")
    found, _ = opened(path.parent)
    assert {series.series_uid for series in found} == {"1.2.3"}
    assert len({series.key for series in found}) == 2
    assert opened(path)[0][0].key == found[1].key, "the key must not depend on what else was opened"


def test_exact_copies_are_one_and_different_images_under_one_uid_are_two(
    tmp_path: Path, write_radiograph: Write, opened: Opened
) -> None:
    first = write_radiograph(GREY, "a.dcm", SOPInstanceUID="1.2.3.4")
    shutil.copy(first, tmp_path / "copy.dcm")
    write_radiograph(GREY + 1, "other.dcm", SOPInstanceUID="1.2.3.4")
    found, errors = opened(tmp_path)
    assert errors == []
    assert [Path(series.path).name for series in found] == ["a.dcm", "other.dcm"]
    assert len({series.key for series in found}) == 2
    assert any("same SOP Instance UID" in warning for warning in found[1].warnings)


def test_slices_scattered_over_folders_are_one_volume(tmp_path: Path, write_radiograph: Write, opened: Opened) -> None:
    slices(write_radiograph, "first", [0, 1, 2])
    slices(write_radiograph, "second", [3, 4])
    found, errors = opened(tmp_path)
    assert errors == []
    assert [(series.kind, series.frames, series.key) for series in found] == [("volume", 5, "1.2.3")]
    assert len(found[0].sources) == 5


def test_two_patients_without_uids_in_one_folder_are_two_studies(
    tmp_path: Path, write_radiograph: Write, opened: Opened
) -> None:
    bare = {"StudyInstanceUID": None, "SeriesInstanceUID": None, "SOPInstanceUID": None}
    for index in range(6):
        write_radiograph(
            GREY, f"ct/{index}.dcm", Modality="CT", PatientID=f"P{index % 2}", PatientName=f"Doe^{'AB'[index % 2]}",
            ImagePositionPatient=[0, 0, index], ImageOrientationPatient=AXIAL, PixelSpacing=[1, 1], **bare,
        )  # fmt: skip
    series, errors = opened(tmp_path / "ct")
    assert errors == []
    assert [(one.patient_id, one.kind, one.frames) for one in series] == [("P0", "volume", 3), ("P1", "volume", 3)]
    assert len({one.study_uid for one in series}) == len({one.key for one in series}) == 2
    assert [one.key for one in opened(tmp_path / "ct")[0]] == [one.key for one in series]


def test_two_patients_under_one_uid_are_two_studies_and_both_say_so(
    tmp_path: Path, write_radiograph: Write, opened: Opened
) -> None:
    slices(write_radiograph, "a", [0, 1, 2], PatientID="P1", PatientName="Doe^Jane")
    slices(write_radiograph, "b", [3, 4, 5], PatientID="P2", PatientName="Roe^Max")
    slices(write_radiograph, "c", [6], PatientID="P1", PatientName="DOE^JANE^")
    first, second = opened(tmp_path)[0]
    assert (first.key, first.study_uid, first.patient_id, first.frames) == ("1.2.3", "1.2", "P1", 4)
    assert (second.patient_id, second.frames) == ("P2", 3)
    assert second.study_uid.startswith("2.25.")
    assert second.key != first.key
    assert "also on images of P2 ROE^MAX: kept apart" in " ".join(first.warnings)
    assert "also on images of P1 DOE^JANE: kept apart" in " ".join(second.warnings)


def test_films_of_two_patients_under_one_study_uid_are_two_studies(
    tmp_path: Path, write_radiograph: Write, opened: Opened
) -> None:
    for name, patient in (("1", "P1"), ("2", "P2"), ("3", "P2"), ("4", "P1")):
        write_radiograph(GREY, f"{name}.dcm", StudyInstanceUID="1.2", SeriesInstanceUID="1.2.3", PatientID=patient)
    series = opened(tmp_path)[0]
    assert [one.study_uid == "1.2" for one in series] == [True, False, False, True]
    assert series[1].study_uid == series[2].study_uid
    assert ["kept apart" in " ".join(one.warnings) for one in series] == [False, True, True, True]


def test_a_localiser_stands_beside_its_axials(tmp_path: Path, write_radiograph: Write, opened: Opened) -> None:
    slices(write_radiograph, "axial", [0, 1, 2], ImageType=["ORIGINAL", "PRIMARY", "AXIAL"])
    slices(
        write_radiograph, "scout", [9], ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"], ImageOrientationPatient=CORONAL
    )
    found, _ = opened(tmp_path)
    assert sorted((series.kind, series.frames) for series in found) == [("radiograph", 1), ("volume", 3)]


def test_orientations_and_sizes_are_separated(tmp_path: Path, write_radiograph: Write, opened: Opened) -> None:
    slices(write_radiograph, "axial", [0, 1, 2])
    slices(write_radiograph, "coronal", [0, 1], ImageOrientationPatient=CORONAL, place=1)
    slices(write_radiograph, "coarse", [5, 6], PixelSpacing=[2, 2])
    found, _ = opened(tmp_path)
    assert sorted(series.frames for series in found) == [2, 2, 3]
    assert len({series.key for series in found}) == 3
    assert all(series.key.startswith("1.2.3/") for series in found)
    assert all(any("3 stacks" in warning for warning in series.warnings) for series in found)
    axial = next(series for series in found if series.frames == 3)
    (tmp_path / "coarse").rename(tmp_path / ".coarse")
    assert axial.key in {series.key for series in opened(tmp_path)[0]}


def test_directions_that_differ_in_their_last_digits_are_one(
    tmp_path: Path, write_radiograph: Write, opened: Opened
) -> None:
    slices(write_radiograph, "a", [0, 1])
    slices(write_radiograph, "b", [2, 3], ImageOrientationPatient=[1, 1e-4, 0, -1e-4, 1, 0])
    assert [series.frames for series in opened(tmp_path)[0]] == [4]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"AcquisitionNumber": 1}, {"AcquisitionNumber": 2}),
        ({"ConvolutionKernel": "B30"}, {"ConvolutionKernel": "B70"}),
        ({"FrameOfReferenceUID": "1.9.1"}, {"FrameOfReferenceUID": "1.9.2"}),
    ],
)
def test_two_passes_over_the_same_positions_are_two_volumes(
    tmp_path: Path, write_radiograph: Write, opened: Opened, first: dict[str, Any], second: dict[str, Any]
) -> None:
    slices(write_radiograph, "first", [0, 1, 2], **first)
    slices(write_radiograph, "second", [0, 1, 2], **second)
    found, _ = opened(tmp_path)
    assert [series.frames for series in found] == [3, 3]
    assert found[0].key != found[1].key


def test_an_acquisition_number_a_slice_does_not_split_a_volume(
    tmp_path: Path, write_radiograph: Write, opened: Opened
) -> None:
    for index in range(4):
        slices(write_radiograph, f"part{index}", [index], AcquisitionNumber=index, FrameOfReferenceUID=f"1.7.{index}")
    assert [(series.kind, series.frames) for series in opened(tmp_path)[0]] == [("volume", 4)]


def test_a_series_that_lies_twice_in_a_folder_is_opened_once(
    tmp_path: Path, write_radiograph: Write, opened: Opened
) -> None:
    slices(write_radiograph, "ct", [0, 1, 2])
    shutil.copytree(tmp_path / "ct", tmp_path / "ct copy")
    found, _ = opened(tmp_path)
    assert [(series.kind, series.frames, len(series.sources)) for series in found] == [("volume", 3, 3)]


def test_a_single_slice_is_shown_as_an_image(tmp_path: Path, write_radiograph: Write, opened: Opened) -> None:
    slices(write_radiograph, "ct", [0])
    (series,), _ = opened(tmp_path)
    assert series.kind == "radiograph"
    assert any("single CT slice" in warning for warning in series.warnings)


def test_an_enhanced_ct_is_a_volume(tmp_path: Path, radiograph_dataset: Callable[..., Dataset], opened: Opened) -> None:
    data = radiograph_dataset(np.zeros((4, 16, 16), np.uint16), Modality="CT", NumberOfFrames=4)
    data.SharedFunctionalGroupsSequence = [Dataset()]
    data.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence = [Dataset()]
    data.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0].ImageOrientationPatient = AXIAL
    data.PerFrameFunctionalGroupsSequence = [Dataset() for _ in range(4)]
    for index, group in enumerate(data.PerFrameFunctionalGroupsSequence):
        group.PlanePositionSequence = [Dataset()]
        group.PlanePositionSequence[0].ImagePositionPatient = [0, 0, index]
    data.save_as(tmp_path / "enhanced.dcm", enforce_file_format=True)
    (series,), errors = opened(tmp_path / "enhanced.dcm")
    assert errors == []
    assert (series.kind, series.frames, len(series.sources)) == ("volume", 4, 1)
