"""A study's status and score from its jobs and results, kept on the study's row. The one place that knows how they follow."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from sqlalchemy import Connection, bindparam, select, update

from engine.store.rows import StudyStatus
from engine.store.studies import in_parts
from engine.store.tables import bundles, jobs, results, studies


@dataclass
class _Found:
    """What was found of one study; only of bundles that no later one of the same id has replaced."""

    states: list[tuple[str, str]] = field(default_factory=list)  # (job state, reason)
    scored: list[tuple[str, float, bool, str, str]] = field(default_factory=list)
    """(series key, percentile, flagged, score name, bundle id)"""


def refresh(connection: Connection, study_uids: Iterable[str]) -> None:
    """Derive the studies' columns anew. Call in the transaction that changed a job or result of theirs."""
    uids = sorted(set(study_uids))
    found: dict[str, _Found] = defaultdict(_Found)
    for part in in_parts(uids):
        _collect(connection, part, found)
    names = ("status", "percentile", "percentile_mean", "score_name", "bundle_id", "flagged", "error")
    statement = update(studies).where(studies.c.study_uid == bindparam("b_uid"))
    statement = statement.values({name: bindparam(f"b_{name}") for name in names})
    values = [{"b_uid": uid} | {f"b_{k}": v for k, v in _summary(found[uid]).items()} for uid in uids]
    if values:
        connection.execute(statement, values)


def _collect(connection: Connection, uids: Sequence[str], found: dict[str, _Found]) -> None:
    is_current = bundles.c.current
    query = select(jobs.c.study_uid, jobs.c.state, jobs.c.reason).join(bundles, bundles.c.hash == jobs.c.bundle_hash)
    for uid, state, reason in connection.execute(query.where(jobs.c.study_uid.in_(uids), is_current)):
        found[uid].states.append((state, reason))
    r = results.c
    columns = (r.study_uid, r.series_key, r.percentile, r.flagged, r.primary_score, bundles.c.id)
    scored = select(*columns).join(bundles, bundles.c.hash == r.bundle_hash)
    scored = scored.where(r.study_uid.in_(uids), is_current, r.percentile.is_not(None))
    for uid, *values in connection.execute(scored.order_by(r.id)):
        found[uid].scored.append(tuple(values))


def _summary(found: _Found) -> dict[str, object]:
    reasons = {state: reason for state, reason in reversed(found.states) if reason}
    of_series: dict[str, float] = {}
    for key, percentile, *_ in found.scored:
        of_series[key] = max(percentile, of_series.get(key, 0.0))
    most = max(found.scored, key=lambda scored: scored[1], default=None)
    return {
        "status": _status({state for state, _ in found.states}),
        "percentile": None if most is None else most[1],
        "percentile_mean": fmean(of_series.values()) if of_series else None,
        "score_name": "" if most is None else most[3],
        "bundle_id": "" if most is None else most[4],
        "flagged": any(scored[2] for scored in found.scored),
        "error": reasons.get("failed") or reasons.get("not scored", ""),
    }


def _status(states: set[str]) -> StudyStatus:
    if "running" in states:
        return "scoring"
    if "queued" in states:
        return "queued"
    if "done" in states:
        return "done"
    return "failed" if "failed" in states else "not scored"
