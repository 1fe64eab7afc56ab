"""The worklist in pages: more rows come when the end is reached, narrow tables drop columns, cells say what they show."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from app.state.settings import Settings
from app.state.worklist_query import PAGE_ROWS
from app.worklist.columns import COLUMNS, score_tip
from app.worklist.panel import WorklistPanel
from engine.imaging.series import Series
from engine.store import Store
from engine.store.rows import WorklistRow


def study(number: int) -> Series:
    return Series(
        f"1.{number}", f"2.{number}", f"1.{number}", "radiograph", "dicom", ("/x",), patient_name=f"P^{number:05}"
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(None, tmp_path)
    opened.add_series(study(number) for number in range(2 * PAGE_ROWS + 50))
    yield opened
    opened.close()


@pytest.fixture
def panel(store: Store, qtbot: QtBot) -> WorklistPanel:
    made = WorklistPanel(store, Settings(order="patient_name", descending=False))
    qtbot.addWidget(made)
    made.resize(500, 600)
    made.show_first_page()
    made.show()
    return made


def visible_columns(panel: WorklistPanel) -> list[str]:
    return [column.name for i, column in enumerate(COLUMNS) if not panel.table.isColumnHidden(i)]


def test_the_first_page_is_there_at_once(panel: WorklistPanel) -> None:
    assert len(panel.model.rows) == PAGE_ROWS
    assert panel.filter.count.text() == f"{2 * PAGE_ROWS + 50} studies"


def test_scrolling_to_the_end_brings_the_next_page(panel: WorklistPanel, qtbot: QtBot) -> None:
    panel.table.scrollToBottom()
    qtbot.waitUntil(lambda: len(panel.model.rows) > PAGE_ROWS)
    panel.table.scrollToBottom()
    qtbot.waitUntil(lambda: len(panel.model.rows) == 2 * PAGE_ROWS + 50)
    names = [row.patient_name for row in panel.model.rows]
    assert names == sorted(set(names)), "each study once, in order"


def test_a_refresh_keeps_all_pages_that_were_loaded(panel: WorklistPanel, qtbot: QtBot) -> None:
    panel.table.scrollToBottom()
    qtbot.waitUntil(lambda: len(panel.model.rows) > PAGE_ROWS)
    loaded = len(panel.model.rows)
    with qtbot.waitSignal(panel.refreshed):
        panel.refresh()
    assert len(panel.model.rows) >= loaded


def test_a_change_of_one_row_does_not_reset_the_table(panel: WorklistPanel, store: Store, qtbot: QtBot) -> None:
    store.add_reading("2.3", "normal")
    with (
        qtbot.assertNotEmitted(panel.model.modelReset),
        qtbot.waitSignal(panel.model.dataChanged) as changed,
    ):
        panel.refresh()
    assert changed.args[0].row() == 3


def test_names_keep_their_room_in_a_narrow_table(panel: WorklistPanel, qtbot: QtBot) -> None:
    assert visible_columns(panel) == [column.name for column in COLUMNS]
    panel.resize(340, 600)
    qtbot.waitUntil(
        lambda: visible_columns(panel) == ["status", "percentile", "patient_name", "modality", "read_state"]
    )
    assert panel.table.columnWidth(2) > 90


def test_order_and_widths_are_kept(panel: WorklistPanel) -> None:
    panel.table.setColumnWidth(1, 140)
    settings = Settings()
    panel.keep(settings)
    assert (settings.order, settings.descending, settings.column_widths["percentile"]) == ("patient_name", False, 140)


def test_a_percentile_is_never_without_what_it_is_compared_to() -> None:
    row = WorklistRow("1", "", "", "CR", "", "", "", "", 1, "done", 97.2, "ssim", True, "unread", False, "", "chest")
    assert score_tip(row) == "97th percentile of the model's normal cohort, over the cut-off\nSSIM · chest"


def test_a_failed_study_says_why(panel: WorklistPanel) -> None:
    row = WorklistRow("1", "", "", "CR", "", "", "", "", 1, "failed", None, "", False, "unread", False, "/a: it is cut")
    assert score_tip(row) == "Could not be scored: /a: it is cut"


def test_the_filter_offers_keyboard_users_a_way_back(panel: WorklistPanel, qtbot: QtBot) -> None:
    panel.activateWindow()
    panel.focus_filter()
    qtbot.keyClick(panel.filter.box, Qt.Key.Key_Down)
    qtbot.waitUntil(panel.table.hasFocus)


def test_the_next_unread_study_is_found_beyond_the_rows_that_are_loaded(
    panel: WorklistPanel, store: Store, qtbot: QtBot
) -> None:
    """Everything loaded is read: the next unread one is pages further down, and is gone to."""
    far = f"2.{2 * PAGE_ROWS + 20}"
    for number in range(2 * PAGE_ROWS + 50):
        if f"2.{number}" != far:
            store.add_reading(f"2.{number}", "normal")
    panel.show_first_page()
    panel.select("2.0")
    assert panel.model.row_of(far) < 0
    assert panel.next_unread() == far
    panel.go_to(far)
    qtbot.waitUntil(lambda: panel.current == far)
    assert panel.next_unread() == ""
