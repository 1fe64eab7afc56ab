"""The demo from inside the window: made in a process of its own, its progress said, then opened; a failure is a problem with a cure."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from app.main_window import MainWindow
from app.window import opening

COPY = """
import shutil, sys, time
print("1 of 6", flush=True)
shutil.copytree({archive!r}, sys.argv[1])
"""


def test_demo_is_made_and_opened(
    empty_window: MainWindow, archive: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "MAKE_DEMO", COPY.format(archive=str(archive)))
    said: list[str] = []
    empty_window.opening.progress.connect(said.append)
    qtbot.keyClick(empty_window, Qt.Key.Key_D, Qt.KeyboardModifier.ControlModifier)
    assert "sample cohort" in empty_window.panes.empty.title.text()
    qtbot.waitUntil(lambda: len(empty_window.worklist.model.rows) == 6, timeout=20000)
    assert any("1 of 6" in words for words in said), said


def test_demo_that_cannot_be_made_is_a_problem(
    empty_window: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "MAKE_DEMO", "raise SystemExit('the disk is full')")
    empty_window.commands["open_demo"].trigger()
    qtbot.waitUntil(lambda: empty_window.problems.table.rowCount() == 1, timeout=20000)
    assert "the disk is full" in empty_window.problems.table.item(0, 1).text()
    assert "Drop a folder" in empty_window.panes.empty.title.text()
