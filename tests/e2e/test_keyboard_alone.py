"""What a mouse can press, Tab and Space can: filters, model cards, and naming a model. Space is the heatmap's key everywhere else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QPushButton, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from app.main_window import MainWindow


def go_to(qtbot: QtBot, window: MainWindow, wanted: Callable[[QWidget], bool]) -> QWidget:
    """Press Tab until what is wanted has the keys."""
    window.worklist.table.setFocus()
    for _ in range(40):
        qtbot.keyClick(QApplication.focusWidget() or window, Qt.Key.Key_Tab)
        focused = QApplication.focusWidget()
        if focused is not None and wanted(focused):
            return focused
    raise AssertionError("Tab never comes there")


def test_space_opens_the_model_card_that_tab_has_reached_and_leaves_the_heatmap(
    window: MainWindow, score: Callable[[MainWindow], None], qtbot: QtBot
) -> None:
    score(window)
    window.worklist.select(window.worklist.model.rows[0].study_uid)
    qtbot.waitUntil(
        lambda: any(
            button.text() == "Model card" for button in window.results.findChildren(QToolButton) if button.isVisible()
        )
    )
    card = go_to(qtbot, window, lambda found: isinstance(found, QToolButton) and found.text() == "Model card")
    qtbot.keyClick(card, Qt.Key.Key_Space)
    assert isinstance(card, QToolButton) and card.isChecked()
    assert not window.viewer.view.overlay.on


def test_a_quick_filter_is_chosen_without_a_mouse(window: MainWindow, qtbot: QtBot) -> None:
    choice = go_to(qtbot, window, lambda found: found is window.worklist.filter.modality)
    qtbot.keyClick(choice, Qt.Key.Key_Down)
    qtbot.waitUntil(lambda: {row.modality for row in window.worklist.model.rows} == {"CR"})


def test_a_model_is_named_without_a_mouse(empty_window: MainWindow, tmp_path: Path, qtbot: QtBot) -> None:
    window = empty_window
    Image.fromarray(np.tile(np.arange(200, dtype=np.uint8), (200, 1))).save(tmp_path / "film.png")
    with qtbot.waitSignal(window.viewer.shown, timeout=15000):
        window.open_paths([str(tmp_path / "film.png")])
    button = go_to(qtbot, window, lambda found: isinstance(found, QPushButton) and found.text() == "Score with it")
    qtbot.keyClick(button, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: window.store.counts().queued == 1)
