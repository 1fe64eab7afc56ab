"""Space switches the heatmap on and off. Until then, the patient's image is all that is on screen, and it has no colour."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from pytestqt.qtbot import QtBot

from app.main_window import MainWindow


def coloured_pixels(window: MainWindow) -> int:
    image = window.viewer.grab_image().convertToFormat(QImage.Format.Format_RGB32)
    pixels = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.width(), 4)[..., :3].astype(int)
    return int((pixels.max(-1) - pixels.min(-1) > 60).sum())


def test_space_toggles_the_heatmap(window: MainWindow, score: Callable[[MainWindow], None], qtbot: QtBot) -> None:
    score(window)
    window.worklist.select(window.worklist.model.rows[0].study_uid)
    overlay = window.viewer.action("overlay")
    qtbot.waitUntil(overlay.isEnabled, timeout=10000)
    if overlay.isChecked():
        qtbot.keyClick(window, Qt.Key.Key_Space)
    plain = coloured_pixels(window)
    qtbot.keyClick(window, Qt.Key.Key_Space)
    assert overlay.isChecked()
    qtbot.waitUntil(lambda: coloured_pixels(window) > plain + 200)
    qtbot.keyClick(window, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: coloured_pixels(window) == plain)


def test_heatmap_of_one_study_is_never_drawn_on_the_next(
    window: MainWindow, score: Callable[[MainWindow], None], qtbot: QtBot
) -> None:
    score(window)
    window.worklist.select(window.worklist.model.rows[0].study_uid)
    qtbot.waitUntil(window.viewer.action("overlay").isEnabled, timeout=10000)
    ct = next(row for row in window.worklist.model.rows if row.modality == "CT")
    window.worklist.select(ct.study_uid)
    qtbot.waitUntil(lambda: window.viewer.view.slice_count == 9, timeout=10000)
    assert not window.viewer.action("overlay").isEnabled()
