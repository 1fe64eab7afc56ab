"""What the worklist asks of the store: filters, order and pages, as values, and the query that answers them. Knows no Qt and no SQL."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from engine.store.rows import NEEDS_READING, SORTABLE, WorklistRow

if TYPE_CHECKING:
    from engine.store import Store

PAGE_ROWS = 300
"""Rows fetched at a time: several screens full."""


@dataclass(frozen=True)
class WorklistQuery:
    """Which studies, in which order. Empty filters accept all."""

    text: str = ""
    modality: str = ""
    status: str = ""
    read_state: str = ""
    order: str = "percentile"
    descending: bool = True

    def ordered_by(self, order: str, *, descending: bool) -> WorklistQuery:
        """The same studies in another order; an order the store does not know becomes the default."""
        return replace(self, order=order, descending=descending) if order in SORTABLE else WorklistQuery()

    @property
    def filtered(self) -> bool:
        """True when some studies may be left out."""
        return bool(self.text.strip() or self.modality or self.status or self.read_state)


@dataclass(frozen=True)
class Page:
    """Rows `offset` to `offset + len(rows)` of `total` that match `query`; `everything` studies are in the store."""

    query: WorklistQuery
    offset: int
    rows: tuple[WorklistRow, ...]
    total: int
    everything: int
    modalities: tuple[str, ...] = ()


def fetch_page(store: Store, query: WorklistQuery, offset: int, limit: int) -> Page:
    """Ask the store; safe on any thread. Raises StorageUnavailable."""
    modality, status, read_state = query.modality, query.status, query.read_state
    rows = store.worklist(
        query.text,
        modality=modality,
        status=status,
        read_state=read_state,
        order=query.order,
        descending=query.descending,
        limit=limit,
        offset=offset,
    )
    total = everything = store.worklist_size("")
    if query.filtered:
        total = store.worklist_size(query.text, modality=modality, status=status, read_state=read_state)
    return Page(query, offset, tuple(rows), total, everything, tuple(store.modalities()))


def first_unread_below(rows: list[WorklistRow], study_uid: str, being_saved: Container[str] = ()) -> WorklistRow | None:
    """The next unread study below `study_uid` in the order shown; None when all below are read.

    `being_saved`: studies whose reading is on its way to the store, so that their rows do not say so yet.
    """
    index = next((i for i, row in enumerate(rows) if row.study_uid == study_uid), -1)
    below = rows[index + 1 :]
    return next((row for row in below if row.read_state in NEEDS_READING and row.study_uid not in being_saved), None)


def first_unread_after(rows: list[WorklistRow], study_uid: str, being_saved: Container[str] = ()) -> WorklistRow | None:
    """The same, from the top again at the end; never `study_uid` itself."""
    above = [row for row in rows if row.study_uid != study_uid]
    return first_unread_below(rows, study_uid, being_saved) or first_unread_below(above, "", being_saved)


def unread_beyond(
    store: Store, query: WorklistQuery, loaded: list[WorklistRow], being_saved: Container[str] = ()
) -> str:
    """UID of the first unread study that the query has beyond the rows loaded; "" when there is none. Raises StorageUnavailable."""
    if query.read_state not in ("", *NEEDS_READING):
        return ""
    known = {row.study_uid for row in loaded if row.read_state in NEEDS_READING}
    unread = replace(query, read_state=query.read_state or "unread")
    offset = 0
    while rows := fetch_page(store, unread, offset, max(len(known), PAGE_ROWS) + 1).rows:
        for row in rows:
            if row.study_uid not in known and row.study_uid not in being_saved:
                return row.study_uid
        offset += len(rows)
    return ""
