"""What could not be opened or done, a line each: which file, what is wrong, what helps. Shows; retries nothing."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from app import appearance
from app.state.problems import Problem, ProblemList
from app.tab_stops import reach_with_tab

MOST_LINES_SHOWN = 6
_LINE_HEIGHT = appearance.ROW_HEIGHT - 2


class ProblemsPanel(QWidget):
    """Signals:
    count_changed(int): how many problems are listed.
    hide_wanted(): the reader is done with it.
    """

    count_changed = Signal(int)
    hide_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.problems = ProblemList()
        self.title = QLabel()
        self.title.setFont(appearance.font(bold=True))
        clear, hide = QPushButton("Clear"), QPushButton("Hide")
        clear.setToolTip("Empty this list")
        hide.setToolTip("Hide this list; it stays in the status bar  (F6)")
        for button in (clear, hide):
            reach_with_tab(button)
        clear.clicked.connect(self.clear)
        hide.clicked.connect(self.hide_wanted)
        self.table = QTableWidget(0, 3)
        self._set_up_table()
        bar = QHBoxLayout()
        bar.addWidget(self.title, 1)
        bar.addWidget(clear)
        bar.addWidget(hide)
        column = QVBoxLayout(self)
        column.setContentsMargins(appearance.GAP, 6, appearance.GAP, 4)
        column.setSpacing(4)
        column.addLayout(bar)
        column.addWidget(self.table, 1)
        self._retitle()

    def sizeHint(self) -> QSize:
        """As high as its lines, up to `MOST_LINES_SHOWN`."""
        lines = min(max(self.table.rowCount(), 1), MOST_LINES_SHOWN)
        return QSize(600, 62 + lines * _LINE_HEIGHT)

    def add(self, problem: Problem) -> bool:
        """List a problem; False when it is listed already."""
        if not self.problems.add(problem):
            self._retitle()
            return False
        row = self.table.rowCount()
        self.table.insertRow(row)
        for column, words in enumerate((_file_name(problem.where), _sentence(problem.what), _sentence(problem.cure))):
            item = QTableWidgetItem(words)
            item.setToolTip(problem.where if column == 0 else words)
            item.setForeground(QColor(appearance.ERROR if column == 1 else appearance.TEXT_QUIET))
            self.table.setItem(row, column, item)
        self.table.scrollToBottom()
        self.updateGeometry()
        self._retitle()
        return True

    def clear(self) -> None:
        """Forget all."""
        self.problems.clear()
        self.table.setRowCount(0)
        self._retitle()
        self.hide_wanted.emit()

    def _set_up_table(self) -> None:
        table = self.table
        table.setHorizontalHeaderLabels(["File", "What is wrong", "What helps"])
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(_LINE_HEIGHT)
        header = table.horizontalHeader()
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setHighlightSections(False)
        table.setColumnWidth(0, 260)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(2, QHeaderView.ResizeMode.Stretch)
        table.setShowGrid(False)
        table.setWordWrap(False)
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        table.setTabKeyNavigation(False)

    def _retitle(self) -> None:
        count = len(self.problems.items)
        words = "1 problem" if count == 1 else f"{count:,} problems"
        if self.problems.left_out:
            words += f" ({self.problems.left_out:,} more are not listed)"
        self.title.setText(words)
        self.count_changed.emit(count)


def _sentence(words: str) -> str:
    words = words.strip().rstrip(".")
    return f"{words[:1].upper()}{words[1:]}." if words else ""


def _file_name(where: str) -> str:
    """The last two parts of a path: enough to find the file, short enough for a column."""
    return "/".join(where.replace("\\", "/").rstrip("/").split("/")[-2:]) or "–"
