"""Files into the worklist: finds the studies in what was dropped or opened, stores them and queues them for every model that applies.

All of it off the GUI thread; rows appear as they are found. Never scores. What no model will look at is decoded once all rows are there, so that a broken
file has its line although nobody opens it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from app.state.problems import Problem
from app.tasks import Progress, Task, TaskControl, run_task
from engine.errors import NormascopeError
from engine.imaging.series import Series
from engine.store import Store

if TYPE_CHECKING:  # the window is on screen before anything is found or any model is known
    from engine.models.shelf import InstalledBundle


@dataclass(frozen=True)
class Imported:
    """What came of one import: series found and how many of them are new, jobs queued, problems, in words what was passed over, and the series that
    no model reads unasked."""

    found: int
    new: int
    queued: int
    problems: int
    passed_over: str = ""
    unread: tuple[Series, ...] = field(default=(), compare=False)

    def in_words(self) -> str:
        """One line for the status bar."""
        images = "1 image series" if self.found == 1 else f"{self.found:,} image series"
        parts = [f"Opened {images}" if self.found else "No images were found"]
        if self.found and self.new < self.found:
            parts.append(f"{self.found - self.new:,} already in the worklist")
        if self.queued:
            parts.append(f"{self.queued:,} to score")
        if self.problems:
            parts.append("1 problem" if self.problems == 1 else f"{self.problems:,} problems")
        if self.passed_over:
            parts.append(self.passed_over)
        return "  ·  ".join(parts)


class Importer(QObject):
    """Signals:
    progress(str): what is being done, in words; "" when nothing is.
    arrived(): studies were added to the store.
    problem(Problem): one file that could not be opened.
    finished(Imported): one import is through.
    """

    progress = Signal(str)
    arrived = Signal()
    problem = Signal(object)
    finished = Signal(object)

    def __init__(self, store: Store, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self._tasks: list[Task[Imported]] = []
        self._checks: list[Task[None]] = []
        self.latest: set[str] = set()
        """UIDs of the studies found by what was opened last: what the reader asked to see."""

    @property
    def busy(self) -> bool:
        """True while anything is being opened."""
        return any(task.running for task in self._tasks)

    def open(self, paths: Sequence[str | Path], bundles: Sequence[InstalledBundle]) -> None:
        """Open files and folders; what the `bundles` apply to is queued for them."""
        if not self.busy:
            self.latest = set()
        store, wanted, models = self._store, [str(path) for path in paths], list(bundles)
        self._tasks = [task for task in self._tasks if task.running]
        task = run_task(
            lambda control: import_paths(store, wanted, models, control),
            self._done,
            lambda error: self.problem.emit(Problem.of(error)),
            self._report,
            on_partial=self._partial,
            on_finished=self._quiet,
            owner=self,
        )
        self._tasks.append(task)

    def cancel(self) -> None:
        """Stop opening; what was found stays."""
        for task in self._tasks:
            task.cancel()
        for check in self._checks:
            check.cancel()
        self.progress.emit("")

    def _done(self, imported: Imported) -> None:
        self.arrived.emit()
        self.finished.emit(imported)
        self._checks = [task for task in self._checks if task.running]
        if unread := imported.unread:
            check = run_task(
                lambda control: tell_damage(unread, control),
                lambda nothing: None,
                lambda error: self.problem.emit(Problem.of(error)),
                on_partial=self._partial,
                owner=self,
                priority=-1,
            )
            self._checks.append(check)

    def _report(self, progress: Progress) -> None:
        self.progress.emit(progress.doing)

    def _partial(self, value: object) -> None:
        if isinstance(value, Problem):
            self.problem.emit(value)
        elif isinstance(value, frozenset):
            self.latest |= value
            self.arrived.emit()

    def _quiet(self) -> None:
        if not self.busy:
            self.progress.emit("")


def import_paths(
    store: Store, paths: Sequence[str], bundles: Sequence[InstalledBundle], control: TaskControl
) -> Imported:
    """The work of one import (worker thread). Bad files become partial `Problem`s; the rest goes on.

    Raises StorageUnavailable when the store cannot be written: then nothing more can be kept.
    """
    from engine.imaging.passed_over import PassedOver
    from engine.models.in_use import chosen_ids
    from engine.scoring.queueing import enqueue_applicable, reading
    from engine.store.studies import batches

    for bundle in bundles:
        store.register_bundle(bundle)
    found = new = queued = problems = 0
    passed_over, chosen, unread = PassedOver(), chosen_ids(), list[Series]()

    def on_error(error: NormascopeError) -> None:
        nonlocal problems
        problems += 1
        control.partial(Problem.of(error))

    control.progress(None, "Looking for images…")
    for batch in batches(_discover(paths, on_error, passed_over.add, control), seconds=0.3):
        batch = store.told_apart(batch)
        new += store.add_series(batch)
        queued += enqueue_applicable(store, batch, bundles)
        unread += [series for series in batch if not reading(series, bundles, chosen)]
        found += len(batch)
        control.partial(frozenset(series.study_uid for series in batch))
        control.progress(None, f"Opening: {found:,} series found…")
    return Imported(found, new, queued, problems, passed_over.in_words(), tuple(unread))


def tell_damage(unread: Sequence[Series], control: TaskControl) -> None:
    """Decode what no model will look at (worker thread); each broken series becomes a partial `Problem`."""
    from engine.imaging.damage import damage_of

    for series in unread:
        if control.cancelled():
            return
        if (problem := damage_of(series)) is not None:
            control.partial(Problem.of(problem))


def _discover(
    paths: Sequence[str],
    on_error: Callable[[NormascopeError], None],
    on_passed_over: Callable[[str], None],
    control: TaskControl,
) -> Iterator[Series]:
    """Every series below `paths`, until nobody wants them any more."""
    from engine.imaging import discovery

    for path in paths:
        for series in discovery.open_study(path, on_error=on_error, on_passed_over=on_passed_over):
            if control.cancelled():
                return
            yield series
