"""A series' fingerprint follows its content: another after any change, the same after a move."""

from __future__ import annotations

import os
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

GREY = np.arange(64 * 48, dtype=np.uint16).reshape(64, 48)


@pytest.fixture
def write_slices(write_radiograph: Any) -> Any:
    def write(folder: str, count: int) -> None:
        for index in range(count):
            write_radiograph(
                GREY, f"{folder}/{index}.dcm", Modality="CT", StudyInstanceUID="1.2", SeriesInstanceUID="1.2.3",
                SOPInstanceUID=f"1.2.3.{index}", ImagePositionPatient=[0, 0, index],
                ImageOrientationPatient=[1, 0, 0, 0, 1, 0], PixelSpacing=[1, 1],
            )  # fmt: skip

    return write


def the_fingerprint(opened: Any, path: Path) -> str:
    ((series,), errors) = opened(path)
    assert errors == []
    assert len(series.fingerprint) == 16
    return str(series.fingerprint)


def test_a_picture_that_was_overwritten_is_another(tmp_path: Path, opened: Any) -> None:
    file = tmp_path / "film.png"
    Image.fromarray(np.zeros((20, 30), np.uint8)).save(file)
    before = the_fingerprint(opened, file)
    assert the_fingerprint(opened, file) == before
    Image.fromarray(np.full((20, 30), 255, np.uint8)).save(file)
    os.utime(file, ns=(10**18, 10**18))
    assert the_fingerprint(opened, file) != before


def test_a_ct_that_arrives_in_parts_is_another_until_it_is_whole(
    tmp_path: Path, write_slices: Any, opened: Any
) -> None:
    write_slices("ct", 4)
    half = the_fingerprint(opened, tmp_path / "ct")
    write_slices("ct", 6)
    assert the_fingerprint(opened, tmp_path / "ct") != half


def test_the_same_dicom_elsewhere_or_in_an_archive_is_the_same(tmp_path: Path, write_slices: Any, opened: Any) -> None:
    write_slices("ct", 4)
    before = the_fingerprint(opened, tmp_path / "ct")
    shutil.copytree(tmp_path / "ct", tmp_path / "elsewhere", copy_function=shutil.copyfile)
    for index in range(4):  # in another order of file names
        (tmp_path / "elsewhere" / f"{index}.dcm").rename(tmp_path / "elsewhere" / f"x{9 - index}.dcm")
    with zipfile.ZipFile(tmp_path / "ct.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for file in (tmp_path / "ct").iterdir():
            archive.write(file, file.name)
    assert the_fingerprint(opened, tmp_path / "elsewhere") == before
    assert the_fingerprint(opened, tmp_path / "ct.zip") == before


def test_a_twin_of_the_same_uid_and_size_is_another(tmp_path: Path, write_radiograph: Any, opened: Any) -> None:
    uids = {"StudyInstanceUID": "1.2", "SeriesInstanceUID": "1.3", "SOPInstanceUID": "1.4"}
    write_radiograph(GREY, "here/film.dcm", **uids)
    write_radiograph(GREY[::-1], "there/film.dcm", **uids)
    assert the_fingerprint(opened, tmp_path / "here") != the_fingerprint(opened, tmp_path / "there")


def test_pictures_in_an_archive_are_told_by_their_check_sum(tmp_path: Path, opened: Any) -> None:
    found = []
    for value in (b"\x00", b"\x07"):
        Image.frombytes("L", (20, 30), value * 600).save(tmp_path / "film.bmp")
        Image.open(tmp_path / "film.bmp").save(tmp_path / "film.png", compress_level=0)
        with zipfile.ZipFile(tmp_path / "film.zip", "w") as archive:
            archive.writestr(zipfile.ZipInfo("film.png"), (tmp_path / "film.png").read_bytes())
        found.append(the_fingerprint(opened, tmp_path / "film.zip"))
    assert found[0] != found[1]
