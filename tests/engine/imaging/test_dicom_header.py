"""Headers say the same whichever way they are read, and hold what real files write in unusual ways."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ImplicitVRLittleEndian

from engine.errors import UnreadableImage
from engine.imaging import dicom_fallback
from engine.imaging.dicom_header import frame_headers, read_header
from engine.imaging.discovery import open_study
from engine.imaging.image_header import IMPLICIT_LITTLE_ENDIAN

GREY = np.arange(64 * 48, dtype=np.uint16).reshape(64, 48)


def test_the_lean_walk_and_pydicom_read_the_same_headers(pydicom_files: Path) -> None:
    compared = 0
    for path in sorted(pydicom_files.rglob("*")):
        if not path.is_file():
            continue
        try:
            lean = read_header(str(path))
        except UnreadableImage:
            continue
        full, _ = dicom_fallback.read_with_pydicom(str(path))
        for field in dataclasses.fields(lean):
            if field.name not in ("modality_lut", "start_checksum"):
                assert getattr(lean, field.name) == getattr(full, field.name), (path.name, field.name)
        compared += 1
    assert compared > 130


def test_a_plain_file_is_read_without_pydicom(
    write_radiograph: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_radiograph(GREY, BodyPartExamined="CHEST", ViewPosition="PA")
    monkeypatch.setattr(dicom_fallback, "read_with_pydicom", lambda source: pytest.fail("asked pydicom"))
    header = read_header(str(path))
    assert (header.rows, header.columns, header.modality, header.body_part, header.view) == (
        64,
        48,
        "DX",
        "CHEST",
        "PA",
    )


def test_pixel_data_behind_a_header_longer_than_the_first_read_is_found(write_radiograph: Callable[..., Path]) -> None:
    path = write_radiograph(GREY, EncapsulatedDocument=b"\1" * 600_000, ImageComments="x" * 9000)
    header = read_header(str(path))
    stored = np.frombuffer(path.read_bytes(), "<u2", GREY.size, header.pixel_offset)
    assert np.array_equal(stored, GREY.ravel())


def test_a_file_without_preamble_and_meta_header_is_read(
    tmp_path: Path, radiograph_dataset: Callable[..., Dataset]
) -> None:
    data = radiograph_dataset(GREY, PatientID="bare")
    buffer = io.BytesIO()
    data.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    pydicom.dcmwrite(buffer, data, implicit_vr=True, little_endian=True, force_encoding=True)
    whole = buffer.getvalue()
    bare = tmp_path / "bare"
    start = whole.index(b"\x08\x00\x16\x00")
    bare.write_bytes(whole[start:])
    header = read_header(str(bare))
    assert (header.patient_id, header.rows, header.transfer_syntax) == ("bare", 64, IMPLICIT_LITTLE_ENDIAN)
    assert np.array_equal(np.frombuffer(bare.read_bytes(), "<u2", GREY.size, header.pixel_offset), GREY.ravel())


@pytest.mark.parametrize(
    ("character_set", "name"),
    [("ISO_IR 192", "Müller^Zoë"), ("ISO_IR 100", "Åström^Bo"), (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎")],
)
def test_patient_names_are_decoded_in_their_character_set(
    write_radiograph: Callable[..., Path], character_set: object, name: str
) -> None:
    path = write_radiograph(GREY, SpecificCharacterSet=character_set, PatientName=name)
    assert read_header(str(path)).patient_name == name.split("=")[0]


@pytest.mark.parametrize(("written", "said"), [("20040119", "2004-01-19"), ("2004.01.19", "2004-01-19"), ("0000", "")])
def test_study_dates_are_iso_or_absent(write_radiograph: Callable[..., Path], written: str, said: str) -> None:
    path = write_radiograph(GREY, StudyDate="20000101")
    path.write_bytes(path.read_bytes().replace(b"DA\x08\x0020000101", b"DA" + _short(written)))
    assert read_header(str(path)).study_date == said


def _short(text: str) -> bytes:
    padded = text + " " * (len(text) % 2)
    return len(padded).to_bytes(2, "little") + padded.encode()


def test_patient_orientation_reaches_the_film_and_nonsense_does_not(write_radiograph: Callable[..., Path]) -> None:
    film = next(iter(open_study(write_radiograph(GREY, PatientOrientation=["L", "F"]))))
    assert film.load_radiograph().patient_orientation == ("L", "F")
    assert read_header(str(write_radiograph(GREY, PatientOrientation=["LEFT", "X"]))).patient_orientation == ("", "")


@pytest.mark.parametrize(
    ("tags", "age"),
    [
        ({"PatientBirthDate": "19600301", "StudyDate": "20240229"}, "063Y"),
        ({"PatientBirthDate": "20221231", "StudyDate": "20240229"}, "013M"),
        ({"PatientBirthDate": "19600301", "StudyDate": "20240229", "PatientAge": "064Y"}, "064Y"),
        ({"PatientBirthDate": "20300301", "StudyDate": "20240229"}, ""),
        ({"StudyDate": "20240229"}, ""),
    ],
)
def test_age_follows_from_the_birth_date_where_it_is_not_stated(
    write_radiograph: Callable[..., Path], tags: dict[str, str], age: str
) -> None:
    """Models of children must not take an adult whose file gives only a birth date."""
    assert read_header(str(write_radiograph(GREY, **tags))).age == age


def test_laterality_of_the_image_comes_before_that_of_the_series(write_radiograph: Callable[..., Path]) -> None:
    assert read_header(str(write_radiograph(GREY, Laterality="R", ImageLaterality="L"))).laterality == "L"
    assert read_header(str(write_radiograph(GREY, Laterality="R"))).laterality == "R"
    assert read_header(str(write_radiograph(GREY, ImageLaterality="B"))).laterality == ""


def test_body_part_and_view_are_taken_from_codes_when_the_plain_tags_are_empty(
    write_radiograph: Callable[..., Path],
) -> None:
    region, view = Dataset(), Dataset()
    region.CodeValue, region.CodingSchemeDesignator, region.CodeMeaning = "T-D3000", "SRT", "Chest"
    view.CodeValue, view.CodingSchemeDesignator, view.CodeMeaning = "R-10214", "SRT", "postero-anterior"
    path = write_radiograph(GREY, AnatomicRegionSequence=Sequence([region]), ViewCodeSequence=Sequence([view]))
    header = read_header(str(path))
    assert (header.body_part, header.view) == ("CHEST", "PA")


def test_a_slope_of_zero_and_numbers_that_are_none_do_not_blank_the_picture(
    write_radiograph: Callable[..., Path],
) -> None:
    path = write_radiograph(GREY, RescaleSlope="0", RescaleIntercept="0", WindowCenter="40", WindowWidth="0")
    header = read_header(str(path))
    assert header.slope == 1
    assert header.windows == ()


def test_each_frame_of_an_enhanced_image_has_its_own_place_and_rescale(
    tmp_path: Path, radiograph_dataset: Callable[..., Dataset]
) -> None:
    frames = np.arange(3 * 16 * 16, dtype=np.uint16).reshape(3, 16, 16)
    data = radiograph_dataset(frames, Modality="CT", NumberOfFrames=3)
    data.SharedFunctionalGroupsSequence = [Dataset()]
    shared = data.SharedFunctionalGroupsSequence[0]
    shared.PixelMeasuresSequence = [Dataset()]
    shared.PixelMeasuresSequence[0].PixelSpacing = [0.5, 0.25]
    shared.PlaneOrientationSequence = [Dataset()]
    shared.PlaneOrientationSequence[0].ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    groups = []
    for index in range(3):
        group = Dataset()
        group.PlanePositionSequence = [Dataset()]
        group.PlanePositionSequence[0].ImagePositionPatient = [0, 0, 2.5 * index]
        group.PixelValueTransformationSequence = [Dataset()]
        group.PixelValueTransformationSequence[0].RescaleSlope = index + 1
        group.PixelValueTransformationSequence[0].RescaleIntercept = -1000
        groups.append(group)
    data.PerFrameFunctionalGroupsSequence = groups
    path = tmp_path / "enhanced.dcm"
    data.save_as(path, enforce_file_format=True)
    headers = frame_headers(str(path))
    assert [header.position for header in headers] == [(0, 0, 0), (0, 0, 2.5), (0, 0, 5.0)]
    assert [(header.slope, header.intercept, header.frame) for header in headers] == [
        (1, -1000, 0),
        (2, -1000, 1),
        (3, -1000, 2),
    ]
    assert headers[2].pixel_spacing == (0.5, 0.25)
    assert headers[0].orientation == (1, 0, 0, 0, 1, 0)


@pytest.mark.parametrize("content", [b"", b"\0" * 400, b"hello, this is no image" * 30, b"\x08\x00" * 99])
def test_what_is_not_dicom_is_refused_with_the_file_and_a_cure(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)
    with pytest.raises(UnreadableImage) as caught:
        read_header(str(path))
    assert caught.value.where == str(path)
    assert caught.value.cure
