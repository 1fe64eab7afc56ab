"""The reading: three buttons with their keys, a note, and what was said so far. Emits the verdict; stores nothing."""

from __future__ import annotations

from datetime import datetime

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QPushButton, QVBoxLayout, QWidget

from app import appearance
from app.results.labels import text
from app.results.wording import RESEARCH_NOTICE
from engine.store.rows import NEEDS_READING, ReadingRow, ReadState, Verdict, WorklistRow

LONGEST_NOTE = 500

CHOICES: tuple[tuple[Verdict, str, str], ...] = (
    ("abnormal", "Abnormal", "A"),
    ("unsure", "Unsure", "S"),
    ("normal", "Normal", "D"),
)


class VerdictBar(QWidget):
    """Signals:
    verdict(str): "abnormal", "unsure" or "normal".
    note_left(): Escape in the note; Enter is the window's.
    """

    verdict = Signal(str)
    note_left = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.said = text("", appearance.TEXT_QUIET)
        self.note = QLineEdit()
        self.note.setPlaceholderText("Note   T")
        self.note.setToolTip("Words that are kept with the reading  (T); Enter leaves the box")
        self.note.setMaxLength(LONGEST_NOTE)
        self.note.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        leave = QShortcut(QKeySequence("Esc"), self.note, context=Qt.ShortcutContext.WidgetShortcut)
        leave.activated.connect(self.note_left)
        self._drafts: dict[str, str] = {}
        self._study_uid = self._saved_note = ""
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
        column.addWidget(self.note)
        column.addLayout(line)
        column.addWidget(notice)

    def show_reading(self, row: WorklistRow | None, readings: list[ReadingRow]) -> None:
        """How the study stands."""
        state = "unread" if row is None else row.read_state
        self._show_note(row, readings)
        self.said.setText("" if row is None else reading_words(row, readings))
        self.said.setVisible(row is not None)
        for name, button in self.buttons.items():
            button.setEnabled(row is not None)
            button.setChecked(name == state)

    def take_note(self) -> str:
        """The words to be kept with the reading that is now saved."""
        self._drafts.pop(self._study_uid, None)
        return self.note.text().strip()

    def _show_note(self, row: WorklistRow | None, readings: list[ReadingRow]) -> None:
        """What was typed of this study and not yet saved, else the note of its reading; typing is never overwritten."""
        uid = "" if row is None else row.study_uid
        self.note.setEnabled(bool(uid))
        saved = "" if row is None else saved_note(row, readings)
        if uid == self._study_uid:
            if self.note.text() == self._saved_note:
                self.note.setText(saved)
        else:
            if self._study_uid and self.note.text() != self._saved_note:
                self._drafts[self._study_uid] = self.note.text()
            self.note.setText(self._drafts.get(uid, saved))
        self._study_uid, self._saved_note = uid, saved


def saved_note(row: WorklistRow, readings: list[ReadingRow]) -> str:
    """The note of the reading that holds."""
    return readings[-1].note if readings and row.read_state not in NEEDS_READING else ""


def reading_words(row: WorklistRow, readings: list[ReadingRow]) -> str:
    """ "Read as normal by kim, 09:41 today. The model does not flag it: you agree." """
    if row.read_state == "unread" or not readings:
        return "Unread. Do you see an abnormality?"
    last = readings[-1]
    by = f" by {last.reader}" if last.reader else ""
    if row.read_state == "outdated":
        note = f" “{last.note}”" if last.note else ""
        return f"Read as {last.verdict}{by}, {_when(last.read_at)}, before its images changed: read it again.{note}"
    return f"Read as {row.read_state}{by}, {_when(last.read_at)}.{_agreement(row.read_state, row)}"


def _agreement(read_state: ReadState, row: WorklistRow) -> str:
    if row.percentile is None or read_state == "unsure":
        return ""
    same = (read_state == "abnormal") == row.flagged
    model = "flags it" if row.flagged else "does not flag it"
    return f" The model {model}: you {'agree' if same else 'disagree'}."


def _when(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds)
    return f"{moment:%H:%M} today" if moment.date() == datetime.now().date() else f"{moment:%Y-%m-%d %H:%M}"
