"""Typing narrows the worklist; the quick filters too; Escape brings all studies back. The open study stays open."""

from __future__ import annotations

from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from app.main_window import MainWindow


def names(window: MainWindow) -> set[str]:
    return {row.patient_name for row in window.worklist.model.rows}


def test_typing_narrows_the_list(window: MainWindow, qtbot: QtBot) -> None:
    opened = window.reading.session.study_uid
    qtbot.keyClick(window, Qt.Key.Key_Slash)
    box = window.worklist.filter.box
    assert box.hasFocus()
    qtbot.keyClicks(box, "cast")
    qtbot.waitUntil(lambda: names(window) == {"Castro^Lia"})
    assert window.worklist.filter.count.text() == "1 of 6"
    assert window.reading.session.study_uid == opened
    qtbot.keyClick(box, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: len(names(window)) == 6)


def test_letters_that_are_commands_are_typed_in_the_filter(window: MainWindow, qtbot: QtBot) -> None:
    window.worklist.focus_filter()
    qtbot.keyClicks(window.worklist.filter.box, "adjknsu")
    assert window.worklist.filter.box.text() == "adjknsu"
    assert window.store.readings_of(window.reading.session.study_uid) == []


def test_enter_in_the_filter_opens_the_first_match(window: MainWindow, qtbot: QtBot) -> None:
    window.worklist.focus_filter()
    qtbot.keyClicks(window.worklist.filter.box, "dahl")
    qtbot.waitUntil(lambda: names(window) == {"Dahl^Nils"})
    qtbot.keyClick(window.worklist.filter.box, Qt.Key.Key_Return)
    assert window.reading.session.study_uid == window.worklist.model.rows[0].study_uid
    assert window.worklist.table.hasFocus()


def test_modality_filter_offers_what_is_there(window: MainWindow, qtbot: QtBot) -> None:
    choice = window.worklist.filter.modality
    assert [choice.itemText(i) for i in range(choice.count())] == ["All modalities", "CR", "CT"]
    choice.setCurrentIndex(2)
    qtbot.waitUntil(lambda: names(window) == {"Falk^Per"})


def test_no_match_says_so(window: MainWindow, qtbot: QtBot) -> None:
    window.worklist.focus_filter()
    qtbot.keyClicks(window.worklist.filter.box, "zzz")
    qtbot.waitUntil(lambda: not window.worklist.model.rows)
    assert not window.worklist.table.isVisible()
