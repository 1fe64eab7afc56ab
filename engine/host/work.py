"""The work loop: claims jobs, has them scored, writes what came of each. Knows the store and the protocol; never decodes an image itself."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from engine.errors import BundleRejected, NormascopeError, StorageUnavailable
from engine.host.events import Events, Stop
from engine.host.warm import WarmModel, WarmModels, is_out_of_memory
from engine.imaging.series import Series
from engine.models.in_use import chosen_ids
from engine.models.shelf import InstalledBundle, installed
from engine.scoring.queueing import reading
from engine.store import Store
from engine.store.rows import Job, JobState

if TYPE_CHECKING:
    from engine.scoring.result import SeriesResult

log = logging.getLogger(__name__)
T = TypeVar("T")

LOOK_SECONDS = 0.2
WRITERS = 3
PAUSES = (1.0, 5.0, 15.0, 30.0)
INCURABLE = {
    "UnreadableImage",
    "UnsupportedTransferSyntax",
    "UnsafeArchive",
    "ImplausibleImage",
    "InconsistentSeries",
    "BundleRejected",
    "NotFinite",
}
"""Kinds of error that say the same when tried again."""


class Work:
    """One host's work on one store."""

    def __init__(self, store: Store, worker: str, models: WarmModels, events: Events, stop: Stop) -> None:
        self.store = store
        self.worker = worker
        self.models = models
        self.events = events
        self.stop = stop
        self.in_hand: dict[str, Job] = {}  # by series key; all of one bundle
        self.last_activity = time.monotonic()
        self._claiming = threading.Lock()
        self._device = ""
        self._alone = 0  # so many turns take one job only
        self._ended: deque[tuple[float, str]] = deque()  # (when, study) of the last minute
        self._next_progress = 0.0
        self._next_look = 0.0
        self._unusable: set[str] = set()  # hashes of bundles that cannot be loaded
        self._usable: list[InstalledBundle] = []  # what is installed beside them; looked up when another one is met

    def run(self) -> None:
        """Work until asked to stop; then everything unfinished is back in the queue."""
        idle = False
        next_search = time.monotonic() + 30
        while not self.stop:
            if jobs := self._claim(1):
                idle = False
                self._turn(jobs[0])
                continue
            if not idle and not self._waits_for_another_attempt():
                self._progress(now=True)
                self.events.emit("idle")
                idle = True
            if time.monotonic() > next_search:
                self._patiently(self.store.requeue_lost)
                next_search = time.monotonic() + 30
            self.stop.wait(LOOK_SECONDS)

    def give_back(self) -> None:
        """Queue what is in hand again, from any thread, once asked to stop: whoever is killed from now on had nothing in hand.

        What is being scored goes on, but its result is no longer taken. Raises StorageUnavailable.
        """
        with self._claiming:
            self.store.release(list(self.in_hand.values()))

    def _claim(self, limit: int, bundle_hash: str | None = None) -> list[Job]:
        """Take jobs in hand; none once asked to stop, so that nothing follows what was given back."""
        with self._claiming:
            if self.stop:
                return []
            jobs = self._patiently(lambda: self.store.claim(self.worker, limit, bundle_hash)) or []
            if not self.in_hand:
                self.last_activity = (
                    time.monotonic()
                )  # first: who watches must not see a job with the idle hours before it
            self.in_hand |= {job.series.key: job for job in jobs}
            return jobs

    def _waits_for_another_attempt(self) -> bool:
        counts = self._patiently(self.store.counts)
        return counts is None or counts.queued > 0

    def _turn(self, first: Job) -> None:
        """Score `first` and, in one stream, what follows it for the same model."""
        alone = bool(first.crashes or first.attempts or self._alone)
        self._alone = max(0, self._alone - 1)
        try:
            model = self._model(first)
            self._stream(model, first, alone=alone)
        except BundleRejected as error:
            self._settle_failure(first, str(error), error.kind)
            if not first.named:
                self._ask_another(first)
        except Exception as error:
            self._blame(first.bundle_hash, error)
        finally:
            left = list(self.in_hand.values())
            self._patiently(lambda: self.store.release(left))
            self.in_hand = {}

    def _ask_another(self, job: Job) -> None:
        """What would read the series if the bundle that cannot be used were not installed, reads it."""
        if job.bundle_hash not in self._unusable:
            self._unusable.add(job.bundle_hash)
            self._usable = [bundle for bundle in installed() if bundle.hash not in self._unusable]

        def queue() -> None:
            for bundle in reading(job.series, self._usable, chosen_ids()):
                self.store.register_bundle(bundle)
                self.store.enqueue([job.series.key], bundle.hash, job.priority)

        self._patiently(queue)

    def _model(self, job: Job) -> WarmModel:
        about = {"id": job.bundle_id, "hash": job.bundle_hash}
        known = self.models.has(job.bundle_hash)
        if not known:
            self.events.emit("model", **about, title="", state="loading", error="")
        try:
            model = self.models.get(job.bundle_hash, job.bundle_path)
        except NormascopeError as error:
            if not known:
                told = {"where": error.where or "", "what": error.what, "cure": error.cure}
                self.events.emit("model", **about, title="", state="rejected", error=str(error), **told)
            raise
        if not known:
            self.events.emit("model", **about, title=model.title, state="ready", error="")
        self._tell_device(model)
        return model

    def _stream(self, model: WarmModel, first: Job, *, alone: bool) -> None:
        writes: deque[Future[None]] = deque()
        # flushing arrays to the disk is waiting, not work: it overlaps with scoring, and with other flushes
        with ThreadPoolExecutor(WRITERS, thread_name_prefix="writer") as writer:
            for result in model.score(self._feed(model, first, alone=alone), cancelled=self._is_cancelled):
                self.last_activity = time.monotonic()
                job = self.in_hand[result.series.key]
                if job.series.fingerprint != result.series.fingerprint:
                    continue  # of what the files held before; in hand is the job for what they hold now
                writes.append(writer.submit(self._settle, job, result))
                while writes and (writes[0].done() or len(writes) > 2 * model.batch):
                    writes.popleft().result()
                self._tell_device(model)
                self._progress()
            for write in writes:
                write.result()
        self._progress()

    def _feed(self, model: WarmModel, first: Job, *, alone: bool) -> Iterator[Series]:
        """Series as the scorer asks for them; jobs are claimed no earlier than that."""
        jobs = [first]
        while jobs and not self._is_cancelled():
            for job in jobs:
                if reason := model.why_not(job.series, named=job.named):
                    self._settle_failure(job, f"{job.series.path}: {reason}.", "NotApplicable")
                else:
                    yield job.series
            if alone:
                return
            jobs = self._claim(model.batch, first.bundle_hash)

    def _is_cancelled(self) -> bool:
        """True when the host is to stop, or something more urgent than what is in hand has come."""
        if self.stop:
            return True
        if (now := time.monotonic()) < self._next_look:
            return False
        self._next_look = now + LOOK_SECONDS
        urgent = self._patiently(self.store.most_urgent)
        in_hand = [job.priority for job in list(self.in_hand.values())]
        return urgent is not None and bool(in_hand) and urgent > min(in_hand)

    def _settle(self, job: Job, result: SeriesResult) -> None:
        """Write what came of a job (writer thread)."""
        if result.error:
            self._settle_failure(job, result.error, result.error_kind)
            return
        mine = self._patiently(lambda: self.store.finish(job, result))
        if mine is None:
            return  # asked to stop while the store could not be written to: the job goes back to the queue
        self._done_with(job)
        if mine:
            primary = result.scores.get(result.primary)
            flagged = primary is not None and primary.flagged
            self.events.emit("done", **_about(job), percentile=result.percentile, flagged=flagged)

    def _settle_failure(self, job: Job, error: str, kind: str) -> None:
        state: JobState | None
        if kind == "NotApplicable":
            self._patiently(lambda: self.store.decline(job, error))
            state = "not scored"
        else:
            state = self._patiently(lambda: self.store.fail(job, error, retry=kind not in INCURABLE))
        self._done_with(job)
        self.events.emit("failed", **_about(job), state=state, error=error, kind=kind)

    def _blame(self, bundle_hash: str, error: Exception) -> None:
        """The scorer itself gave up: with one job in hand it is that job's failure, with several each is tried alone."""
        log.exception("scoring stopped")
        if is_out_of_memory(error):
            self.models.drop(bundle_hash)
        left = list(self.in_hand.values())
        if len(left) > 1:
            self._alone = len(left)
            return
        kind = error.kind if isinstance(error, NormascopeError) else "Unexpected"
        words = (
            str(error)
            if isinstance(error, NormascopeError)
            else f"{type(error).__name__}: {error}. Please report this file."
        )
        for job in left:
            self._settle_failure(job, words if job.series.path in words else f"{job.series.path}: {words}", kind)

    def _done_with(self, job: Job) -> None:
        self.in_hand.pop(job.series.key, None)
        self.last_activity = time.monotonic()
        self._ended.append((self.last_activity, job.series.study_uid))

    def _patiently(self, action: Callable[[], T]) -> T | None:
        """Do it, however often the store has to be waited for; None when asked to stop meanwhile."""
        for attempt in range(1_000_000):
            try:
                return action()
            except StorageUnavailable as error:
                pause = PAUSES[min(attempt, len(PAUSES) - 1)]
                self.events.emit("paused", error=str(error), seconds=pause)
                self.last_activity = time.monotonic()
                if self.stop.wait(pause):
                    return None
        return None

    def _tell_device(self, model: WarmModel) -> None:
        if model.device != self._device:
            self._device = model.device
            self.events.emit("device", device=self._device, name=_device_name(self._device))

    def _progress(self, *, now: bool = False) -> None:
        moment = time.monotonic()
        if not now and moment < self._next_progress:
            return
        self._next_progress = moment + 1
        while self._ended and self._ended[0][0] < moment - 60:
            self._ended.popleft()
        ended = list(self._ended)
        span = min(60.0, max(1.0, moment - ended[0][0])) if ended else 60.0
        counts = self._patiently(self.store.counts)
        if counts is not None:
            rate = len({study for _, study in ended}) * 60 / span
            self.events.emit("progress", **counts.__dict__, studies_a_minute=round(rate, 1))


def _about(job: Job) -> dict[str, str]:
    return {
        "study_uid": job.series.study_uid,
        "series_key": job.series.key,
        "bundle_id": job.bundle_id,
        "bundle_hash": job.bundle_hash,
    }


def _device_name(device: str) -> str:
    """In words: the graphics card's name, or "processor"."""
    if not device.startswith("cuda"):
        return "processor"
    import torch

    return torch.cuda.get_device_name(device)
