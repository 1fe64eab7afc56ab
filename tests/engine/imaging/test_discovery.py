"""Whatever is opened becomes one series a display set; what cannot be becomes one error, and the rest goes on."""

from __future__ import annotations

import codecs
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset

from engine.errors import ImpossibleSpacing, UnreadableImage
from engine.imaging import sources
from engine.imaging.discovery import natural_order, open_study
from engine.imaging.series import Series
from tests.engine.imaging.test_nifti import write_nifti
from tests.engine.imaging.written_slices import GREY, Opened, Write, slices


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


def test_a_slice_is_looked_into_once(write_radiograph: Write, opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    slices(write_radiograph, "ct", [0, 1, 2])
    looked: list[str] = []
    real = sources.read_start

    def watched(source: str, size: int) -> bytes:
        looked.append(Path(source).name)
        return real(source, size)

    monkeypatch.setattr(sources, "read_start", watched)
    (series,), _ = opened(write_radiograph(GREY, "ct/report.dcm", Modality="SR").parent)
    assert (series.frames, len(looked), len(set(looked))) == (3, 4, 4)


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


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-8-sig", "latin-1"])
def test_a_table_is_read_as_excel_saves_unicode_text_too(
    tmp_path: Path, write_radiograph: Write, opened: Opened, encoding: str
) -> None:
    write_radiograph(GREY, "1.dcm")
    mark = codecs.BOM_UTF16_BE if encoding == "utf-16-be" else b""
    text = "path\tpatient_id\tlabel\r\n1.dcm\tM\u00fcller\tnormal\r\n"
    (tmp_path / "cohort.csv").write_bytes(mark + text.encode(encoding))
    found, errors = opened(tmp_path / "cohort.csv")
    assert [(one.patient_id, one.label) for one in found] == [("M\u00fcller", "normal")] and not errors


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
    (tmp_path / "round.dcm").symlink_to(tmp_path / "round.dcm")
    found, errors = opened(tmp_path)
    assert (len(found), len(errors)) == (1, 2)


def test_a_film_of_impossible_spacing_is_handed_over_with_one_error_and_a_volume_is_not_asked(
    write_radiograph: Write, opened: Opened
) -> None:
    path = write_radiograph(GREY, PixelSpacing=[5000, 5000], ImagerPixelSpacing=[0, 0])
    write_radiograph(GREY, "sound.dcm", PixelSpacing=[0.2, 0.2])
    slices(write_radiograph, "ct", [0, 1, 2], PixelSpacing=[5000, 5000])
    found, (error,) = opened(path.parent)
    assert [series.kind for series in found] == ["radiograph", "radiograph", "volume"]
    assert isinstance(error, ImpossibleSpacing) and error.where == str(path)
    assert "PixelSpacing of 5000 x 5000 mm" in error.what and "ImagerPixelSpacing of 0 x 0 mm" in error.what
    assert next(series for series in found if series.path == str(path)).load_radiograph().spacing is None


def test_an_impossible_spacing_is_found_in_functional_groups_in_archives_and_in_nifti(
    tmp_path: Path, write_radiograph: Write, opened: Opened
) -> None:
    measures, groups = Dataset(), Dataset()
    measures.PixelSpacing = [5000, 5000]
    groups.PixelMeasuresSequence = [measures]
    film = write_radiograph(np.stack([GREY, GREY]), NumberOfFrames=2, SharedFunctionalGroupsSequence=[groups])
    inside = shutil.make_archive(
        str(tmp_path / "study"), "zip", write_radiograph(GREY, "one/a.dcm", PixelSpacing=[0, 0]).parent
    )
    nifti = write_nifti(
        tmp_path / "a.nii", np.zeros((5, 6), np.int16), sform=[[9000.0, 0, 0, 0], [0, 8000.0, 0, 0], [0, 0, 3.0, 0]]
    )
    for path, spacing in ((film, "5000 x 5000"), (inside, "0 x 0"), (nifti, "8000 x 9000")):
        (series,), (error,) = opened(path)
        assert isinstance(error, ImpossibleSpacing) and error.where == series.sources[0] and spacing in error.what
