"""The worklist: filter, table, and what keeps them true to the store. Reads from the store off the GUI thread; never writes to it."""

from __future__ import annotations

from collections.abc import Container

from PySide6.QtCore import QModelIndex, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QLabel, QStackedLayout, QTableView, QVBoxLayout, QWidget

from app import appearance
from app.state.settings import Settings
from app.state.worklist_query import (
    PAGE_ROWS,
    Page,
    WorklistQuery,
    fetch_page,
    first_unread_after,
    first_unread_below,
    unread_beyond,
)
from app.tasks import Task, run_task
from app.worklist.cell_painting import WorklistDelegate
from app.worklist.columns import COLUMNS
from app.worklist.filter_bar import FilterBar
from app.worklist.table_model import WorklistModel
from engine.errors import NormascopeError
from engine.store import Store
from engine.store.rows import WorklistRow

FAR_ROWS = 10 * PAGE_ROWS
"""Rows fetched at a time on the way to a study far down."""


class WorklistPanel(QWidget):
    """Signals:
    selected(str): another study is current; its study UID.
    opened(str): the reader asked for it (Enter or double click).
    failed(Exception): the store could not be read.
    refreshed(): the rows are those of the store now.
    """

    selected = Signal(str)
    opened = Signal(str)
    failed = Signal(object)
    refreshed = Signal()

    def __init__(self, store: Store, settings: Settings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self._settings = settings
        self.query = WorklistQuery().ordered_by(settings.order, descending=settings.descending)
        self.everything = 0
        self.current = ""
        self.model = WorklistModel(self)
        self.filter = FilterBar(self.query)
        self.table = _Table()
        self.table.setModel(self.model)
        self.table.setItemDelegate(WorklistDelegate(self.table))
        self._nothing = QLabel("No study matches the filter.\nPress Esc in the filter box to see all.")
        self._nothing.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._nothing.setStyleSheet(f"color: {appearance.TEXT_QUIET};")
        self._loading: Task[Page] | None = None
        self._stale = False
        self._restoring = False
        self._wanted = ""
        self._lay_out()
        self._connect()

    def refresh(self) -> None:
        """Read the rows again; while one reading is under way, once more after it."""
        if self._loading is not None and self._loading.running:
            self._stale = True
            return
        self._load(0, max(len(self.model.rows), PAGE_ROWS))

    def show_first_page(self) -> None:
        """Read and show the first page now, on this thread: for the first frame, so that the window never opens empty."""
        try:
            self._show(fetch_page(self._store, self.query, 0, PAGE_ROWS))
        except Exception as error:
            self.failed.emit(error)

    def row(self, study_uid: str) -> WorklistRow | None:
        """What is shown of a study; None when it is not loaded."""
        index = self.model.row_of(study_uid)
        return self.model.rows[index] if index >= 0 else None

    def select(self, study_uid: str) -> bool:
        """Make a study current and visible. False when it is not among the rows loaded."""
        index = self.model.row_of(study_uid)
        if index < 0:
            return False
        self.table.setCurrentIndex(self.model.index(index, 0))
        self.table.scrollTo(self.model.index(index, 0))
        return True

    def step(self, rows: int) -> None:
        """Select the study `rows` further down."""
        if self.model.rows:
            index = min(max(self.model.row_of(self.current) + rows, 0), len(self.model.rows) - 1)
            self.select(self.model.rows[index].study_uid)

    def go_to(self, study_uid: str) -> None:
        """Make a study of the list current, loading the rows down to it first when it is not among those loaded."""
        self._wanted = "" if self.select(study_uid) else study_uid
        if self._wanted:
            self._load(len(self.model.rows), FAR_ROWS)

    def next_unread(self, being_saved: Container[str] = ()) -> str:
        """UID of the next unread study below the current one, loaded or not, from the top again at the end; "" when all are read."""
        below = first_unread_below(self.model.rows, self.current, being_saved)
        if below is None and len(self.model.rows) < self.model.total:
            try:
                beyond = unread_beyond(self._store, self.query, self.model.rows, being_saved)
            except NormascopeError as error:
                self.failed.emit(error)
                return ""
            if beyond:
                return beyond
        row = below or first_unread_after(self.model.rows, self.current, being_saved)
        return "" if row is None else row.study_uid

    def focus_filter(self) -> None:
        """Start typing."""
        self.filter.box.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.filter.box.selectAll()

    def keep(self, settings: Settings) -> None:
        """Write order and column widths into the settings."""
        settings.order, settings.descending = self.query.order, self.query.descending
        settings.column_widths = {column.name: self.table.columnWidth(i) for i, column in enumerate(COLUMNS)}

    def _lay_out(self) -> None:
        header = self.table.horizontalHeader()
        for i, column in enumerate(COLUMNS):
            self.table.setColumnWidth(i, self._settings.column_widths.get(column.name, column.width))
        patient = next(i for i, column in enumerate(COLUMNS) if column.name == "patient_name")
        header.setSectionResizeMode(patient, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Fixed)
        body = QWidget()
        self._stack = QStackedLayout(body)
        self._stack.addWidget(self.table)
        self._stack.addWidget(self._nothing)
        column_layout = QVBoxLayout(self)
        column_layout.setContentsMargins(0, 0, 0, 0)
        column_layout.setSpacing(0)
        column_layout.addWidget(self.filter)
        column_layout.addWidget(body, 1)

    def _connect(self) -> None:
        self.filter.changed.connect(self._ask)
        self.filter.left.connect(self.table.setFocus)
        self.model.more_wanted.connect(lambda: self._load(len(self.model.rows), PAGE_ROWS))
        self.table.selectionModel().currentRowChanged.connect(self._current_changed)
        self.table.activated.connect(lambda index: self.opened.emit(self.model.rows[index.row()].study_uid))
        self.table.horizontalHeader().sectionClicked.connect(self._sort_by)

    def _sort_by(self, section: int) -> None:
        column = COLUMNS[section]
        again = self.query.order == column.name
        self.filter.take_order(column.name, descending=not self.query.descending if again else column.descending_first)

    def _ask(self, query: WorklistQuery) -> None:
        """Other studies or another order: from the top."""
        self.query, self._wanted = query, ""
        if self._loading is not None:
            self._loading.cancel()
        self._load(0, PAGE_ROWS)

    def _load(self, offset: int, limit: int) -> None:
        store, query = self._store, self.query
        self._stale = False
        self._loading = run_task(
            lambda _: fetch_page(store, query, offset, limit),
            self._show,
            self.failed.emit,
            on_finished=self._loaded,
            owner=self,
            priority=5,
        )

    def _loaded(self) -> None:
        if self._stale:
            self._load(0, max(len(self.model.rows), PAGE_ROWS))

    def _show(self, page: Page) -> None:
        """Rows as the store has them; selection and scroll stay where the reader left them."""
        if page.query != self.query:
            return
        anchor = self._anchor() if page.query == self.model.query else None
        self._restoring = True
        moved = self.model.show_page(page)
        if moved:
            self._restore(anchor)
        self._restoring = False
        self.everything = page.everything
        self.filter.show_page(page)
        if self._wanted and page.rows:
            self.go_to(self._wanted)
        self._stack.setCurrentWidget(self.table if page.rows or not page.query.filtered else self._nothing)
        self.refreshed.emit()

    def _anchor(self) -> tuple[str, int] | None:
        """A study whose place on screen is kept: the current one when it is visible, else the topmost; None at the very top."""
        top = self.table.rowAt(0)
        row = self.model.row_of(self.current)
        if row >= 0 and self.table.viewport().rect().contains(0, self.table.rowViewportPosition(row)):
            return self.current, self.table.rowViewportPosition(row)
        if top <= 0:
            return None
        return self.model.rows[top].study_uid, self.table.rowViewportPosition(top)

    def _restore(self, anchor: tuple[str, int] | None) -> None:
        row = self.model.row_of(self.current)
        if row >= 0:
            self.table.selectionModel().setCurrentIndex(
                self.model.index(row, 0),
                self.table.selectionModel().SelectionFlag.ClearAndSelect
                | self.table.selectionModel().SelectionFlag.Rows,
            )
        if anchor is not None and (row := self.model.row_of(anchor[0])) >= 0:
            self.table.verticalScrollBar().setValue(row * appearance.ROW_HEIGHT - anchor[1])

    def _current_changed(self, current: QModelIndex, _: QModelIndex) -> None:
        if self._restoring or not current.isValid():
            return
        self.current = self.model.rows[current.row()].study_uid
        self.selected.emit(self.current)


class _Table(QTableView):
    """A table of whole rows of one height, scrolled by pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setMouseTracking(True)
        self.setTabKeyNavigation(False)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(appearance.ROW_HEIGHT)
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header = self.horizontalHeader()
        header.setSectionsClickable(True)
        header.setHighlightSections(False)
        header.setMinimumSectionSize(20)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """In a narrow table, the columns that matter least give way."""
        for i, column in enumerate(COLUMNS):
            self.setColumnHidden(i, self.viewport().width() < column.needed)
        super().resizeEvent(event)
