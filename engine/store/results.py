"""Results as immutable rows, one for each series and bundle, and the bundles they are of. Never changes a result once it is written.

One that no longer holds is moved, whole, to the superseded results.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import Connection, delete, insert, literal, select, update

from engine.store.rows import Job, ResultRow, ScoreRow
from engine.store.summaries import refresh
from engine.store.tables import bundles, jobs, results, superseded_results

if TYPE_CHECKING:  # pydantic and numpy take longer to import than the store takes to open
    from engine.models.card import Card
    from engine.scoring.result import SeriesResult


class Registrable(Protocol):
    """What `engine.models.shelf.InstalledBundle` and a loaded bundle have in common."""

    @property
    def path(self) -> object: ...
    @property
    def hash(self) -> str: ...
    @property
    def card(self) -> Card: ...


def register(connection: Connection, bundle: Registrable) -> bool:
    """Make the bundle known and the current one of its id; see `Store.register_bundle`. True when it was not known before."""
    known = connection.execute(select(bundles).where(bundles.c.hash == bundle.hash)).first()
    older = update(bundles).where(bundles.c.id == bundle.card.id, bundles.c.hash != bundle.hash)
    connection.execute(older.values(current=False))
    values = {"id": bundle.card.id, "path": str(bundle.path), "card": bundle.card.model_dump_json(), "current": True}
    if known is None:
        connection.execute(insert(bundles).values(hash=bundle.hash, registered_at=time.time(), **values))
        return True  # it ranks nothing before it has scored something
    connection.execute(update(bundles).where(bundles.c.hash == bundle.hash).values(values))
    if not known.current:  # a roll-back
        asked = select(jobs.c.study_uid).where(jobs.c.bundle_hash == bundle.hash)
        refresh(connection, connection.execute(asked).scalars())
    return False


def is_registered(connection: Connection, bundle: Registrable) -> bool:
    """True when `register` would change nothing."""
    row = connection.execute(select(bundles).where(bundles.c.hash == bundle.hash)).first()
    return row is not None and bool(row.current) and row.path == str(bundle.path)


def record(connection: Connection, job: Job, result: SeriesResult, paths: Mapping[str, str]) -> None:
    """Write the result's row. `paths` of its stored arrays by column, "" where there is none."""
    primary = result.scores.get(result.primary)
    scores = {
        name: {"score": value.score, "percentile": value.percentile, "flagged": value.flagged}
        for name, value in result.scores.items()
    }
    connection.execute(
        insert(results).values(
            series_key=job.series.key,
            study_uid=job.series.study_uid,
            bundle_hash=job.bundle_hash,
            scores=json.dumps(scores),
            primary_score=result.primary,
            percentile=None if primary is None else primary.percentile,
            excess=0.0 if primary is None else primary.excess,
            flagged=primary is not None and primary.flagged,
            posterior=result.posterior,
            **paths,
            warnings=json.dumps(result.warnings),
            created_at=time.time(),
        )
    )


def supersede(connection: Connection, series_key: str) -> None:
    """Take the results of the series out of all that is shown and ranked; they are kept, as they are, among the superseded."""
    copied = [column.name for column in results.c if column.name != "id"]
    old = select(*(results.c[name] for name in copied), literal(time.time())).where(results.c.series_key == series_key)
    connection.execute(insert(superseded_results).from_select([*copied, "superseded_at"], old))
    connection.execute(delete(results).where(results.c.series_key == series_key))


def of_study(connection: Connection, study_uid: str) -> list[ResultRow]:
    """One row for each job of the study, current bundles first; those without a result say in `error` why, once it is known."""
    r = results.c
    columns = (
        jobs.c.series_key,
        jobs.c.study_uid,
        jobs.c.bundle_hash,
        jobs.c.state,
        jobs.c.reason,
        bundles.c.id.label("bundle_id"),
    )
    wanted = (
        r.scores,
        r.primary_score,
        r.posterior,
        r.heatmap,
        r.reconstruction,
        r.neighbours,
        r.difference,
        r.warnings,
        r.created_at,
    )
    query = select(*columns, bundles.c.current, *wanted).join(bundles, bundles.c.hash == jobs.c.bundle_hash)
    same = (r.series_key == jobs.c.series_key) & (r.bundle_hash == jobs.c.bundle_hash)
    query = query.outerjoin(results, same).where(jobs.c.study_uid == study_uid)
    return [_row(row) for row in connection.execute(query.order_by(bundles.c.current.desc(), jobs.c.id))]


def _row(row: Any) -> ResultRow:
    if row.scores is None:
        return ResultRow(
            row.series_key,
            row.study_uid,
            row.bundle_id,
            row.bundle_hash,
            row.state,
            bool(row.current),
            error=row.reason,
        )
    return ResultRow(
        series_key=row.series_key,
        study_uid=row.study_uid,
        bundle_id=row.bundle_id,
        bundle_hash=row.bundle_hash,
        state=row.state,
        current=bool(row.current),
        scores={name: ScoreRow(**values) for name, values in json.loads(row.scores).items()},
        primary=row.primary_score,
        posterior=row.posterior,
        heatmap=row.heatmap,
        reconstruction=row.reconstruction,
        neighbours=row.neighbours,
        difference=row.difference,
        warnings=tuple(json.loads(row.warnings)),
        created_at=row.created_at,
    )
