"""Studies and series as rows: adding what discovery found, and keeping each study's summary. Never touches jobs' states or results."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from engine.imaging.series import Series
from engine.store.search import search_text
from engine.store.tables import series as series_table
from engine.store.tables import studies

_MOST_PARAMETERS = 500  # an IN list longer than this is split: databases limit the parameters of one statement


def batches(items: Iterable[Series], *, size: int = 500, seconds: float = 0.5) -> Iterator[list[Series]]:
    """Lists of at most `size` series, cut early when discovery is slow so that what was found shows soon."""
    batch: list[Series] = []
    started = time.monotonic()
    for item in items:
        batch.append(item)
        if len(batch) >= size or time.monotonic() - started > seconds:
            yield batch
            batch, started = [], time.monotonic()
    if batch:
        yield batch


def in_parts(values: Sequence[str]) -> Iterator[Sequence[str]]:
    """`values` in pieces that fit an IN list."""
    for start in range(0, len(values), _MOST_PARAMETERS):
        yield values[start : start + _MOST_PARAMETERS]


@dataclass(frozen=True)
class Added:
    """What came of a batch.

    Attributes:
        new: how many series the store did not know.
        other_content: keys of those that hold other pixels than they did: their results no longer hold.
        other_images: UIDs of studies that show other or more images than when they were last read, if they were.
    """

    new: int
    other_content: list[str]
    other_images: list[str]


def add_batch(connection: Connection, batch: Sequence[Series]) -> Added:
    """Add new series, replace the description of known ones (files may have moved)."""
    by_key = {item.key: item for item in batch}
    study_of: dict[str, str] = {}  # of the series that are known
    changed_content: list[str] = []
    other_images: list[str] = []
    for part in in_parts(list(by_key)):
        columns = (series_table.c.key, series_table.c.study_uid, series_table.c.fingerprint)
        for key, uid, fingerprint in connection.execute(select(*columns).where(series_table.c.key.in_(part))):
            study_of[key] = uid
            if fingerprint != by_key[key].fingerprint:
                changed_content.append(key)
                other_images += [uid, by_key[key].study_uid] if fingerprint else []  # of older stores it is not known
    # a series whose file now states another study also changes the study it leaves
    touched = list(dict.fromkeys([item.study_uid for item in by_key.values()] + list(study_of.values())))
    _describe(connection, touched, by_key)
    now = time.time()
    rows = [
        {"key": s.key, "study_uid": s.study_uid, "document": json.dumps(s.to_json()), "fingerprint": s.fingerprint}
        for s in by_key.values()
    ]
    if new := [row for row in rows if row["key"] not in study_of]:
        connection.execute(insert(series_table), [row | {"added_at": now} for row in new])
    if changed := [row for row in rows if row["key"] in study_of]:
        statement = update(series_table).where(series_table.c.key == bindparam("b_key"))
        statement = statement.values({name: bindparam(f"b_{name}") for name in rows[0] if name != "key"})
        connection.execute(statement, [{f"b_{name}": value for name, value in row.items()} for row in changed])
    other_images += [by_key[str(row["key"])].study_uid for row in new]
    return Added(len(new), changed_content, other_images)


def series_of(connection: Connection, study_uid: str) -> list[Series]:
    """In the order they were added."""
    query = select(series_table.c.document).where(series_table.c.study_uid == study_uid).order_by(series_table.c.id)
    return [Series.from_json(json.loads(document)) for (document,) in connection.execute(query)]


def _describe(connection: Connection, uids: Sequence[str], coming: Mapping[str, Series]) -> None:
    """Insert or update the study rows so that they summarise the series that are there and those that are coming, by key."""
    known: set[str] = set()
    found: dict[str, dict[str, Series]] = {uid: {} for uid in uids}
    for part in in_parts(uids):
        known.update(connection.execute(select(studies.c.study_uid).where(studies.c.study_uid.in_(part))).scalars())
        query = select(series_table.c.key, series_table.c.document).where(series_table.c.study_uid.in_(part))
        for key, document in connection.execute(query.order_by(series_table.c.id)):
            if key not in coming:
                old = Series.from_json(json.loads(document))
                found[old.study_uid][key] = old
    for key, item in coming.items():
        found[item.study_uid][key] = item
    summaries = {uid: _summary(list(found[uid].values())) for uid in uids}
    empty = {"status": "not scored", "score_name": "", "bundle_id": "", "flagged": False, "error": ""}
    empty |= {"read_state": "unread", "added_at": time.time()}
    if new := [{"study_uid": uid} | empty | summaries[uid] for uid in uids if uid not in known]:
        connection.execute(insert(studies), new)
    if old_uids := [uid for uid in uids if uid in known]:
        statement = update(studies).where(studies.c.study_uid == bindparam("b_uid"))
        statement = statement.values({name: bindparam(f"b_{name}") for name in summaries[old_uids[0]]})
        values = [{"b_uid": uid} | {f"b_{name}": v for name, v in summaries[uid].items()} for uid in old_uids]
        connection.execute(statement, values)


def _summary(items: Sequence[Series]) -> dict[str, Any]:
    """The study columns that follow from its series; attributes that should agree are taken from the first that has them."""

    def first(name: str) -> str:
        return next((value for item in items if (value := getattr(item, name))), "")

    def distinct(name: str) -> str:
        return "/".join(sorted({value for item in items if (value := getattr(item, name))}))

    labels = {item.label for item in items}
    row: dict[str, Any] = {name: first(name) for name in ("patient_id", "patient_name", "sex", "age", "study_date")}
    row["accession_number"] = first("accession_number")
    row["modality"], row["body_part"], row["view_position"] = map(distinct, ("modality", "body_part", "view"))
    row["description"] = first("study_description") or first("description")
    row["label"] = next((label for label in ("abnormal", "normal") if label in labels), "")
    row["synthetic"] = any(item.synthetic for item in items)
    row["series_count"] = len(items)
    searched = ("patient_name", "patient_id", "body_part", "modality", "description", "accession_number", "study_date")
    row["search_text"] = search_text(*(row[name] for name in searched), row["view_position"])
    return row
