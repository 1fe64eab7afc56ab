"""A drag with the right button windows the image: what is on screen changes, and 0 brings back the window it was opened with."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QImage, QMouseEvent
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from app.main_window import MainWindow
from app.viewer.scene import Role

RIGHT, NONE = Qt.MouseButton.RightButton, Qt.MouseButton.NoButton


def drag(pane: QWidget, by: QPoint) -> None:
    """Press the right button in the middle, move, release."""
    start = pane.rect().center()
    steps = (
        (QEvent.Type.MouseButtonPress, start, RIGHT, RIGHT),
        (QEvent.Type.MouseMove, start + by / 2, NONE, RIGHT),
        (QEvent.Type.MouseMove, start + by, NONE, RIGHT),
        (QEvent.Type.MouseButtonRelease, start + by, RIGHT, NONE),
    )
    for kind, at, button, held in steps:
        event = QMouseEvent(
            kind, QPointF(at), QPointF(pane.mapToGlobal(at)), button, held, Qt.KeyboardModifier.NoModifier
        )
        QApplication.sendEvent(pane, event)


def brightness(window: MainWindow) -> float:
    image = window.viewer.grab_image().convertToFormat(QImage.Format.Format_Grayscale8)
    return float(np.frombuffer(image.constBits(), np.uint8).mean())


def test_right_drag_windows_and_0_resets(window: MainWindow, qtbot: QtBot) -> None:
    opened, before = window.viewer.view.window, brightness(window)
    drag(window.viewer._panes[Role.ORIGINAL], QPoint(0, -150))
    assert window.viewer.view.window.center < opened.center, "dragging up brightens: the centre falls"
    assert brightness(window) > before
    qtbot.keyClick(window, Qt.Key.Key_0)
    assert window.viewer.view.window == opened
    assert abs(brightness(window) - before) < 0.5
