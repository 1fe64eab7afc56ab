"""A reading by one key: saved in the store with who read it, and on to the next unread study; U takes it back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from app import store_writes
from app.main_window import MainWindow
from engine.errors import StorageUnavailable


@pytest.mark.parametrize(
    ("key", "verdict"), [(Qt.Key.Key_A, "abnormal"), (Qt.Key.Key_S, "unsure"), (Qt.Key.Key_D, "normal")]
)
def test_one_key_saves_the_reading_and_goes_on(
    window: MainWindow, score: Callable[[MainWindow], None], qtbot: QtBot, key: Qt.Key, verdict: str
) -> None:
    score(window)
    window.worklist.select(window.worklist.model.rows[0].study_uid)
    read, following = (row.study_uid for row in window.worklist.model.rows[:2])
    qtbot.keyClick(window, key)
    assert window.reading.session.study_uid == following
    qtbot.waitUntil(lambda: len(window.store.readings_of(read)) == 1)
    reading = window.store.readings_of(read)[0]
    assert (reading.verdict, reading.reader) == (verdict, "tester")
    qtbot.waitUntil(lambda: window.worklist.row(read).read_state == verdict)  # type: ignore[union-attr]


def test_take_back_returns_to_the_study_as_it_was(window: MainWindow, qtbot: QtBot) -> None:
    read = window.reading.session.study_uid
    qtbot.keyClick(window, Qt.Key.Key_A)
    qtbot.waitUntil(lambda: window.store.study(read).read_state == "abnormal")  # type: ignore[union-attr]
    qtbot.keyClick(window, Qt.Key.Key_U)
    assert window.reading.session.study_uid == read
    qtbot.waitUntil(lambda: window.store.study(read).read_state == "unread")  # type: ignore[union-attr]
    assert [reading.verdict for reading in window.store.readings_of(read)] == ["abnormal", "unread"]


def test_next_unread_passes_over_what_is_read(window: MainWindow, qtbot: QtBot) -> None:
    rows = window.worklist.model.rows
    window.worklist.select(rows[0].study_uid)
    window.store.add_reading(rows[1].study_uid, "normal")
    qtbot.waitUntil(lambda: window.worklist.model.rows[1].read_state == "normal")
    qtbot.keyClick(window, Qt.Key.Key_N)
    assert window.reading.session.study_uid == rows[2].study_uid


def test_reading_given_just_before_closing_is_not_lost(window: MainWindow, qtbot: QtBot) -> None:
    read = window.reading.session.study_uid
    qtbot.keyClick(window, Qt.Key.Key_D)
    window.close()
    assert [reading.verdict for reading in window.store.readings_of(read)] == ["normal"]


def test_a_reading_on_a_full_disk_is_said_not_to_be_saved_and_is_saved_when_there_is_room(
    window: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_writes, "AGAIN_MILLISECONDS", 50)
    add_reading, full = window.store.add_reading, [True]

    def add_if_there_is_room(*reading: str) -> None:
        if full:
            raise StorageUnavailable("the disk is full", where="/data", cure="Free some space and try again")
        add_reading(*reading)  # type: ignore[arg-type]

    monkeypatch.setattr(window.store, "add_reading", add_if_there_is_room)
    read = window.reading.session.study_uid
    qtbot.keyClick(window, Qt.Key.Key_A)
    qtbot.waitUntil(lambda: "Not saved yet" in window.status.doing.text(), timeout=5000)
    assert window.problems.table.item(0, 1).text() == "The disk is full."
    window.close()
    assert window.isVisible() and "close again to leave without it" in window.status.doing.text()
    full.clear()
    qtbot.waitUntil(lambda: "Everything is saved" in window.status.doing.text(), timeout=5000)
    assert [reading.verdict for reading in window.store.readings_of(read)] == ["abnormal"]
    window.close()
    assert not window.isVisible(), "nothing keeps it open any more"


def test_reading_says_whether_reader_and_model_agree(
    window: MainWindow, score: Callable[[MainWindow], None], qtbot: QtBot
) -> None:
    score(window)
    flagged = window.worklist.model.rows[0]
    window.worklist.select(flagged.study_uid)
    assert flagged.flagged
    window.settings.open_after_verdict = False
    qtbot.keyClick(window, Qt.Key.Key_D)
    qtbot.waitUntil(lambda: "you disagree" in window.results.readings.said.text())


def test_a_note_is_typed_by_key_and_kept_with_the_reading(window: MainWindow, qtbot: QtBot) -> None:
    read = window.reading.session.study_uid
    window.settings.open_after_verdict = False
    note = window.results.readings.note
    qtbot.keyClick(window, Qt.Key.Key_T)
    qtbot.waitUntil(note.hasFocus)
    qtbot.keyClicks(note, "Dans, apex")  # letters that are commands elsewhere
    assert window.store.readings_of(read) == []
    qtbot.keyClick(note, Qt.Key.Key_Return)
    assert not note.hasFocus()
    qtbot.keyClick(window, Qt.Key.Key_S)
    qtbot.waitUntil(lambda: len(window.store.readings_of(read)) == 1)
    assert (window.store.readings_of(read)[0].verdict, window.store.readings_of(read)[0].note) == (
        "unsure",
        "Dans, apex",
    )


def test_the_note_of_a_study_that_is_read_is_changed_by_enter_alone(window: MainWindow, qtbot: QtBot) -> None:
    read = window.reading.session.study_uid
    window.store.add_reading(read, "abnormal", "left apex")
    note = window.results.readings.note
    qtbot.waitUntil(lambda: note.text() == "left apex")
    qtbot.keyClick(window, Qt.Key.Key_T)
    qtbot.keyClicks(note, " and base")
    qtbot.keyClick(note, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: len(window.store.readings_of(read)) == 2)
    last = window.store.readings_of(read)[-1]
    assert (last.verdict, last.note) == ("abnormal", "left apex and base")


def test_a_note_that_was_not_saved_waits_for_its_study_and_is_never_anothers(window: MainWindow, qtbot: QtBot) -> None:
    first, second = (row.study_uid for row in window.worklist.model.rows[:2])
    window.worklist.select(first)
    note = window.results.readings.note
    qtbot.keyClick(window, Qt.Key.Key_T)
    qtbot.keyClicks(note, "half a thought")
    window.worklist.select(second)
    assert note.text() == ""
    window.worklist.select(first)
    assert note.text() == "half a thought"


def test_a_study_whose_images_changed_is_to_be_read_again(
    window: MainWindow, archive: Path, score: Callable[[MainWindow], None], qtbot: QtBot
) -> None:
    score(window)
    film = archive / "chest1.dcm"
    read = next(row for row in window.worklist.model.rows if row.patient_name == "Brandt^Olof").study_uid
    window.worklist.select(read)
    window.store.add_reading(read, "normal", "", "kim")
    dataset = pydicom.dcmread(film)
    dataset.PixelData = bytes(255 - byte for byte in dataset.PixelData)
    dataset.save_as(film)
    window.open_paths([str(film)])
    qtbot.waitUntil(lambda: window.worklist.row(read).read_state == "outdated", timeout=10000)  # type: ignore[union-attr]
    qtbot.waitUntil(lambda: "before its images changed" in window.results.readings.said.text(), timeout=10000)
    assert not any(button.isChecked() for button in window.results.readings.buttons.values())
    window.worklist.select(next(row.study_uid for row in window.worklist.model.rows if row.study_uid != read))
    for row in window.worklist.model.rows:
        if row.study_uid != read:
            window.store.add_reading(row.study_uid, "normal")
    qtbot.waitUntil(lambda: sum(row.read_state == "normal" for row in window.worklist.model.rows) == 5)
    qtbot.keyClick(window, Qt.Key.Key_N)
    assert window.reading.session.study_uid == read
