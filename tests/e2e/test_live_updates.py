"""Scores that arrive from another process: rows move, selection and scroll stay with the reader, and the overlay appears."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pydicom
from pytestqt.qtbot import QtBot

from app.main_window import MainWindow
from engine.imaging.series import Series


def test_selection_stays_on_its_study_when_rows_move(window: MainWindow, score: Callable[[MainWindow], None]) -> None:
    adler = next(row for row in window.worklist.model.rows if row.patient_name == "Adler^Ida")
    window.worklist.select(adler.study_uid)
    score(window)
    current = window.worklist.table.currentIndex().row()
    assert window.worklist.model.rows[current].study_uid == adler.study_uid
    assert window.reading.session.study_uid == adler.study_uid


def test_overlay_appears_when_the_open_study_is_scored(
    window: MainWindow, score: Callable[[MainWindow], None], qtbot: QtBot
) -> None:
    engel = next(row for row in window.worklist.model.rows if row.patient_name == "Engel^Eva")
    window.worklist.select(engel.study_uid)
    assert not window.viewer.action("overlay").isEnabled()
    score(window)
    qtbot.waitUntil(lambda: window.viewer.action("overlay").isEnabled(), timeout=10000)


def test_score_again_queues_a_scored_study_anew(
    window: MainWindow, score: Callable[[MainWindow], None], qtbot: QtBot
) -> None:
    engel = next(row for row in window.worklist.model.rows if row.patient_name == "Engel^Eva")
    window.worklist.select(engel.study_uid)
    score(window)
    qtbot.waitUntil(lambda: window.store.counts().queued == 0, timeout=10000)
    window.commands["retry"].trigger()
    qtbot.waitUntil(lambda: window.store.counts().queued == 1, timeout=10000)
    # what the superseded result showed is off the screen until there is a new one
    qtbot.waitUntil(lambda: not window.viewer.action("overlay").isEnabled(), timeout=10000)


def test_an_open_image_whose_file_changes_is_shown_as_it_is_now_and_without_the_old_heatmap(
    window: MainWindow, archive: Path, score: Callable[[MainWindow], None], qtbot: QtBot
) -> None:
    score(window)
    engel = next(row for row in window.worklist.model.rows if row.patient_name == "Engel^Eva")
    window.worklist.select(engel.study_uid)
    qtbot.waitUntil(window.viewer.action("overlay").isEnabled, timeout=10000)
    before = window.viewer.grab_image()
    dataset = pydicom.dcmread(archive / "chest4.dcm")
    dataset.PixelData = bytes(len(dataset.PixelData))
    dataset.save_as(archive / "chest4.dcm")
    window.open_paths([str(archive / "chest4.dcm")])
    qtbot.waitUntil(lambda: window.store.counts().queued == 1, timeout=10000)
    qtbot.waitUntil(lambda: not window.viewer.action("overlay").isEnabled(), timeout=10000)
    middle = before.rect().center()
    assert before.pixelColor(middle).red() > 50
    qtbot.waitUntil(lambda: window.viewer.grab_image().pixelColor(middle).red() < 5, timeout=10000)


def test_scroll_stays_when_studies_arrive(empty_window: MainWindow, qtbot: QtBot) -> None:
    window = empty_window
    window.worklist.filter.take_order("patient_name", descending=True)
    window.store.add_series(study(number) for number in range(200))
    qtbot.waitUntil(lambda: len(window.worklist.model.rows) == 200)
    window.worklist.select(window.worklist.model.rows[150].study_uid)
    row = window.worklist.model.row_of(window.worklist.current)
    place = window.worklist.table.rowViewportPosition(row)
    window.store.add_series(study(number) for number in range(200, 240))
    qtbot.waitUntil(lambda: len(window.worklist.model.rows) == 240)
    moved = window.worklist.model.row_of(window.worklist.current)
    assert moved != row, "the new studies were to come above the selected one"
    assert abs(window.worklist.table.rowViewportPosition(moved) - place) <= 1


def study(number: int) -> Series:
    return Series(
        key=f"1.2.{number}",
        study_uid=f"1.1.{number}",
        series_uid=f"1.2.{number}",
        kind="radiograph",
        format="dicom",
        sources=(f"/archive/{number}.dcm",),
        patient_name=f"Patient^{number:04}",
        modality="CR",
    )
