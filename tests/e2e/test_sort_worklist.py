"""Most abnormal first; a click on a heading sorts by it, a second click turns the order round."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPoint, Qt
from pytestqt.qtbot import QtBot

from app.main_window import MainWindow
from app.worklist.columns import COLUMNS


def click_heading(window: MainWindow, qtbot: QtBot, name: str) -> None:
    section = next(i for i, column in enumerate(COLUMNS) if column.name == name)
    header = window.worklist.table.horizontalHeader()
    at = QPoint(header.sectionViewportPosition(section) + 20, header.height() // 2)
    qtbot.mouseClick(header.viewport(), Qt.MouseButton.LeftButton, pos=at)


def test_most_abnormal_first(window: MainWindow, score: Callable[[MainWindow], None]) -> None:
    score(window)
    assert [row.patient_name.split("^")[0] for row in window.worklist.model.rows] == [
        "Engel",
        "Dahl",
        "Castro",
        "Brandt",
        "Adler",
        "Falk",
    ]


def test_heading_sorts_and_turns_round(window: MainWindow, qtbot: QtBot) -> None:
    click_heading(window, qtbot, "patient_name")
    qtbot.waitUntil(lambda: window.worklist.model.rows[0].patient_name == "Adler^Ida")
    click_heading(window, qtbot, "patient_name")
    qtbot.waitUntil(lambda: window.worklist.model.rows[0].patient_name == "Falk^Per")
    heading = window.worklist.model.headerData(2, Qt.Orientation.Horizontal)
    assert heading == "Patient ↓"
