"""The wheel scrolls a CT by slices; with the keys given to the image, so do the arrow keys, and the worklist stays where it is."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.main_window import MainWindow
from app.viewer.scene import Role


@pytest.fixture
def ct(window: MainWindow, qtbot: QtBot) -> MainWindow:
    """The head CT, wholly loaded."""
    row = next(row for row in window.worklist.model.rows if row.modality == "CT")
    window.worklist.select(row.study_uid)
    qtbot.waitUntil(lambda: window.viewer.view.slice_count == 9, timeout=10000)
    return window


def test_opens_on_the_middle_slice(ct: MainWindow) -> None:
    assert ct.viewer.view.slice_index == 4


def test_wheel_scrolls_slices(ct: MainWindow, qtbot: QtBot) -> None:
    pane = ct.viewer._panes[Role.ORIGINAL]
    centre = QPointF(pane.rect().center())
    for _ in range(2):
        event = QWheelEvent(
            centre,
            QPointF(pane.mapToGlobal(centre.toPoint())),
            QPoint(0, 0),
            QPoint(0, -120),
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(pane, event)
    assert ct.viewer.view.slice_index == 6


def test_arrow_keys_scroll_slices_once_the_image_has_the_keys(ct: MainWindow, qtbot: QtBot) -> None:
    study = ct.reading.session.study_uid
    qtbot.keyClick(ct.worklist.table, Qt.Key.Key_Return)
    qtbot.keyClick(ct.viewer, Qt.Key.Key_Down)
    assert ct.viewer.view.slice_index == 5
    assert ct.reading.session.study_uid == study


def test_arrow_keys_select_studies_while_the_worklist_has_the_keys(ct: MainWindow, qtbot: QtBot) -> None:
    ct.worklist.table.setFocus()
    index = ct.worklist.model.row_of(ct.reading.session.study_uid)
    qtbot.keyClick(ct.worklist.table, Qt.Key.Key_Down if index == 0 else Qt.Key.Key_Up)
    assert ct.worklist.model.row_of(ct.reading.session.study_uid) == (1 if index == 0 else index - 1)
