"""A study's status and score from its jobs and results, kept on the study's row. The one place that knows how they follow."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, bindparam, select, update

from engine.store.rows import StudyStatus
from engine.store.studies import in_parts
from engine.store.tables import bundles, jobs, results, studies


@dataclass(frozen=True)
class _Scored:
    """The result that ranks a series for one model."""

    series_key: str
    percentile: float
    excess: float
    flagged: bool
    score_name: str
    bundle_id: str


@dataclass
class _Found:
    """What was found of one study, by (series key, bundle id): a bundle that replaces another one counts where it has been asked."""

    states: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)  # (job state, reason)
    scored: dict[tuple[str, str], _Scored] = field(default_factory=dict)


def refresh(connection: Connection, study_uids: Iterable[str]) -> None:
    """Derive the studies' columns anew. Call in the transaction that changed a job or result of theirs."""
    uids = sorted(set(study_uids))
    found: dict[str, _Found] = defaultdict(_Found)
    for part in in_parts(uids):
        _collect(connection, part, found)
    names = ("status", "percentile", "percentile_mean", "excess", "score_name", "bundle_id", "flagged", "error")
    statement = update(studies).where(studies.c.study_uid == bindparam("b_uid"))
    statement = statement.values({name: bindparam(f"b_{name}") for name in names})
    values = [{"b_uid": uid} | {f"b_{k}": v for k, v in _summary(found[uid]).items()} for uid in uids]
    if values:
        connection.execute(statement, values)


def _collect(connection: Connection, uids: Sequence[str], found: dict[str, _Found]) -> None:
    # the last row of each series and bundle id wins: that of the bundle in use, else that of its latest predecessor
    j, r = jobs.c, results.c
    query = select(j.study_uid, j.series_key, bundles.c.id, j.state, j.reason).join(
        bundles, bundles.c.hash == j.bundle_hash
    )
    query = query.where(j.study_uid.in_(uids)).order_by(bundles.c.current, j.id)
    for uid, key, bundle_id, state, reason in connection.execute(query):
        found[uid].states[key, bundle_id] = (state, reason)
    columns = (r.study_uid, r.series_key, r.percentile, r.excess, r.flagged, r.primary_score, bundles.c.id)
    scored = select(*columns).join(bundles, bundles.c.hash == r.bundle_hash)
    scored = scored.where(r.study_uid.in_(uids), r.percentile.is_not(None)).order_by(bundles.c.current, r.id)
    for uid, *values in connection.execute(scored):
        result = _Scored(*values)
        found[uid].scored[result.series_key, result.bundle_id] = result


def _summary(found: _Found) -> dict[str, object]:
    reasons = {state: reason for state, reason in reversed(found.states.values()) if reason}
    of_series: dict[str, float] = {}
    for scored in found.scored.values():
        of_series[scored.series_key] = max(scored.percentile, of_series.get(scored.series_key, 0.0))
    most = max(found.scored.values(), key=lambda scored: (scored.percentile, scored.excess), default=None)
    return {
        "status": _status({state for state, _ in found.states.values()}),
        "percentile": None if most is None else most.percentile,
        "percentile_mean": sum(of_series.values()) / len(of_series) if of_series else None,
        "excess": 0.0 if most is None else most.excess,
        "score_name": "" if most is None else most.score_name,
        "bundle_id": "" if most is None else most.bundle_id,
        "flagged": any(scored.flagged for scored in found.scored.values()),
        "error": _partly(found) + (reasons.get("failed") or reasons.get("not scored", "")),
    }


def _partly(found: _Found) -> str:
    """Words before the reason when the score that is shown leaves out what failed."""
    states = [state for state, _ in found.states.values()]
    failed = states.count("failed")
    if not failed or "done" not in states:
        return ""
    of = "series" if len({key for key, _ in found.states}) == len(states) else "scorings"
    return f"{failed} of {len(states)} {of} failed, the score is of the rest. "


def _status(states: set[str]) -> StudyStatus:
    if "running" in states:
        return "scoring"
    if "queued" in states:
        return "queued"
    if "failed" in states:  # also beside a score: what nobody looked at must not pass for scored
        return "failed"
    return "done" if "done" in states else "not scored"
