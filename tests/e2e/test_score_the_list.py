"""A list is scored with one model by one command: files without tags, and studies that were here before the model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMenu
from pytestqt.qtbot import QtBot

from app.main_window import MainWindow
from app.state.settings import Settings
from engine.models import shelf
from engine.models.shelf import InstalledBundle
from engine.store import Store
from tests.cards import metric_of


@pytest.fixture(autouse=True)
def no_popup(monkeypatch: pytest.MonkeyPatch) -> None:
    """The menu is made and chosen from, but not put on screen: a display that is drawn in memory has no pop-ups, and says so."""
    monkeypatch.setattr(QMenu, "popup", lambda *_: None)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Four films without tags, two of them knees by their name."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    generator = np.random.default_rng(0)
    for name in ("chest_1", "chest_2", "knee_1", "knee_2"):
        Image.fromarray(generator.integers(0, 255, (64, 64), np.uint8)).save(folder / f"{name}.png")
    return folder


def choose(window: MainWindow, qtbot: QtBot, words: str) -> None:
    """Press the key and choose from the menu."""
    qtbot.keyClick(window, Qt.Key.Key_L)
    menu = window.worklist.findChildren(QMenu)[-1]
    next(action for action in menu.actions() if action.text() == words).trigger()
    menu.close()


def test_films_without_tags_are_scored_by_the_model_that_is_named_as_far_as_the_filter_reaches(
    empty_window: MainWindow, pictures: Path, qtbot: QtBot
) -> None:
    window = empty_window
    window.open_paths([str(pictures)])
    qtbot.waitUntil(lambda: len(window.worklist.model.rows) == 4 and not window.opening.busy, timeout=15000)
    assert window.store.counts().waiting == 0
    window.worklist.filter.box.setText("chest")
    qtbot.waitUntil(lambda: window.worklist.model.total == 2)
    window.worklist.table.setFocus()
    choose(window, qtbot, "Chest model")
    qtbot.waitUntil(lambda: "Queued 2 of 2 image series for Chest model" in window.status.doing.text(), timeout=10000)
    queued = {Path(job.series.path).name for job in window.store.claim("test/1/1", 9)}
    assert queued == {"chest_1.png", "chest_2.png"}


def test_a_model_that_came_later_is_told_of_and_scores_what_is_here(
    window: MainWindow, bundle: InstalledBundle, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    window.close()
    better = replace(bundle, hash="d" * 16, card=bundle.card.model_copy(update={"id": "better", "title": "Better"}))
    of_phantoms = bundle.card.applicability.model_copy(update={"synthetic": True})
    card = bundle.card.model_copy(update={"id": "other", "title": "Phantoms' own", "applicability": of_phantoms})
    monkeypatch.setattr(shelf, "installed", lambda **_: [better, replace(bundle, hash="e" * 16, card=card)])
    store = Store(None, tmp_path / "data")
    later = MainWindow(store, Settings())
    with qtbot.waitExposed(later):
        later.show()
    later.activateWindow()
    qtbot.waitUntil(lambda: later.opening.bundles is not None, timeout=15000)
    assert "New: Better" in later.status.doing.text(), "and no word of the model that has nothing to score here"
    queued = store.counts().queued
    choose(later, qtbot, "Every model that applies by itself")
    qtbot.waitUntil(lambda: store.counts().queued == queued + 5, timeout=10000)
    later.close()
    later.deleteLater()
    store.close()


def test_models_of_one_body_part_are_a_menu_of_their_own(
    empty_window: MainWindow, pictures: Path, bundle: InstalledBundle, qtbot: QtBot
) -> None:
    window = empty_window
    window.open_paths([str(pictures)])
    qtbot.waitUntil(lambda: len(window.worklist.model.rows) == 4 and not window.opening.busy, timeout=15000)
    second = bundle.card.model_copy(update={"id": "second", "title": "Second chest model"})
    window.reading.bundles = [*window.reading.bundles, replace(bundle, hash="d" * 16, card=second)]
    qtbot.keyClick(window, Qt.Key.Key_L)
    menu = next(menu for menu in window.worklist.findChildren(QMenu) if menu.title() == "Chest radiographs")
    assert {action.text() for action in menu.actions()} == {"Chest model", "Second chest model"}
    next(action for action in menu.actions() if action.text() == "Second chest model").trigger()
    qtbot.waitUntil(lambda: "Queued 4 of 4 image series for Second chest model" in window.status.doing.text())


def test_a_model_that_is_copied_into_the_folder_of_models_is_there_without_a_new_start(
    window: MainWindow, bundle: InstalledBundle, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    monkeypatch.setattr(shelf, "user_folder", lambda: folder)
    better = {bundle.card.primary_score: metric_of(0.9)}
    card = bundle.card.model_copy(update={"id": "own", "title": "Our own chests", "evaluation": better})
    own = replace(bundle, hash="d" * 16, card=card)
    before = list(window.opening.bundles or [])
    monkeypatch.setattr(shelf, "installed", lambda **_: [*before, *([own] if any(folder.iterdir()) else [])])
    (folder / "own.safetensors").write_bytes(b"as large as the first part of a copy")
    qtbot.waitUntil(lambda: "New: Our own chests" in window.status.doing.text(), timeout=15000)
    assert [one.card.title for one in window.reading.bundles] == [*(one.card.title for one in before), card.title]
    (folder / "own.safetensors").unlink()
    qtbot.waitUntil(lambda: list(window.reading.bundles) == before, timeout=15000)
