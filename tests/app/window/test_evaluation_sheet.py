"""What an evaluation wrote is seen in the window: figures in words and every picture the report draws; a folder without one is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from app.main_window import MainWindow
from app.state.settings import Settings
from app.window.evaluation_sheet import EvaluationSheet, evaluation_figures, evaluation_pictures
from engine.errors import StorageUnavailable
from engine.store import Store

NAMES = "split background_log_posterior histogram_ssim roc gallery_lowest gallery_highest reconstructions top_cases groups localisation comparison"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """As `trainers.evaluate` leaves one."""
    made = tmp_path / "report"
    made.mkdir()
    for name in NAMES.split():
        Image.new("RGB", (120, 60), "white").save(made / f"{name}.png")
    metric = {"auroc": 0.8123, "auroc_ci95": [0.7, 0.9], "n_normal": 40, "n_abnormal": 20}
    (made / "metrics.json").write_text(json.dumps({"log_posterior": metric}))
    return made


def test_every_picture_of_a_report_has_words_and_a_place(folder: Path) -> None:
    assert {file.stem for _, file in evaluation_pictures(folder)} == set(NAMES.split())
    assert evaluation_pictures(folder)[0][1].stem == "roc"


def test_the_sheet_says_the_figures_and_shows_the_chosen_picture(folder: Path, qtbot: QtBot) -> None:
    sheet = EvaluationSheet(folder)
    qtbot.addWidget(sheet)
    sheet.show()
    said = " ".join(label.text() for label in sheet.findChildren(QLabel))
    assert "AUROC 0.812 (0.700 to 0.900), 40 normal, 20 abnormal" in said and "not a diagnosis" in said
    assert sheet.list.count() == len(NAMES.split())
    assert not sheet.picture.pixmap().isNull() and sheet.picture.pixmap().width() == 2 * sheet.picture.pixmap().height()
    (folder / "gallery_highest.png").write_bytes(b"")
    sheet.list.setCurrentRow(2)
    assert "cannot be read" in sheet.picture.text()


def test_a_folder_without_an_evaluation_is_a_problem_in_words(tmp_path: Path, qtbot: QtBot) -> None:
    (tmp_path / "metrics.json").write_text("[1]")
    with pytest.raises(StorageUnavailable, match="no evaluation in this folder"):
        evaluation_figures(tmp_path)
    store = Store(None, tmp_path / "data")
    window = MainWindow(store, Settings())
    qtbot.addWidget(window)
    window.show_evaluation(tmp_path)
    assert not window.problems.isHidden()
    window.close()
    store.close()
