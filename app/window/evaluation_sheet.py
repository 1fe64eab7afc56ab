"""What `normascope evaluate` wrote of a model, in the window: its figures and every picture the papers show of theirs. Measures and draws nothing itself."""

from __future__ import annotations

import json
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QPixmap, QResizeEvent
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLabel, QListWidget, QSizePolicy, QVBoxLayout, QWidget

from app import appearance
from app.research_use import RESEARCH_USE
from app.results.labels import text
from app.results.wording import score_title
from engine.errors import StorageUnavailable

PICTURES = (
    ("roc", "ROC curves with Youden's cut-off"),
    ("histogram_", "How each class scores"),
    ("gallery_highest", "Highest scores"),
    ("gallery_lowest", "Lowest scores"),
    ("reconstructions", "Real beside reconstruction"),
    ("top_cases", "Most abnormal cases, slices enlarged"),
    ("groups", "Findings and groups"),
    ("background_", "Score against background"),
    ("localisation", "What was marked, and the heatmap"),
    ("comparison", "Beside another model"),
    ("split", "The split by patient"),
)
"""How a file's name begins, and what it shows, in the order of reading."""


def evaluation_pictures(folder: Path) -> list[tuple[str, Path]]:
    """(what it shows, file) of each picture of an evaluation that lies in `folder`."""
    found = []
    for beginning, words in PICTURES:
        for file in sorted(folder.glob(f"{beginning}*.png")):
            score = file.stem.removeprefix(beginning) if beginning.endswith("_") else ""
            found.append((f"{words}: {score_title(score)}" if score else words, file))
    return found


def evaluation_figures(folder: Path) -> list[str]:
    """A line for each score of metrics.json.

    Raises:
        StorageUnavailable: no evaluation lies in `folder`, or it cannot be read.
    """
    file = folder / "metrics.json"
    try:
        metrics = json.loads(file.read_text(encoding="utf-8"))
        return [
            f"{score_title(name)}: AUROC {one['auroc']:.3f} ({one['auroc_ci95'][0]:.3f} to {one['auroc_ci95'][1]:.3f}), "
            f"{one['n_normal']:,} normal, {one['n_abnormal']:,} abnormal"
            for name, one in metrics.items()
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise StorageUnavailable(
            "there is no evaluation in this folder",
            where=folder,
            cure="Choose the folder that normascope evaluate wrote with --out.",
        ) from error


class _Picture(QLabel):
    """A picture as large as there is room for."""

    def __init__(self) -> None:
        super().__init__()
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setMinimumSize(240, 180)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)
        self._whole = QPixmap()

    def show_file(self, file: Path) -> None:
        self._whole = QPixmap(str(file))
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        if self._whole.isNull():
            self.setText("This picture cannot be read: evaluate the model again.")
            return
        self.setPixmap(
            self._whole.scaled(
                self.size(), Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
            )
        )


class EvaluationSheet(QDialog):
    """The figures, the list of pictures, and the one that is chosen; Esc leaves. Raises StorageUnavailable as `evaluation_figures` does."""

    def __init__(self, folder: Path, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(f"Evaluation: {folder.name}")
        self.resize(1120, 720)
        figures = evaluation_figures(folder)
        self._pictures = evaluation_pictures(folder)
        self.list = QListWidget()
        self.list.addItems([words for words, _ in self._pictures])
        self.list.setFixedWidth(280)
        self.picture = _Picture()
        self.list.currentRowChanged.connect(self._show)
        row = QHBoxLayout()
        row.addWidget(self.list)
        row.addWidget(self.picture, 1)
        column = QVBoxLayout(self)
        for line in figures:
            column.addWidget(text(line))
        column.addLayout(row, 1)
        column.addWidget(text(RESEARCH_USE, appearance.TEXT_QUIET))
        if self._pictures:
            self.list.setCurrentRow(0)
        self.list.setFocus()

    def _show(self, row: int) -> None:
        if 0 <= row < len(self._pictures):
            self.picture.show_file(self._pictures[row][1])
