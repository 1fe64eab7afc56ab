"""The reading: three buttons with their keys, and what was said so far. Emits the verdict; stores nothing."""

from __future__ import annotations

from datetime import datetime

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from app import appearance
from app.results.labels import text
from app.results.wording import RESEARCH_NOTICE
from engine.store.rows import ReadingRow, ReadState, Verdict, WorklistRow

CHOICES: tuple[tuple[Verdict, str, str], ...] = (
    ("abnormal", "Abnormal", "A"),
    ("unsure", "Unsure", "S"),
    ("normal", "Normal", "D"),
)


class VerdictBar(QWidget):
    """Signals:
    verdict(str): "abnormal", "unsure" or "normal".
    """

    verdict = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.said = text("", appearance.TEXT_QUIET)
        self.buttons: dict[str, QPushButton] = {}
        line = QHBoxLayout()
        line.setSpacing(6)
        for name, words, key in CHOICES:
            button = QPushButton(f"{words}   {key}")
            button.setToolTip(
                f"Read this study as {name} and go on to the next unread  ({QKeySequence(key).toString()})"
            )
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            button.setCheckable(True)
            colour = appearance.verdict_colour(name)
            button.setStyleSheet(
                f"QPushButton {{ padding: 6px 4px; }}"
                f"QPushButton:hover {{ border-color: {colour}; }}"
                f"QPushButton:checked {{ color: {colour}; border-color: {colour}; background: {appearance.WINDOW}; }}"
            )
            button.clicked.connect(lambda _, said=name: self.verdict.emit(said))
            self.buttons[name] = button
            line.addWidget(button, 1)
        notice = text(RESEARCH_NOTICE, appearance.TEXT_QUIET, appearance.SMALL_PIXELS)
        notice.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 8, 12, 8)
        column.setSpacing(6)
        column.addWidget(self.said)
        column.addLayout(line)
        column.addWidget(notice)

    def show_reading(self, row: WorklistRow | None, readings: list[ReadingRow]) -> None:
        """How the study stands."""
        state = "unread" if row is None else row.read_state
        self.said.setText("" if row is None else reading_words(row, readings))
        self.said.setVisible(row is not None)
        for name, button in self.buttons.items():
            button.setEnabled(row is not None)
            button.setChecked(name == state)


def reading_words(row: WorklistRow, readings: list[ReadingRow]) -> str:
    """ "Read as normal by kim, 09:41 today. The model does not flag it: you agree." """
    if row.read_state == "unread" or not readings:
        return "Unread. Do you see an abnormality?"
    last = readings[-1]
    by = f" by {last.reader}" if last.reader else ""
    note = f" “{last.note}”" if last.note else ""
    return f"Read as {row.read_state}{by}, {_when(last.read_at)}.{note}{_agreement(row.read_state, row)}"


def _agreement(read_state: ReadState, row: WorklistRow) -> str:
    if row.percentile is None or read_state == "unsure":
        return ""
    same = (read_state == "abnormal") == row.flagged
    model = "flags it" if row.flagged else "does not flag it"
    return f" The model {model}: you {'agree' if same else 'disagree'}."


def _when(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds)
    return f"{moment:%H:%M} today" if moment.date() == datetime.now().date() else f"{moment:%Y-%m-%d %H:%M}"
