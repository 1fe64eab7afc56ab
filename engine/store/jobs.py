"""The job queue: one series by one bundle, from queued to done, failed or not scored. Never loads an image or a model.

Every function runs in the caller's write transaction, and all write transactions follow one another, so that a job belongs to one worker.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Update, bindparam, func, insert, select, update

from engine.imaging.series import Series
from engine.store.results import supersede
from engine.store.rows import Job, JobState, QueueCounts
from engine.store.studies import in_parts
from engine.store.summaries import refresh
from engine.store.tables import bundles, jobs, series
from engine.store.workers import is_dead

MOST_ATTEMPTS = 3
MOST_CRASHES = 3
STOPPED = "The engine stopped while scoring this study, each of the times it was tried. Check the file, or report it."
SUPERSEDED = "An earlier version of the model, whose result no longer holds, is not asked again."
_FRESH = {
    "state": "queued",
    "attempts": 0,
    "crashes": 0,
    "due_at": 0.0,
    "reason": "",
    "finished_at": None,
    "worker": "",
}
_WAITS = (2.0, 10.0, 30.0)
"""Seconds before the second, third, ... attempt: what cures itself (a network folder, a full disk) needs a moment."""


def enqueue(connection: Connection, keys: Iterable[str], bundle_hash: str, *, priority: int, named: bool) -> int:
    """Queue what was never queued for this bundle, raise the priority of what waits; see `Store.enqueue`."""
    wanted = list(dict.fromkeys(keys))
    there: dict[str, Any] = {}
    study_of: dict[str, str] = {}
    for part in in_parts(wanted):
        columns = (jobs.c.series_key, jobs.c.id, jobs.c.study_uid, jobs.c.state, jobs.c.priority, jobs.c.named)
        query = select(*columns).where(jobs.c.bundle_hash == bundle_hash, jobs.c.series_key.in_(part))
        there.update((row.series_key, row) for row in connection.execute(query))
        for key, uid in connection.execute(select(series.c.key, series.c.study_uid).where(series.c.key.in_(part))):
            study_of[key] = uid
    empty = {"bundle_hash": bundle_hash, "state": "queued", "priority": priority, "attempts": 0, "crashes": 0}
    empty |= {"named": named, "worker": "", "heartbeat": 0.0, "due_at": 0.0, "reason": "", "created_at": time.time()}
    # a key that is not in the store is left to the foreign key to refuse
    new = [empty | {"series_key": key, "study_uid": study_of.get(key, "")} for key in wanted if key not in there]
    if new:
        connection.execute(insert(jobs), new)
    low = [{"b_id": row.id} for row in there.values() if row.state == "queued" and row.priority < priority]
    if low:
        connection.execute(update(jobs).where(jobs.c.id == bindparam("b_id")).values(priority=priority), low)
    declined = [row for row in there.values() if named and not row.named and row.state in ("queued", "not scored")]
    again = {"state": "queued", "named": True, "priority": priority, "reason": "", "finished_at": None}
    for row in declined:  # what the model declined unasked, or would, it does when it is named
        connection.execute(
            update(jobs).where(jobs.c.id == row.id).values(again | {"priority": max(priority, row.priority)})
        )
    refresh(connection, [str(row["study_uid"]) for row in new] + [row.study_uid for row in declined])
    return len(new) + sum(row.state == "not scored" for row in declined)


def bring_forward(connection: Connection, study_uids: Sequence[str]) -> None:
    """Put the waiting jobs of these studies before all others: they are on screen."""
    highest = connection.execute(select(func.max(jobs.c.priority)).where(jobs.c.state == "queued")).scalar() or 0
    for part in in_parts(study_uids):
        waiting = update(jobs).where(jobs.c.study_uid.in_(part), jobs.c.state == "queued")
        connection.execute(waiting.values(priority=highest + 1))


def retry(connection: Connection, study_uids: Sequence[str]) -> int:
    """Queue the failed jobs of these studies once more, as if never tried; returns how many."""
    count = 0
    for part in in_parts(study_uids):
        failed = update(jobs).where(jobs.c.study_uid.in_(part), jobs.c.state == "failed")
        count += connection.execute(failed.values(_FRESH)).rowcount
    refresh(connection, study_uids)
    return count


def start_anew(connection: Connection, keys: Iterable[str]) -> int:
    """Supersede the results of these series and queue their jobs as if never tried; returns how many. Whoever has one of them in hand loses it.

    Models that are no longer in use are not asked again: what they said is superseded too.
    """
    count = 0
    touched: set[str] = set()
    in_use = select(bundles.c.hash).where(bundles.c.current)
    for key in keys:
        supersede(connection, key)
        of_series = update(jobs).where(jobs.c.series_key == key)
        touched.update(connection.execute(select(jobs.c.study_uid).where(jobs.c.series_key == key)).scalars())
        study_uid = connection.execute(select(series.c.study_uid).where(series.c.key == key)).scalar_one()
        touched.add(study_uid)
        count += connection.execute(
            of_series.where(jobs.c.bundle_hash.in_(in_use)).values(_FRESH | {"study_uid": study_uid})
        ).rowcount
        passed_over = {"state": "not scored", "reason": SUPERSEDED, "worker": "", "study_uid": study_uid}
        connection.execute(of_series.where(jobs.c.bundle_hash.not_in(in_use)).values(passed_over))
    refresh(connection, touched)
    return count


def score_again(connection: Connection, study_uids: Sequence[str]) -> int:
    """Queue every job of these studies once more, scored or not; returns how many."""
    count = 0
    for part in in_parts(study_uids):
        keys = connection.execute(select(jobs.c.series_key).where(jobs.c.study_uid.in_(part)).distinct()).scalars()
        count += start_anew(connection, list(keys))
    return count


def claim(connection: Connection, worker: str, limit: int, bundle_hash: str | None) -> list[Job]:
    """Take jobs that are due, highest priority first; see `Store.claim`."""
    now = time.time()
    due = (jobs.c.state == "queued", jobs.c.due_at <= now)
    columns = (jobs, series.c.document, bundles.c.id.label("bundle_id"), bundles.c.path)
    query = select(*columns).join(series, series.c.key == jobs.c.series_key)
    query = query.join(bundles, bundles.c.hash == jobs.c.bundle_hash).where(*due)
    if bundle_hash is not None:
        highest = select(func.max(jobs.c.priority)).where(*due).scalar_subquery()
        query = query.where(jobs.c.bundle_hash == bundle_hash, jobs.c.crashes == 0, jobs.c.priority == highest)
    rows = connection.execute(query.order_by(jobs.c.priority.desc(), jobs.c.crashes, jobs.c.id).limit(limit)).all()
    taken = {"state": "running", "worker": worker, "heartbeat": now}
    for row in rows:
        connection.execute(update(jobs).where(jobs.c.id == row.id).values(taken))
    refresh(connection, (row.study_uid for row in rows))
    return [_job(row, worker) for row in rows]


def heartbeat(connection: Connection, worker: str) -> None:
    """Say that the worker lives."""
    connection.execute(
        update(jobs).where(jobs.c.worker == worker, jobs.c.state == "running").values(heartbeat=time.time())
    )


def is_mine(connection: Connection, job: Job) -> bool:
    """True while the job is this worker's."""
    held = select(jobs.c.id).where(jobs.c.id == job.id, jobs.c.state == "running", jobs.c.worker == job.worker)
    return connection.execute(held).first() is not None


def complete(connection: Connection, job: Job) -> bool:
    """Mark a claimed job done; False when it is no longer this worker's. `summarise` follows, once the result is written."""
    return _mark_ended(connection, job, "done", "", job.attempts)


def summarise(connection: Connection, job: Job) -> None:
    """Bring the row of the job's study up to date."""
    refresh(connection, [job.series.study_uid])


def fail(connection: Connection, job: Job, reason: str, *, again: bool) -> JobState:
    """Count a failed attempt: queued again after a pause while `again` and attempts are left, else failed with the reason."""
    attempts = job.attempts + 1
    if not again or attempts >= MOST_ATTEMPTS:
        _end(connection, job, "failed", reason, attempts)
        return "failed"
    pause = _WAITS[min(attempts, len(_WAITS)) - 1]
    waiting = {"state": "queued", "worker": "", "attempts": attempts, "due_at": time.time() + pause, "reason": reason}
    connection.execute(_mine(job).values(waiting))
    refresh(connection, [job.series.study_uid])
    return "queued"


def decline(connection: Connection, job: Job, reason: str) -> None:
    """The model does not apply: not scored, and not to be tried again."""
    _end(connection, job, "not scored", reason, job.attempts)


def release(connection: Connection, held: Sequence[Job]) -> None:
    """Give claimed jobs back unharmed."""
    for job in held:
        connection.execute(_mine(job).values(state="queued", worker=""))
    refresh(connection, (job.series.study_uid for job in held))


def requeue_lost(connection: Connection, older_than_s: float) -> list[tuple[str, JobState]]:
    """Take back the running jobs of dead workers; see `Store.requeue_lost`."""
    held = select(jobs.c.worker, func.max(jobs.c.heartbeat)).where(jobs.c.state == "running").group_by(jobs.c.worker)
    silent = time.time() - older_than_s
    lost: list[tuple[str, JobState]] = []
    studies: list[str] = []
    for worker, beat in connection.execute(held).all():
        dead = is_dead(worker)
        if not (beat < silent if dead is None else dead):
            continue
        running = (jobs.c.worker == worker, jobs.c.state == "running")
        for row in connection.execute(
            select(jobs.c.id, jobs.c.study_uid, jobs.c.series_key, jobs.c.crashes).where(*running)
        ).all():
            state: JobState = "failed" if row.crashes + 1 >= MOST_CRASHES else "queued"
            ended = {"reason": STOPPED, "finished_at": time.time()} if state == "failed" else {}
            values = {"state": state, "crashes": row.crashes + 1, "worker": "", **ended}
            connection.execute(update(jobs).where(jobs.c.id == row.id).values(values))
            lost.append((row.series_key, state))
            studies.append(row.study_uid)
    refresh(connection, studies)
    return lost


def counts(connection: Connection) -> QueueCounts:
    """Jobs by state."""
    found = connection.execute(select(jobs.c.state, func.count()).group_by(jobs.c.state)).all()
    return QueueCounts(**{state.replace(" ", "_"): number for state, number in found})


def most_urgent(connection: Connection) -> int | None:
    """The highest priority among jobs that could be claimed now; None when there is none."""
    query = select(func.max(jobs.c.priority)).where(jobs.c.state == "queued", jobs.c.due_at <= time.time())
    return connection.execute(query).scalar()


def _end(connection: Connection, job: Job, state: JobState, reason: str, attempts: int) -> None:
    _mark_ended(connection, job, state, reason, attempts)
    summarise(connection, job)


def _mark_ended(connection: Connection, job: Job, state: JobState, reason: str, attempts: int) -> bool:
    ended = {"state": state, "reason": reason, "attempts": attempts, "worker": "", "finished_at": time.time()}
    return bool(connection.execute(_mine(job).values(ended)).rowcount)


def _mine(job: Job) -> Update:
    """An update of the job that does nothing once another worker has it."""
    return update(jobs).where(jobs.c.id == job.id, jobs.c.state == "running", jobs.c.worker == job.worker)


def _job(row: Any, worker: str) -> Job:
    return Job(
        id=row.id,
        series=Series.from_json(json.loads(row.document)),
        bundle_hash=row.bundle_hash,
        bundle_id=row.bundle_id,
        bundle_path=row.path,
        priority=row.priority,
        attempts=row.attempts,
        crashes=row.crashes,
        named=row.named,
        worker=worker,
    )
