"""Files that nobody takes for an image are counted, named a few, and never an error; what lies there for the computer's sake goes unmentioned."""

from __future__ import annotations

import zipfile
from pathlib import Path

from engine.imaging.discovery import open_study
from engine.imaging.passed_over import PassedOver
from tests.engine.imaging.written_slices import GREY, Write


def test_documents_are_told_and_desktop_leftovers_are_not(tmp_path: Path, write_radiograph: Write) -> None:
    folder = write_radiograph(GREY, "study/film.dcm").parent
    for name in ("report.pdf", "notes.txt", "ORDERS", ".DS_Store", "Thumbs.db", "DICOMDIR", "LICENSE"):
        (folder / name).write_text("some words")
    told: list[str] = []
    assert len(list(open_study(folder, on_passed_over=told.append))) == 1
    assert sorted(told) == [str(folder / name) for name in ("ORDERS", "notes.txt", "report.pdf")]


def test_an_archives_documents_are_told_too(tmp_path: Path, write_radiograph: Write) -> None:
    with zipfile.ZipFile(tmp_path / "study.zip", "w") as archive:
        archive.write(write_radiograph(GREY, "film.dcm"), "a/film.dcm")
        archive.writestr("a/report.pdf", "%PDF")
        archive.writestr("__MACOSX/report.pdf", "x")
    told: list[str] = []
    assert len(list(open_study(tmp_path / "study.zip", on_passed_over=told.append))) == 1
    assert told == [f"{tmp_path / 'study.zip'}!/a/report.pdf"]


def test_in_words() -> None:
    passed_over = PassedOver()
    assert passed_over.in_words() == ""
    passed_over.add("/a/report.pdf")
    assert passed_over.in_words() == "1 file passed over, no image: report.pdf"
    for number in range(4):
        passed_over.add(f"/a/{number}.txt")
    assert passed_over.in_words() == "5 files passed over, no images: report.pdf, 0.txt, 1.txt and 2 more"
