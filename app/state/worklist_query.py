"""What the worklist asks of the store: filters, order and pages, as values, and the query that answers them. Knows no Qt and no SQL."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from engine.store.rows import SORTABLE, WorklistRow

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


def first_unread_after(rows: list[WorklistRow], study_uid: str, being_saved: Container[str] = ()) -> WorklistRow | None:
    """The next unread study below `study_uid` in the order shown, from the top again at the end; None when all are read.

    `being_saved`: studies whose reading is on its way to the store, so that their rows do not say so yet.
    """
    index = next((i for i, row in enumerate(rows) if row.study_uid == study_uid), -1)
    following = rows[index + 1 :] + rows[: max(index, 0)]
    return next((row for row in following if row.read_state == "unread" and row.study_uid not in being_saved), None)
