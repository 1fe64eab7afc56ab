"""The worklist's query: one page of studies, filtered by typed text and ordered by any column, from one table. Never changes anything."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, Select, column, func, literal_column, select, table, text

from engine.store.rows import NEEDS_READING, SORTABLE, StudyScore, WorklistRow
from engine.store.search import contains_all, fts_query
from engine.store.tables import studies

_COLUMN_OF = {"view": "view_position"}
_FEW = 3000
"""Up to so many matches are fetched and sorted; beyond, the order's index is walked and matches picked from it."""
_AHEAD = 3000
"""So many rows along the order are looked at first when many match: mostly the page is full before they end."""

_ID_UNINDEXED = literal_column("+studies.id", BigInteger)
"""Keeps SQLite from starting at the many matches and sorting them all: it walks the order's index instead, and stops at a page."""


def page(
    connection: Connection,
    typed: str,
    *,
    modality: str,
    status: str,
    read_state: str,
    order: str,
    descending: bool,
    study_score: StudyScore,
    limit: int,
    offset: int,
) -> list[WorklistRow]:
    """Rows `offset` to `offset + limit`; studies without a percentile come last whichever way it is ordered, and those of one percentile by their excess."""
    if order not in SORTABLE:
        raise ValueError(f"a worklist is not ordered by {order!r}; choose one of {', '.join(SORTABLE)}")
    score = studies.c.percentile_mean if study_score == "mean" else studies.c.percentile
    key = score if order == "percentile" else studies.c[_COLUMN_OF.get(order, order)]
    query = _narrowed(connection, select(*_columns(score)), modality, status, read_state)
    ordering = key.desc() if descending else key.asc()
    keys, latest_first = [ordering], descending
    if order == "percentile":  # the studies of a folder that nothing has scored yet stand as the folder has them
        keys = [ordering.nulls_last(), studies.c.excess.desc() if descending else studies.c.excess.asc()]
        latest_first = not descending
    query = query.order_by(*keys, studies.c.id.desc() if latest_first else studies.c.id)

    def rows(chosen: Select[Any]) -> list[WorklistRow]:
        return [WorklistRow(*row) for row in connection.execute(chosen.limit(limit).offset(offset))]

    if not typed.strip():
        return rows(query)
    few = _few_matches(connection, typed)
    if few is not None:
        return rows(query.where(studies.c.id.in_(few)))
    ahead = query.with_only_columns(studies.c.id).limit(_AHEAD)
    found = rows(query.where(_ID_UNINDEXED.in_(ahead), contains_all(typed)))
    return found if len(found) == limit else rows(query.where(_matching(connection, typed)))


def size(connection: Connection, typed: str, *, modality: str, status: str, read_state: str) -> int:
    """How many studies the same filter leaves."""
    query = _narrowed(connection, select(func.count()).select_from(studies), modality, status, read_state)
    if typed.strip():
        query = query.where(_matching(connection, typed))
    return int(connection.execute(query).scalar_one())


def one(connection: Connection, study_uid: str) -> WorklistRow | None:
    """One study's row, or None."""
    query = select(*_columns(studies.c.percentile)).where(studies.c.study_uid == study_uid)
    row = connection.execute(query).first()
    return None if row is None else WorklistRow(*row)


def modalities(connection: Connection) -> list[str]:
    """Distinct modalities, sorted."""
    found = connection.execute(select(studies.c.modality).distinct()).scalars()
    return sorted({part for value in found for part in value.split("/") if part})


def _columns(score: ColumnElement[float]) -> list[Any]:
    c = studies.c
    return [
        c.study_uid, c.patient_id, c.patient_name, c.modality, c.body_part, c.view_position, c.study_date, c.description,
        c.series_count, c.status, score, c.score_name, c.flagged, c.read_state, c.synthetic, c.error, c.bundle_id,
        c.accession_number, c.sex, c.age, c.label, c.added_at,
    ]  # fmt: skip


def _narrowed(connection: Connection, query: Select[Any], modality: str, status: str, read_state: str) -> Select[Any]:
    if modality:  # a study of several modalities is stored as "CR/DX"
        values = connection.execute(select(studies.c.modality).distinct()).scalars()
        query = query.where(studies.c.modality.in_([v for v in values if modality in v.split("/")]))
    if status:
        query = query.where(studies.c.status == status)
    if read_state == "unread":
        query = query.where(studies.c.read_state.in_(NEEDS_READING))
    elif read_state:
        query = query.where(studies.c.read_state == read_state)
    return query


def _few_matches(connection: Connection, typed: str) -> list[int] | None:
    """The ids of the studies that match, or None when there are many, or no index to ask."""
    if connection.dialect.name != "sqlite":
        return None
    found: list[int] = list(connection.execute(_search(typed).limit(_FEW + 1)).scalars())
    return found if len(found) <= _FEW else None


def _matching(connection: Connection, typed: str) -> ColumnElement[bool]:
    if connection.dialect.name != "sqlite":
        return contains_all(typed)
    return _ID_UNINDEXED.in_(_search(typed))


def _search(typed: str) -> Select[Any]:
    """Ids from the trigram index."""
    search = table("study_search", column("rowid", BigInteger))
    return select(search.c.rowid).where(text("study_search MATCH :typed").bindparams(typed=fts_query(typed)))
