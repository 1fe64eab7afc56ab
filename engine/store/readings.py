"""What radiologists said of studies: appended, never changed. Never touches a score."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import get_args

from sqlalchemy import Connection, insert, select, update

from engine.store.rows import ReadingRow, Verdict
from engine.store.studies import in_parts
from engine.store.tables import readings, studies


def add(connection: Connection, study_uid: str, verdict: Verdict, note: str, reader: str) -> None:
    """Append a reading with the score that was shown at that moment; "unread" takes an earlier one back."""
    if verdict not in get_args(Verdict):
        raise ValueError(f"a reading is one of {', '.join(get_args(Verdict))}, not {verdict!r}")
    shown = select(studies.c.percentile, studies.c.score_name, studies.c.bundle_id)
    percentile, score_name, bundle_id = connection.execute(shown.where(studies.c.study_uid == study_uid)).one()
    values = {"study_uid": study_uid, "verdict": verdict, "note": note, "reader": reader, "read_at": time.time()}
    values |= {"percentile": percentile, "score_name": score_name, "bundle_id": bundle_id}
    connection.execute(insert(readings).values(values))
    connection.execute(update(studies).where(studies.c.study_uid == study_uid).values(read_state=verdict))


def outdate(connection: Connection, study_uids: Sequence[str]) -> None:
    """Mark what was read of these studies as of other images than they hold now; the readings themselves stay as they are."""
    for part in in_parts(study_uids):
        read = update(studies).where(studies.c.study_uid.in_(part), studies.c.read_state != "unread")
        connection.execute(read.values(read_state="outdated"))


def of_study(connection: Connection, study_uid: str) -> list[ReadingRow]:
    """Oldest first."""
    query = select(*(readings.c[name] for name in ReadingRow.__dataclass_fields__))
    return [
        ReadingRow(*row)
        for row in connection.execute(query.where(readings.c.study_uid == study_uid).order_by(readings.c.id))
    ]
