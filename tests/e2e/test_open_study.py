"""What is opened is on screen: rows in the worklist, the first study's pixels in the image, its patient in the results."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from pytestqt.qtbot import QtBot

from app.main_window import MainWindow


def greys(image: QImage) -> np.ndarray:
    grey = image.convertToFormat(QImage.Format.Format_Grayscale8)
    return np.frombuffer(grey.constBits(), np.uint8).reshape(grey.height(), grey.bytesPerLine())[:, : grey.width()]


def test_first_study_is_shown_without_a_click(window: MainWindow) -> None:
    assert window.panes.image_is_shown
    assert window.worklist.model.row_of(window.reading.session.study_uid) == 0, (
        "nothing has a score: the top of the list"
    )
    assert greys(window.viewer.grab_image()).std() > 20, "the canvas shows no image"
    row = window.worklist.row(window.reading.session.study_uid)
    assert row is not None
    assert window.results.header.name.text() == row.patient_name.replace("^", ", ")


def test_selecting_another_study_changes_the_image(window: MainWindow, qtbot: QtBot) -> None:
    before = window.reading.session.series_key
    with qtbot.waitSignal(window.viewer.shown, timeout=10000):
        qtbot.keyClick(window.worklist.table, Qt.Key.Key_J)
    assert window.reading.session.series_key != before
    assert window.viewer.series is not None
    assert window.viewer.series.key == window.reading.session.series_key


def test_empty_window_says_what_to_do(empty_window: MainWindow) -> None:
    assert not empty_window.panes.image_is_shown
    assert "Drop a folder" in empty_window.panes.empty.title.text()


@pytest.mark.parametrize("name", ["Adler", "Falk"])
def test_enter_gives_the_keys_to_the_image(window: MainWindow, qtbot: QtBot, name: str) -> None:
    row = next(row for row in window.worklist.model.rows if row.patient_name.startswith(name))
    window.worklist.select(row.study_uid)
    qtbot.keyClick(window.worklist.table, Qt.Key.Key_Return)
    assert window.viewer.hasFocus()
