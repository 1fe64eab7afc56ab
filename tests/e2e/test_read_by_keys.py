"""A reading by one key: saved in the store with who read it, and on to the next unread study; U takes it back."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from app.main_window import MainWindow


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
