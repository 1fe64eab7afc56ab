"""Pages and filters as the store answers them; the next unread study in the order shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.state.worklist_query import WorklistQuery, fetch_page, first_unread_after
from engine.imaging.series import Series
from engine.store import Store
from engine.store.rows import ReadState, WorklistRow


def row(uid: str, read_state: ReadState) -> WorklistRow:
    return WorklistRow(uid, "", "", "CR", "", "", "", "", 1, "done", 50.0, "error", False, read_state, False, "")


@pytest.mark.parametrize(
    ("states", "current", "expected"),
    [
        ("unread unread unread", "1", "2"),
        ("unread normal unread", "0", "2"),
        ("unread normal normal", "1", "0"),
        ("normal normal normal", "1", None),
        ("unread normal normal", "0", None),
        ("normal unread unread", "not shown", "1"),
    ],
)
def test_next_unread_is_the_one_below_then_from_the_top(states: str, current: str, expected: str | None) -> None:
    rows = [row(str(i), state) for i, state in enumerate(states.split())]  # type: ignore[arg-type]
    found = first_unread_after(rows, current)
    assert (found.study_uid if found else None) == expected


def test_a_page_counts_what_matches_and_what_there_is(tmp_path: Path) -> None:
    store = Store(None, tmp_path)
    store.add_series(
        Series(f"1.{i}", f"2.{i}", f"1.{i}", "radiograph", "dicom", ("/x",), modality="CT" if i % 2 else "CR")
        for i in range(10)
    )
    page = fetch_page(store, WorklistQuery(modality="CT"), 2, 2)
    assert (len(page.rows), page.total, page.everything, page.modalities) == (2, 5, 10, ("CR", "CT"))
    store.close()


def test_an_order_that_the_store_does_not_know_becomes_the_default() -> None:
    assert WorklistQuery().ordered_by("shoe_size", descending=False) == WorklistQuery()


def test_a_study_whose_reading_is_being_saved_is_not_next() -> None:
    rows = [row("0", "unread"), row("1", "unread"), row("2", "unread")]
    found = first_unread_after(rows, "2", {"0"})
    assert found is not None and found.study_uid == "1"
