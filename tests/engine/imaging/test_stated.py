"""What a table says of an image fills what its file leaves open; a file's own tag is never overruled, and a contradiction is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.errors import NormascopeError
from engine.imaging.discovery import open_study
from engine.imaging.series import Series
from engine.imaging.terms import age_in_years, age_string, region_of, same_part, same_view

GREY = np.arange(256, dtype=np.uint16).reshape(16, 16)
Opened = Callable[[str], tuple[list[Series], list[NormascopeError]]]


@pytest.fixture
def opened(tmp_path: Path) -> Opened:
    """What a table, written beside the files, makes of them."""

    def read(text: str) -> tuple[list[Series], list[NormascopeError]]:
        (tmp_path / "cohort.csv").write_text(text)
        errors: list[NormascopeError] = []
        return list(open_study(tmp_path / "cohort.csv", on_error=errors.append)), errors

    return read


def test_a_picture_is_what_its_table_says(tmp_path: Path, opened: Opened) -> None:
    for name in ("a.png", "b.png"):
        Image.fromarray(GREY.astype(np.uint8)).save(tmp_path / name)
    (first, second), _ = opened(
        "path,Body_Part,view,modality,sex,age\na.png,XR_WRIST,pa,X-ray,female,57\nb.png,,,,unknown,414\n"
    )
    assert (first.body_part, first.view, first.modality, first.sex, first.age) == ("WRIST", "PA", "DX", "F", "057Y")
    assert (second.body_part, second.view, second.modality, second.sex, second.age) == ("", "", "", "", "")
    assert first.warnings == second.warnings == ()


def test_a_files_own_tags_win_and_what_they_leave_open_is_filled(
    write_radiograph: Callable[..., Path], opened: Opened
) -> None:
    write_radiograph(GREY, "a.dcm", BodyPartExamined="THORAX", ViewPosition="PA", PatientAge="057Y", PatientSex="")
    found, errors = opened("path,body_part,view,sex,age\na.dcm,chest,AP,M,33\n")
    assert not errors
    (film,) = found
    assert (film.body_part, film.view, film.sex, film.age) == ("THORAX", "PA", "M", "057Y")
    assert film.warnings == (
        "The table says view AP, and the file PA: the file is believed.",
        "The table says age 033Y, and the file 057Y: the file is believed.",
    )


def test_words_for_the_same_are_no_contradiction(write_radiograph: Callable[..., Path], opened: Opened) -> None:
    write_radiograph(GREY, "a.dcm", Modality="CR", BodyPartExamined="CHEST", ViewPosition="AP", PatientAge="057Y")
    found, errors = opened("path,body_part,view,modality,age\na.dcm,Lungs,frontal,radiograph,58\n")
    assert not errors and found[0].warnings == () and found[0].modality == "CR"


def test_a_row_of_another_body_part_or_modality_is_not_believed_and_costs_its_image_alone(
    write_radiograph: Callable[..., Path], opened: Opened
) -> None:
    for name in ("a.dcm", "b.dcm", "c.dcm"):
        write_radiograph(GREY, name, Modality="DX", BodyPartExamined="CHEST")
    found, errors = opened("path,label,body_part,modality\na.dcm,normal,hand,\nb.dcm,normal,,CT\nc.dcm,normal,chest,\n")
    assert [Path(series.path).name for series in found] == ["c.dcm"]
    assert [(error.kind, Path(str(error.where)).name) for error in errors] == [
        ("CohortRejected", "a.dcm"),
        ("CohortRejected", "b.dcm"),
    ]
    assert "the table says body part HAND, and the file CHEST" in str(errors[0]) and errors[0].cure


def test_a_tag_that_names_a_limb_alone_is_told_more_by_the_table(
    write_radiograph: Callable[..., Path], opened: Opened
) -> None:
    write_radiograph(GREY, "a.dcm", BodyPartExamined="UPPER LIMB")
    write_radiograph(GREY, "b.dcm", BodyPartExamined="WRIST")
    write_radiograph(GREY, "c.dcm", BodyPartExamined="EXTREMITY")
    found, errors = opened("path,body_part\na.dcm,wrist\nb.dcm,extremity\nc.dcm,chest\n")
    assert [series.body_part for series in found] == ["WRIST", "WRIST"]
    assert [Path(str(error.where)).name for error in errors] == ["c.dcm"]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("57", "057Y"),
        ("57.0", "057Y"),
        ("057Y", "057Y"),
        ("9M", "009M"),
        ("0.5", "006M"),
        ("5.5", "005Y"),
        ("0", "000Y"),
    ],
)
def test_ages_are_written_as_dicom_writes_them(written: str, meant: str) -> None:
    assert age_string(written) == meant
    assert age_in_years(age_string(written)) is not None


@pytest.mark.parametrize("written", ["", "?", "414", "-3", "nan", "1e9", "adult"])
def test_what_is_no_age_is_none(written: str) -> None:
    assert age_string(written) == ""


def test_terms_of_one_region_or_view_are_the_same() -> None:
    assert region_of("Thorax") == "CHEST" and region_of("") == ""
    assert same_part("UPPER ARM", "upper_arm") and not same_part("KNEE", "ANKLE")
    assert same_view("frontal", "AP") and same_view("LL", "LATERAL") and not same_view("AP", "PA")
