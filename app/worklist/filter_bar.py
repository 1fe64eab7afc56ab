"""The filter above the worklist: words as you type, and three quick choices. Says what is wanted; never asks the store."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QSignalBlocker, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QLineEdit, QVBoxLayout, QWidget

from app import appearance
from app.state.worklist_query import Page, WorklistQuery
from app.tab_stops import reach_with_tab
from app.worklist.columns import STATUS_WORDS

TYPING_PAUSE = 60
"""Milliseconds after the last key before the store is asked."""

_READ_CHOICES = (
    ("Read or not", ""),
    ("Unread", "unread"),
    ("Abnormal", "abnormal"),
    ("Normal", "normal"),
    ("Unsure", "unsure"),
    ("Outdated", "outdated"),
)


class FilterBox(QLineEdit):
    """Typed words. Down goes to the table, Escape empties the box and then leaves it."""

    left = Signal()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Qt's own."""
        if event.key() == Qt.Key.Key_Down:
            self.left.emit()
        elif event.key() == Qt.Key.Key_Escape:
            if self.text():
                self.clear()
            else:
                self.left.emit()
        else:
            super().keyPressEvent(event)


class FilterBar(QWidget):
    """Signals:
    changed(WorklistQuery): other studies are wanted.
    left(): the reader is done typing and wants the table.
    """

    changed = Signal(object)
    left = Signal()

    def __init__(self, query: WorklistQuery, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._query = query
        self.box = FilterBox(query.text)
        self.box.setPlaceholderText("Filter by name, ID, part, date …   /")
        self.box.setToolTip("Type any part of a name, identifier, body part, description or date  (/)")
        self.box.setClearButtonEnabled(True)
        self.modality = self._choice("Modality", [("All modalities", "")])
        statuses = [
            ("Any status", ""),
            *((words.rstrip("…").capitalize(), name) for name, words in STATUS_WORDS.items()),
        ]
        self.status = self._choice("Scoring status", statuses)
        self.read = self._choice("Reading", list(_READ_CHOICES))
        self.count = QLabel()
        self.count.setStyleSheet(f"color: {appearance.TEXT_FAINT};")
        self._lay_out()
        self._pause = QTimer(self, singleShot=True, interval=TYPING_PAUSE)
        self._pause.timeout.connect(self._tell)
        self.box.textChanged.connect(lambda: self._pause.start())
        self.box.left.connect(self.left)

    def take_order(self, order: str, *, descending: bool) -> None:
        """The reader clicked a heading."""
        self._query = self._query.ordered_by(order, descending=descending)
        self._tell()

    def show_page(self, page: Page) -> None:
        """How many studies match, and which modalities there are to choose from."""
        noun = "study" if page.everything == 1 else "studies"
        self.count.setText(
            f"{page.total:,} of {page.everything:,}" if page.query.filtered else f"{page.everything:,} {noun}"
        )
        have = [self.modality.itemData(i) for i in range(1, self.modality.count())]
        if have != list(page.modalities):
            chosen = self.modality.currentData()
            with QSignalBlocker(self.modality):
                self.modality.clear()
                self.modality.addItem("All modalities", "")
                for name in page.modalities:
                    self.modality.addItem(name, name)
                self.modality.setCurrentIndex(max(self.modality.findData(chosen), 0))

    def _choice(self, name: str, choices: list[tuple[str, str]]) -> QComboBox:
        made = QComboBox()
        made.setAccessibleName(name)
        made.setToolTip(f"{name}: show only these studies")
        for words, value in choices:
            made.addItem(words, value)
        made.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        made.setMinimumContentsLength(6)
        reach_with_tab(made, policy=Qt.FocusPolicy.StrongFocus)
        made.currentIndexChanged.connect(lambda _: self._tell())
        return made

    def _lay_out(self) -> None:
        first = QHBoxLayout()
        first.addWidget(self.box, 1)
        first.addWidget(self.count)
        first.setSpacing(appearance.GAP)
        second = QHBoxLayout()
        second.setSpacing(4)
        for choice in (self.modality, self.status, self.read):
            second.addWidget(choice, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(appearance.GAP, appearance.GAP, appearance.GAP, 6)
        column.setSpacing(6)
        column.addLayout(first)
        column.addLayout(second)

    def _tell(self) -> None:
        self._pause.stop()
        self._query = replace(
            self._query,
            text=self.box.text().strip(),
            modality=self.modality.currentData() or "",
            status=self.status.currentData() or "",
            read_state=self.read.currentData() or "",
        )
        self.changed.emit(self._query)
