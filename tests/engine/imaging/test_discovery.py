"""Whatever is opened becomes one series a display set; what cannot be becomes one error, and the rest goes on."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset

from engine.errors import NormascopeError, UnreadableImage
from engine.imaging import sources
from engine.imaging.discovery import natural_order, open_study
from engine.imaging.series import Series

GREY = np.arange(64 * 48, dtype=np.uint16).reshape(64, 48)
Opened = Callable[[str | Path], tuple[list[Series], list[NormascopeError]]]
Write = Callable[..., Path]
AXIAL = [1, 0, 0, 0, 1, 0]
CORONAL = [1, 0, 0, 0, 0, -1]


def slices(
    write: Write, folder: str, positions: list[float], series: str = "1.2.3", place: int = 2, **elements: Any
) -> None:
    """CT slices along axis `place` of patient space, named by their order."""
    for index, position in enumerate(positions):
        where = [0.0, 0.0, 0.0]
        where[place] = position
        values = {"ImageOrientationPatient": AXIAL, "PixelSpacing": [1, 1], "StudyInstanceUID": "1.2"} | elements
        write(
            GREY, f"{folder}/{index}.dcm", Modality="CT", SeriesInstanceUID=series, ImagePositionPatient=where, **values
        )


def test_a_radiograph_carries_what_the_worklist_shows(write_radiograph: Write, opened: Opened) -> None:
    path = write_radiograph(
        GREY, PatientID="77", PatientName="Doe^Jane", PatientSex="F", PatientAge="004Y", BodyPartExamined="CHEST", ViewPosition="PA",
        ImageLaterality="L", StudyDate="20240229", SeriesDescription="Thorax", StudyDescription="Chest", AccessionNumber="A1",
    )  # fmt: skip
    (series,), errors = opened(path)
    assert errors == []
    assert (series.kind, series.format, series.modality, series.rows, series.columns) == (
        "radiograph",
        "dicom",
        "DX",
        64,
        48,
    )
    assert (series.patient_id, series.patient_name, series.sex, series.age) == ("77", "Doe^Jane", "F", "004Y")
    assert (series.body_part, series.view, series.laterality, series.study_date) == ("CHEST", "PA", "L", "2024-02-29")
    assert (series.description, series.study_description, series.accession_number) == ("Thorax", "Chest", "A1")
    assert not series.synthetic
    assert Series.from_json(series.to_json()) == series


def test_only_our_own_phantoms_are_synthetic(write_radiograph: Write, opened: Opened) -> None:
    ours = {"Manufacturer": "Normascope", "ImageComments": "SYNTHETIC PHANTOM - NOT A PATIENT"}
    for elements, synthetic in (
        (ours, True),
        (ours | {"Manufacturer": "GE"}, False),
        (ours | {"ImageComments": "x"}, False),
    ):
        assert opened(write_radiograph(GREY, **elements))[0][0].synthetic == synthetic


def test_no_pixel_is_decoded_by_opening(
    write_radiograph: Write, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine.imaging import dicom_pixels

    monkeypatch.setattr(dicom_pixels, "_stored", lambda *_: pytest.fail("decoded"))
    slices(write_radiograph, "ct", [0, 1, 2])
    write_radiograph(GREY, "film.dcm")
    assert len(opened(write_radiograph(GREY).parent)[0]) == 2


def test_a_folder_is_searched_to_its_depths_and_says_only_what_matters(
    tmp_path: Path, write_radiograph: Write, opened: Opened
) -> None:
    write_radiograph(GREY, "deep/er/IM0001")
    write_radiograph(GREY, "deep/.hidden/x.dcm")
    for name in (
        "labels.csv",
        "notes.txt",
        "data.json",
        "README",
        "LICENSE",
        ".DS_Store",
        "Thumbs.db",
        "deep/DICOMDIR",
    ):
        (tmp_path / name).write_text("some words")
    (tmp_path / "ORDERS").write_text("a text without a suffix\n")
    (tmp_path / "broken.dcm").write_text("not DICOM")
    (tmp_path / "empty.dcm").touch()
    Image.fromarray(np.zeros((20, 30), np.uint8)).save(tmp_path / "film.png")
    found, errors = opened(tmp_path)
    assert [series.path for series in found] == [str(tmp_path / "film.png"), str(tmp_path / "deep/er/IM0001")]
    assert sorted(Path(str(error.where)).name for error in errors) == ["broken.dcm", "empty.dcm"]
    assert all(error.cure for error in errors)


def test_without_a_listener_the_first_error_is_raised(tmp_path: Path) -> None:
    (tmp_path / "empty.dcm").touch()
    with pytest.raises(UnreadableImage, match="empty"):
        list(open_study(tmp_path))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("missing.dcm", None, "not there"),
        ("zero.dcm", b"", "empty"),
        ("film.tif", b"II*\0" + b"x" * 50, "TIFF"),
        ("film.bmp", b"BM" + b"x" * 50, "BMP"),
        ("report.pdf", b"%PDF-1.4 ...", "PDF"),
        ("a.7z", b"7z\xbc\xaf\x27\x1c..", "7z"),
        ("a.tar", b"\0" * 257 + b"ustar" + b"\0" * 300, "tar"),
        ("a.gz", b"\x1f\x8b...", "gzip"),
        ("song.dcm", bytes(range(256)) * 8, "not an image"),
        ("words.txt", b"hello", "not an image"),
    ],
)
def test_a_file_that_was_asked_for_is_never_passed_over(
    tmp_path: Path, opened: Opened, name: str, content: bytes | None, words: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    found, errors = opened(path)
    assert found == []
    assert [(type(error), error.where) for error in errors] == [(UnreadableImage, str(path))]
    assert words in errors[0].what
    assert errors[0].cure


def test_a_folder_without_images_says_so(tmp_path: Path, opened: Opened) -> None:
    (tmp_path / "notes.txt").write_text("nothing here")
    found, errors = opened(tmp_path)
    assert (found, [error.where for error in errors]) == ([], [str(tmp_path)])


def test_what_may_not_be_read_is_an_error_and_the_rest_goes_on(
    tmp_path: Path, write_radiograph: Write, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = write_radiograph(GREY, "locked.dcm")
    write_radiograph(GREY, "open.dcm")
    real = sources.read_start

    def refuse(source: str, size: int) -> bytes:
        if source == str(locked):
            raise sources.disk_error(source, PermissionError(13, "Permission denied"))
        return real(source, size)

    monkeypatch.setattr(sources, "read_start", refuse)
    found, errors = opened(tmp_path)
    assert len(found) == 1
    assert "permission denied" in errors[0].what


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may read everything")
def test_a_locked_folder_is_an_error_and_the_rest_goes_on(
    tmp_path: Path, write_radiograph: Write, opened: Opened
) -> None:
    write_radiograph(GREY, "locked/a.dcm")
    write_radiograph(GREY, "open.dcm")
    (tmp_path / "locked").chmod(0)
    try:
        found, errors = opened(tmp_path)
    finally:
        (tmp_path / "locked").chmod(0o700)
    assert len(found) == len(errors) == 1


def test_links_that_go_round_in_a_circle_end(tmp_path: Path, write_radiograph: Write, opened: Opened) -> None:
    write_radiograph(GREY, "a/film.dcm")
    (tmp_path / "a" / "loop").symlink_to(tmp_path, target_is_directory=True)
    found, errors = opened(tmp_path)
    assert (len(found), errors) == (1, [])


def test_natural_order_counts() -> None:
    assert sorted(["IM10", "im2", "IM1"], key=natural_order) == ["IM1", "im2", "IM10"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("test-SR.dcm", "structured report"),
        ("rtstruct.dcm", "contours"),
        ("rtplan.dcm", "plan"),
        ("rtdose.dcm", "dose"),
        ("liver_1frame.dcm", "segmentation"),
        ("waveform_ecg.dcm", "electrocardiogram"),
    ],
)
def test_dicom_that_is_no_picture_is_named(pydicom_files: Path, opened: Opened, name: str, words: str) -> None:
    found, errors = opened(pydicom_files / name)
    assert found == []
    assert words in errors[0].what


def test_other_modalities_open_and_keep_their_modality(pydicom_files: Path, opened: Opened) -> None:
    for name, modality in (("examples_rgb_color.dcm", "US"), ("MR_small.dcm", "MR"), ("JPEG2000.dcm", "NM")):
        (series,), _ = opened(pydicom_files / name)
        assert (series.kind, series.modality) == ("radiograph", modality)
        assert series.load_radiograph().pixels.ndim == 2


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


def test_a_dicomdir_is_followed_and_its_missing_files_are_told(
    pydicom_files: Path, tmp_path: Path, opened: Opened
) -> None:
    medium = tmp_path / "medium"
    shutil.copytree(pydicom_files / "dicomdirtests", medium, ignore=shutil.ignore_patterns("TINY_ALPHA"))
    whole, errors = opened(medium / "DICOMDIR")
    assert errors == []
    assert len(whole) > 10
    (medium / "77654033" / "CR1" / "6154").unlink()
    fewer, errors = opened(medium / "DICOMDIR")
    assert len(fewer) == len(whole) - 1
    assert [(type(error), Path(str(error.where)).name) for error in errors] == [(UnreadableImage, "6154")]


def test_a_dicomdir_copied_in_lower_case_is_followed(pydicom_files: Path, tmp_path: Path, opened: Opened) -> None:
    for path in (pydicom_files / "dicomdirtests").rglob("*"):
        if path.is_file() and "TINY" not in str(path):
            target = tmp_path / str(path.relative_to(pydicom_files / "dicomdirtests")).lower()
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    found, errors = opened(tmp_path / "dicomdir")
    assert errors == []
    assert len(found) > 10


def test_files_without_uids_get_the_same_ones_each_time(tmp_path: Path, opened: Opened) -> None:
    for name in ("a.png", "b.png"):
        Image.fromarray(np.zeros((20, 30), np.uint8)).save(tmp_path / name)
    first, second = opened(tmp_path)[0]
    assert first.key == opened(tmp_path / "a.png")[0][0].key
    assert first.study_uid.startswith("2.25.")
    assert len({first.key, second.key, first.study_uid, second.study_uid}) == 4
    assert (first.rows, first.columns, first.modality) == (20, 30, "")


def test_a_cohort_table_gives_patients_and_labels(tmp_path: Path, write_radiograph: Write, opened: Opened) -> None:
    write_radiograph(GREY, "images/1.dcm", PatientID="from the file")
    slices(write_radiograph, "images/ct", [0, 1, 2])
    Image.fromarray(np.zeros((20, 30), np.uint8)).save(tmp_path / "2.png")
    (tmp_path / "cohort.csv").write_text(
        "\ufeffpath,patient_id,label\nimages/1.dcm,A,normal\nimages\\ct,B,Abnormal\n2.png,,uncertain\ngone.png,D,normal\n,,\n"
    )
    found, errors = opened(tmp_path / "cohort.csv")
    assert [(series.kind, series.patient_id, series.label) for series in found] == [
        ("radiograph", "A", "normal"),
        ("volume", "B", "abnormal"),
        ("radiograph", "", ""),
    ]
    assert [Path(str(error.where)).name for error in errors] == ["gone.png"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("file,label\na.png,normal\n", "no column `path`"),
        ("path\n", "names no file"),
        ("", "no column"),
        ("path\n\0\n", "text table"),
    ],
)
def test_a_table_that_is_no_cohort_is_refused(tmp_path: Path, opened: Opened, content: str, words: str) -> None:
    (tmp_path / "cohort.csv").write_text(content)
    found, errors = opened(tmp_path / "cohort.csv")
    assert found == []
    assert [error.kind for error in errors] == ["CohortRejected"]
    assert words in errors[0].what


def test_a_table_with_semicolons_is_read(tmp_path: Path, write_radiograph: Write, opened: Opened) -> None:
    write_radiograph(GREY, "1.dcm")
    (tmp_path / "cohort.csv").write_text("Path;Label\n1.dcm;normal\n")
    assert [series.label for series in opened(tmp_path / "cohort.csv")[0]] == ["normal"]


@pytest.mark.timeout(10)
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_pipes_are_not_waited_for(tmp_path: Path, write_radiograph: Write, opened: Opened) -> None:
    write_radiograph(GREY, "film.dcm")
    os.mkfifo(tmp_path / "pipe.dcm")
    assert len(opened(tmp_path)[0]) == 1
    found, errors = opened(tmp_path / "pipe.dcm")
    assert found == []
    assert "neither" in errors[0].what


def test_a_link_to_nothing_is_told(tmp_path: Path, write_radiograph: Write, opened: Opened) -> None:
    write_radiograph(GREY, "film.dcm")
    (tmp_path / "gone.dcm").symlink_to(tmp_path / "nowhere.dcm")
    found, errors = opened(tmp_path)
    assert (len(found), len(errors)) == (1, 1)
