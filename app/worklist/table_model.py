"""The worklist as a Qt model: pages of rows as the store gave them. Asks for more by a signal; never queries the store itself."""

from __future__ import annotations

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal
from PySide6.QtGui import QColor

from app import appearance
from app.state.worklist_query import Page, WorklistQuery
from app.worklist.columns import COLUMNS
from engine.store.rows import NEEDS_READING, WorklistRow

ROW_ROLE = Qt.ItemDataRole.UserRole + 1
"""The whole `WorklistRow` of an index, for delegates."""

Index = QModelIndex | QPersistentModelIndex


class WorklistModel(QAbstractTableModel):
    """Signals:
    more_wanted(): the view scrolled to the end of what is loaded.
    """

    more_wanted = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.query = WorklistQuery()
        self.rows: list[WorklistRow] = []
        self.total = 0
        self._asked_for_more = False

    def show_page(self, page: Page) -> bool:
        """Take a page. Its first page replaces what is loaded; later ones are appended.

        True when rows came, went or moved, so that the view must find its selection again.
        """
        self._asked_for_more = False
        self.total = page.total
        if page.offset and page.query == self.query:
            return self._append(page)
        if page.query != self.query:
            self.query = page.query
            self.headerDataChanged.emit(Qt.Orientation.Horizontal, 0, len(COLUMNS) - 1)
        same_order = [row.study_uid for row in page.rows] == [row.study_uid for row in self.rows]
        if same_order:
            self._update(page.rows)
            return False
        self.beginResetModel()
        self.rows = list(page.rows)
        self.endResetModel()
        return True

    def row_of(self, study_uid: str) -> int:
        """Index of the row of a study, -1 when it is not loaded."""
        return next((i for i, row in enumerate(self.rows) if row.study_uid == study_uid), -1)

    def _append(self, page: Page) -> bool:
        known = {row.study_uid for row in self.rows}
        new = [row for row in page.rows if row.study_uid not in known]
        if new:
            self.beginInsertRows(QModelIndex(), len(self.rows), len(self.rows) + len(new) - 1)
            self.rows.extend(new)
            self.endInsertRows()
        return False

    def _update(self, rows: tuple[WorklistRow, ...]) -> None:
        for i, row in enumerate(rows):
            if row != self.rows[i]:
                self.rows[i] = row
                self.dataChanged.emit(self.index(i, 0), self.index(i, len(COLUMNS) - 1))

    def rowCount(self, parent: Index | None = None) -> int:
        """Rows loaded so far."""
        return 0 if parent is not None and parent.isValid() else len(self.rows)

    def columnCount(self, parent: Index | None = None) -> int:
        """Qt's own."""
        return 0 if parent is not None and parent.isValid() else len(COLUMNS)

    def canFetchMore(self, parent: Index) -> bool:
        """True while the store has more."""
        return not parent.isValid() and not self._asked_for_more and len(self.rows) < self.total

    def fetchMore(self, parent: Index) -> None:
        """Ask for the next page; it comes when the store has answered."""
        if self.canFetchMore(parent):
            self._asked_for_more = True
            self.more_wanted.emit()

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Text, tool tip, colours and alignment of one cell."""
        if not index.isValid() or index.row() >= len(self.rows):
            return None
        row, column = self.rows[index.row()], COLUMNS[index.column()]
        if role == Qt.ItemDataRole.DisplayRole:
            return column.text(row)
        if role == Qt.ItemDataRole.ToolTipRole:
            return column.tip(row)
        if role == ROW_ROLE:
            return row
        if role == Qt.ItemDataRole.ForegroundRole:
            return QColor(_colour(row, column.name))
        return None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Headings, and what sorting by them does."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        column = COLUMNS[section]
        if role == Qt.ItemDataRole.DisplayRole:
            arrow = ("↓" if self.query.descending else "↑") if column.name == self.query.order else ""
            return f"{column.heading} {arrow}".strip()
        if role == Qt.ItemDataRole.ToolTipRole:
            meaning = (
                "Percentile of the model's normal cohort" if column.name == "percentile" else column.heading or "Status"
            )
            return f"{meaning}: click to sort"
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        return None


def _colour(row: WorklistRow, column: str) -> str:
    """What is still to be read stands out; what is read steps back."""
    if column == "read_state":
        return appearance.verdict_colour(row.read_state)
    if column == "patient_name":
        return appearance.TEXT if row.read_state in NEEDS_READING else appearance.TEXT_QUIET
    return appearance.TEXT_QUIET if row.read_state in NEEDS_READING else appearance.TEXT_FAINT
