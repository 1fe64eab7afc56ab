"""From a scored study to what its model takes for normal, with a real shipped model, by keys; leaving the window while it draws."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton, QToolButton
from pytestqt.qtbot import QtBot

from app.main_window import MainWindow
from app.window.drawing_sheet import DrawingSheet
from engine.models import shelf
from engine.models.card import Applicability
from engine.models.shelf import InstalledBundle


@pytest.fixture
def bundle() -> InstalledBundle:
    """A shipped model that reads the archive's chests, whatever their age."""
    shipped = shelf.find("chest-paediatric-alpha-gan")
    reads = Applicability(modality=("CR", "DX"), body_part=("CHEST",))
    return replace(shipped, card=shipped.card.model_copy(update={"applicability": reads}))


@pytest.fixture
def sheet(window: MainWindow, score: Callable[[MainWindow], None], qtbot: QtBot) -> DrawingSheet:
    """Opened from the model's card by keys."""
    score(window)
    window.worklist.select(window.worklist.model.rows[0].study_uid)

    def cards() -> list[QToolButton]:
        found = window.results.findChildren(QToolButton)
        return [button for button in found if button.text() == "Model card" and button.isVisible()]

    qtbot.waitUntil(lambda: bool(cards()))
    qtbot.keyClick(cards()[0], Qt.Key.Key_Space)
    [button] = [b for b in window.results.findChildren(QPushButton) if b.text() == "Show what it takes for normal"]
    assert button.focusPolicy() == Qt.FocusPolicy.TabFocus
    qtbot.keyClick(button, Qt.Key.Key_Space)
    [opened] = window.findChildren(DrawingSheet)
    return opened


def test_a_scored_study_leads_to_the_images_and_esc_leads_back(
    sheet: DrawingSheet, window: MainWindow, qtbot: QtBot
) -> None:
    assert sheet.isVisible() and sheet.height() < window.height() and sheet.width() < window.width()
    qtbot.waitUntil(lambda: sheet.view.page is not None, timeout=60000)
    qtbot.keyClick(sheet, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: not window.findChildren(DrawingSheet))
    assert not window.problems.isVisible()


def test_the_window_may_be_left_while_a_model_draws(sheet: DrawingSheet, window: MainWindow) -> None:
    process = sheet.process
    assert process.running
    window.close()
    assert not process.running


def test_a_model_that_was_removed_meanwhile_is_said_to_be_gone(window: MainWindow) -> None:
    window.results.drawing_wanted.emit("0" * 16)
    assert not window.findChildren(DrawingSheet)
    assert "not installed any more" in window.status.doing.text()
