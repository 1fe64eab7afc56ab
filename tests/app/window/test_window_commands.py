"""Every command has a key that no other has, words, and an icon that exists; the key sheet lists them all."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication, QEvent
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from app.icons import draw_icon
from app.main_window import MainWindow
from app.state.settings import Settings
from app.window.key_sheet import KeySheet
from app.window.window_commands import COMMANDS
from engine.store import Store

WITHOUT_KEY = {"restart_engine", "about"}


@pytest.fixture
def window(qtbot: QtBot, tmp_path: Path):  # type: ignore[no-untyped-def]
    store = Store(None, tmp_path)
    made = MainWindow(store, Settings())
    yield made
    made.close()
    made.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    store.close()


def test_no_key_means_two_things(window: MainWindow) -> None:
    actions = [*window.commands.values(), *window.viewer.actions()]
    keys = Counter(key.toString() for action in actions for key in action.shortcuts())
    assert [key for key, count in keys.items() if count > 1] == []


def test_every_command_has_a_key_and_shows_it(window: MainWindow) -> None:
    for command in COMMANDS:
        if command.name in WITHOUT_KEY:
            continue
        assert command.keys, f"{command.words} has no key"
        shown = QKeySequence(command.keys[0]).toString(QKeySequence.SequenceFormat.NativeText)
        assert shown in window.commands[command.name].toolTip()


def test_every_icon_exists(window: MainWindow) -> None:
    for command in COMMANDS:
        assert not draw_icon(command.icon, "#ffffff").isNull()


def test_key_sheet_lists_commands_of_window_image_and_mouse(window: MainWindow, qtbot: QtBot) -> None:
    sheet = KeySheet(window.viewer.actions())
    qtbot.addWidget(sheet)
    said = [label.text() for label in sheet.findChildren(QLabel)]
    for words in ("Next unread", "Abnormal", "Heatmap", "Wheel", "Right drag"):
        assert any(words in text for text in said), f"{words} is not on the sheet"


def test_all_commands_can_be_reached_by_menu(window: MainWindow) -> None:
    listed = {action for menu in window.menuBar().actions() for action in menu.menu().actions()}
    assert set(window.commands.values()) <= listed
    assert {action for action in window.viewer.actions() if action.property("group")} <= listed
