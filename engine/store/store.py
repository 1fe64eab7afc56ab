"""The store as everyone else sees it. Each method is one transaction; the SQL is in the modules beside."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import StorageUnavailable
from engine.imaging.series import Series
from engine.store import jobs, patients, readings, results, studies, worklist
from engine.store.arrays import ArrayFolder, array_name
from engine.store.database import Database
from engine.store.rows import Job, JobState, QueueCounts, ReadingRow, ResultRow, StudyScore, Verdict, WorklistRow
from engine.store.settings import read_setting, write_setting

if TYPE_CHECKING:
    from engine.scoring.result import SeriesResult


class Store:
    """Studies, jobs, results and readings of one data folder. Safe from several threads and processes at once."""

    def __init__(self, url: str | None, folder: str | Path) -> None:
        """Open or create. `url` None: SQLite in `folder`/normascope.sqlite; else an SQLAlchemy URL. Arrays are in `folder`/arrays.

        Raises StorageUnavailable when the folder or database cannot be opened or written to, or is of a newer Normascope.
        """
        self.folder = Path(folder)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageUnavailable(
                f"the data folder cannot be made ({error.strerror})",
                where=self.folder,
                cure="Choose another data folder.",
            ) from error
        self.arrays = ArrayFolder(self.folder / "arrays")
        self._database = Database(url, self.folder)

    def close(self) -> None:
        """Close the connections; the store is not used afterwards."""
        self._database.close()

    # studies

    def add_series(self, found: Iterable[Series]) -> int:
        """Add what discovery finds, some hundred at a time, each such batch whole or not at all; returns how many series were new.

        A series whose key is known has its description and sources replaced: its files may have moved. Jobs and results stay
        when its content is the same (`Series.fingerprint`); else its results no longer show or count, and its jobs are queued again.
        What was read of a study before its images changed, or before more came, is outdated. Another patient's images under the same
        UIDs are stored as `told_apart` gives them.
        """
        new = 0
        for batch in studies.batches(found):
            with self._database.writing() as connection:
                apart = patients.told_apart(connection, batch)
                patients.warn_owners(connection, batch, apart)
                added = studies.add_batch(connection, apart)
                jobs.start_anew(connection, added.other_content)
                readings.outdate(connection, added.other_images)
                new += added.new
        return new

    def told_apart(self, found: Sequence[Series]) -> list[Series]:
        """The series as `add_series` stores them: with UIDs and a key of their own where theirs are those of another patient in the store."""
        with self._database.reading() as connection:
            return patients.told_apart(connection, found)

    def worklist(
        self,
        text: str = "",
        *,
        modality: str = "",
        status: str = "",
        read_state: str = "",
        order: str = "percentile",
        descending: bool = True,
        study_score: StudyScore = "highest",
        limit: int = 200,
        offset: int = 0,
    ) -> list[WorklistRow]:
        """One page of studies.

        `text`: words in any order; each must be in name, id, body part, modality, view, description, accession number or date: anywhere
        in a word from three letters on, at a word's start before. `order`: one of `rows.SORTABLE`; unscored studies come last in either
        direction. `study_score`: a study's percentile is the highest among its series, or their mean. `read_state` "unread" has the
        outdated ones too.
        """
        with self._database.reading() as connection:
            return worklist.page(
                connection,
                text,
                modality=modality,
                status=status,
                read_state=read_state,
                order=order,
                descending=descending,
                study_score=study_score,
                limit=limit,
                offset=offset,
            )

    def worklist_size(self, text: str = "", *, modality: str = "", status: str = "", read_state: str = "") -> int:
        """How many studies the same filter leaves in all."""
        with self._database.reading() as connection:
            return worklist.size(connection, text, modality=modality, status=status, read_state=read_state)

    def study(self, study_uid: str) -> WorklistRow | None:
        """One study's row; None when it is not in the store."""
        with self._database.reading() as connection:
            return worklist.one(connection, study_uid)

    def modalities(self) -> list[str]:
        """What `modality` can be asked for, sorted."""
        with self._database.reading() as connection:
            return worklist.modalities(connection)

    def series_of(self, study_uid: str) -> list[Series]:
        """A study's series in the order they were found."""
        with self._database.reading() as connection:
            return studies.series_of(connection, study_uid)

    # models and jobs

    def register_bundle(self, bundle: results.Registrable) -> bool:
        """Make a bundle known, as the one in use of its id: where it has a result, those of earlier bundles of that id no longer rank.

        Registering an earlier one again takes it back into use (a roll-back). Costs nothing when nothing changes. True when this very bundle
        was not known before.
        """
        with self._database.reading() as connection:
            if results.is_registered(connection, bundle):
                return False
        with self._database.writing() as connection:
            return results.register(connection, bundle)

    def enqueue(self, series_keys: Iterable[str], bundle_hash: str, priority: int = 0, *, named: bool = False) -> int:
        """Ask for series to be scored by a registered bundle; returns how many jobs that makes.

        Asking again changes nothing, except that a higher `priority` is taken over by what still waits. `named`: the user chose the
        model, so that files without DICOM tags are scored too (`engine.scoring.applicability.why_not`), and what was declined
        unasked is queued again. What failed is queued again by `retry`.
        """
        with self._database.writing() as connection:
            return jobs.enqueue(connection, series_keys, bundle_hash, priority=priority, named=named)

    def bring_forward(self, study_uids: Sequence[str]) -> None:
        """Score what waits of these studies before anything else: they are on screen."""
        with self._database.writing() as connection:
            jobs.bring_forward(connection, study_uids)

    def retry(self, study_uids: Sequence[str]) -> int:
        """Queue the failed jobs of these studies again; returns how many."""
        with self._database.writing() as connection:
            return jobs.retry(connection, study_uids)

    def score_again(self, study_uids: Sequence[str]) -> int:
        """Queue every job of these studies again, scored ones too, whose results no longer show; returns how many."""
        with self._database.writing() as connection:
            return jobs.score_again(connection, study_uids)

    def claim(self, worker: str, limit: int, bundle_hash: str | None = None) -> list[Job]:
        """Take up to `limit` jobs, highest priority first, then in the order they were queued.

        Jobs that an engine died with come after the others of their priority. With `bundle_hash`: only that model's jobs, none that an
        engine died with, and none while a job of higher priority waits for another model.
        """
        with self._database.reading() as connection:
            if jobs.most_urgent(connection) is None:
                return []
        with self._database.writing() as connection:
            return jobs.claim(connection, worker, limit, bundle_hash)

    def most_urgent(self) -> int | None:
        """The highest priority among the jobs that could be claimed now; None when there is none."""
        with self._database.reading() as connection:
            return jobs.most_urgent(connection)

    def heartbeat(self, worker: str) -> None:
        """Say that the worker lives; matters to other machines, which cannot see its process."""
        with self._database.writing(announce=False) as connection:
            jobs.heartbeat(connection, worker)

    def finish(self, job: Job, result: SeriesResult) -> bool:
        """Write the arrays, then the result and the job's end in one transaction. False when another worker has the job by now.

        Raises StorageUnavailable with nothing changed but, at most, arrays that the next attempt replaces.
        """
        with self._database.reading() as connection:
            if not jobs.is_mine(connection, job):  # before the arrays: those of a written result are never replaced
                return False
        paths = {"heatmap": "", "reconstruction": "", "neighbours": "", "difference": ""}
        content = f"{job.series.key}/{job.series.fingerprint}"  # the arrays of a superseded result stay what they were
        for kind in paths:
            array = getattr(result, kind)
            if array is not None:
                paths[kind] = self.arrays.write(array_name(content, job.bundle_hash, kind), array)
        with self._database.writing() as connection:
            if not jobs.complete(connection, job):
                return False
            results.record(connection, job, result, paths)
            jobs.summarise(connection, job)
            return True

    def fail(self, job: Job, reason: str, retry: bool) -> JobState:
        """Count a failed attempt. With `retry` the job is queued again after a pause, until it has failed three times. Returns its new state."""
        with self._database.writing() as connection:
            return jobs.fail(connection, job, reason, again=retry)

    def decline(self, job: Job, reason: str) -> None:
        """The model does not apply to the series: "not scored", with the reason."""
        with self._database.writing() as connection:
            jobs.decline(connection, job, reason)

    def release(self, held: Sequence[Job]) -> None:
        """Give claimed jobs back as they were."""
        if held:
            with self._database.writing() as connection:
                jobs.release(connection, held)

    def requeue_lost(self, older_than_s: float = 60.0) -> list[tuple[str, JobState]]:
        """Queue again what dead workers were running: at once when the process is gone from this machine, else without a heartbeat for so long.

        A job that was running in three workers that died is failed. Returns (series key, new state) of each.
        """
        with self._database.writing(announce=False) as connection:
            lost = jobs.requeue_lost(connection, older_than_s)
            if lost:
                self._database.announce(connection)
            return lost

    def counts(self) -> QueueCounts:
        """Jobs by state."""
        with self._database.reading() as connection:
            return jobs.counts(connection)

    # what is known of a study

    def results_of(self, study_uid: str) -> list[ResultRow]:
        """One row for each series and model that was asked for, models in use first; without scores when not (yet) scored."""
        with self._database.reading() as connection:
            return results.of_study(connection, study_uid)

    def add_reading(self, study_uid: str, verdict: Verdict, note: str = "", reader: str = "") -> None:
        """Append what a reader said; "unread" takes it back without deleting anything."""
        with self._database.writing() as connection:
            readings.add(connection, study_uid, verdict, note, reader)

    def readings_of(self, study_uid: str) -> list[ReadingRow]:
        """A study's readings, oldest first."""
        with self._database.reading() as connection:
            return readings.of_study(connection, study_uid)

    # settings and changes

    def setting(self, name: str, default: str = "") -> str:
        """A stored setting, or the default."""
        with self._database.reading() as connection:
            return read_setting(connection, name, default)

    def set_setting(self, name: str, value: str) -> None:
        """Store a setting."""
        with self._database.writing() as connection:
            write_setting(connection, name, value)

    def change_token(self) -> int:
        """A number that grows with each change by any process; asking costs well under a millisecond."""
        return self._database.change_token()
