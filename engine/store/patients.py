"""Keeps patients apart whose files share UIDs and were opened at different times. What is opened at once, `engine.imaging.patients` keeps apart.

A wrong picture under a name is worse than a study too many: who comes second gets UIDs of its own, and both say so. Never reads files.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection, select, update

from engine.imaging.identifiers import split_uid
from engine.imaging.series import Series
from engine.store.tables import series as series_table
from engine.store.tables import studies

_Patient = tuple[str, str]


def told_apart(connection: Connection, batch: Sequence[Series]) -> list[Series]:
    """The batch; with UIDs and a key of their own where what is stored under theirs is another patient's. Changes nothing in the store.

    The same files again are the same patient's, whatever a cohort table calls them by now.
    """
    owners, contents = _stored(connection, batch)
    apart: list[Series] = []
    for item in batch:
        patient = (item.patient_id, item.patient_name)
        rivals = [owners[uid] for uid in (item.study_uid, item.key) if uid in owners]
        other = next((rival for rival in rivals if not _same(rival, patient)), None)
        same_files = bool(item.fingerprint) and contents.get(item.key) == item.fingerprint
        if other is not None and item.format == "dicom" and not same_files:
            item = _with_own_uids(item, other)
        owners.setdefault(item.study_uid, patient)
        owners.setdefault(item.key, patient)
        apart.append(item)
    return apart


def warn_owners(connection: Connection, found: Sequence[Series], apart: Sequence[Series]) -> None:
    """Tell it of the stored series too whose UIDs others of `found` bear that are now `apart`."""
    for before, after in zip(found, apart, strict=True):
        if before.study_uid == after.study_uid:
            continue
        words = _warning((after.patient_id, after.patient_name))
        query = select(series_table.c.id, series_table.c.document)
        of_owner = (series_table.c.study_uid == before.study_uid) | (series_table.c.key == before.key)
        for number, document in connection.execute(query.where(of_owner)).all():
            owner = Series.from_json(json.loads(document))
            if words not in owner.warnings:
                warned = replace(owner, warnings=(*owner.warnings, words))
                changed = update(series_table).where(series_table.c.id == number)
                connection.execute(changed.values(document=json.dumps(warned.to_json())))


def _stored(connection: Connection, batch: Sequence[Series]) -> tuple[dict[str, _Patient], dict[str, str]]:
    """(whose each study UID and key of the batch is, the fingerprint under each key), as far as they are stored."""
    owners: dict[str, _Patient] = {}
    contents: dict[str, str] = {}
    whose = (studies.c.study_uid, studies.c.patient_id, studies.c.patient_name)
    for start in range(0, len(batch), 500):
        part = batch[start : start + 500]
        query = select(*whose).where(studies.c.study_uid.in_([item.study_uid for item in part]))
        owners.update((uid, (number, name)) for uid, number, name in connection.execute(query))
        of_keys = select(series_table.c.key, series_table.c.fingerprint, *whose[1:])
        of_keys = of_keys.join(studies, studies.c.study_uid == series_table.c.study_uid)
        for key, fingerprint, number, name in connection.execute(
            of_keys.where(series_table.c.key.in_([item.key for item in part]))
        ):
            owners[key], contents[key] = (number, name), fingerprint
    return owners, contents


def _same(one: _Patient, other: _Patient) -> bool:
    """By identifier; by name where one of them has none. A corrected name is no other patient, and silence contradicts nothing."""
    for stated, claimed in zip(one, other, strict=True):
        if stated.strip() and claimed.strip():
            return stated.strip().upper().rstrip("^= ") == claimed.strip().upper().rstrip("^= ")
    return True


def _with_own_uids(item: Series, other: _Patient) -> Series:
    patient = (item.patient_id.strip(), item.patient_name.upper().rstrip("^= "))
    series_uid = split_uid(item.series_uid, *patient)
    return replace(
        item,
        study_uid=split_uid(item.study_uid, *patient),
        series_uid=series_uid,
        key=series_uid + item.key.removeprefix(item.series_uid),
        warnings=(*item.warnings, _warning(other)),
    )


def _warning(other: _Patient) -> str:
    name = " ".join(filter(None, other)) or "a patient without name"
    return f"The same study or series UID is also on images of {name}: kept apart. Check whose these are."
