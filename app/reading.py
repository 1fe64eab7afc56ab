"""Reading a study: what happens between choosing it in the worklist and going on to the next. Joins store, session, image and results.

Queries of one study are a millisecond and run here; whatever writes goes through `StoreWrites`, and pixels through the viewer's own tasks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal

from app.list_scoring import Queued, model_menu, queue_list
from app.results.panel import ResultsPanel
from app.results.verdict_bar import saved_note
from app.results.wording import person_name
from app.state.session import Change, Session
from app.state.settings import Settings
from app.store_writes import StoreWrites
from app.tasks import run_task
from app.viewer.viewer import Viewer
from app.worklist.panel import WorklistPanel
from engine.errors import NormascopeError, StorageUnavailable
from engine.imaging.series import Series
from engine.store import Store
from engine.store.rows import ResultRow, Verdict, WorklistRow

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from engine.models.shelf import InstalledBundle

REST_MILLISECONDS = 70
"""How long the selection rests on a study before its pixels are decoded: going through the list with J held loads nothing."""


class Reading(QObject):
    """Signals:
    opened(str): another study is open, or "" when none is.
    failed(Exception): the store could not be read or written.
    said(str): a line for the status bar.  queued(str): likewise, of what waits to be scored.
    """

    opened = Signal(str)
    failed = Signal(object)
    said = Signal(str)
    queued = Signal(str)

    def __init__(
        self,
        store: Store,
        settings: Settings,
        worklist: WorklistPanel,
        viewer: Viewer,
        results: ResultsPanel,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.session = Session()
        self.bundles: Sequence[InstalledBundle] = ()
        self.writes = StoreWrites(self)
        self._store, self._settings = store, settings
        self._worklist, self._viewer, self._results = worklist, viewer, results
        self._being_saved: set[str] = set()
        self._image_of = ""
        self._brought_forward = ""
        self._drawn: tuple[object, ...] = ()
        self._pictures: dict[str, npt.NDArray[np.uint8] | None] = {}  # by path; None could not be read
        self._rest = QTimer(self, singleShot=True, interval=REST_MILLISECONDS)
        self._rest.timeout.connect(self._show_image)
        self.session.listen(self._changed)
        self.writes.failed.connect(self._not_written)
        self.writes.caught_up.connect(lambda: self.said.emit("Everything is saved"))
        worklist.selected.connect(self.open)
        worklist.refreshed.connect(self._worklist_refreshed)
        results.series_chosen.connect(self.session.show_series)
        results.score_wanted.connect(self.score_with)
        results.model_chosen.connect(self.session.show_model)
        results.verdict.connect(self.read)
        results.readings.note_left.connect(viewer.setFocus)
        viewer.warningsChanged.connect(self._image_warnings)

    def open(self, study_uid: str) -> None:
        """Open a study; what is queued of it is scored first."""
        if study_uid == self.session.study_uid:
            return
        try:
            series, found = self._store.series_of(study_uid), self._store.results_of(study_uid)
        except NormascopeError as error:
            self.failed.emit(error)
            return
        self._pictures.clear()
        self.session.open_study(study_uid, series, found)
        self._brought_forward = ""
        self._bring_forward(study_uid, found)
        self.opened.emit(study_uid)

    def open_now(self) -> None:
        """Decode the image at once and give it the keys."""
        self._show_image()
        self._viewer.setFocus()

    def refresh(self) -> None:
        """The store has changed: bring the open study up to date."""
        uid = self.session.study_uid
        if not uid:
            return
        try:
            self.session.update_series(self._store.series_of(uid))
            found = self._store.results_of(uid)
            self.session.update_results(found)
            self._bring_forward(uid, found)  # it may have been queued only after it was opened
        except NormascopeError as error:
            self.failed.emit(error)
        self._show_results()

    def _bring_forward(self, study_uid: str, found: Sequence[ResultRow]) -> None:
        """What is on screen is scored first; asked once a study."""
        if self._brought_forward != study_uid and any(row.state == "queued" for row in found):
            self._brought_forward = study_uid
            self.writes.add(lambda: self._store.bring_forward([study_uid]))

    def read(self, verdict: Verdict) -> None:
        """Save what the reader says of the open study and go on to the next unread."""
        row = self._row()
        if row is None:
            return
        following = self._worklist.next_unread(self._being_saved | {row.study_uid})
        before: Verdict = "unread" if row.read_state == "outdated" else row.read_state
        self.session.remember(row.study_uid, before, saved_note(row, self._store.readings_of(row.study_uid)))
        self._save(row.study_uid, verdict, self._results.readings.take_note())
        self.said.emit(f"Read {_name(row)} as {verdict}  ·  U takes it back")
        if self._settings.open_after_verdict and following:
            self._worklist.go_to(following)
        elif not following:
            self.said.emit(f"Read {_name(row)} as {verdict}  ·  no unread study is left in this list")

    def keep_note(self) -> None:
        """Enter in the note: of a study that is read, it is saved at once; else with the reading that follows."""
        row = self._row()
        if row is not None and row.read_state != "unread" and row.read_state != "outdated":
            note = self._results.readings.take_note()
            if note != saved_note(row, self._store.readings_of(row.study_uid)):
                self._save(row.study_uid, row.read_state, note)
                self.said.emit("The note is saved")
        self._viewer.setFocus()

    def take_back(self) -> None:
        """Undo the last reading of this sitting and return to its study; without one, mark the open study unread."""
        past = self.session.take_back()
        row = self._row()
        if past is not None:
            self._save(past.study_uid, past.before, past.note)
            if not self._worklist.select(past.study_uid):
                self.open(past.study_uid)
            self.said.emit("The last reading is taken back")
        elif row is not None and row.read_state != "unread":
            self._save(row.study_uid, "unread")
            self.said.emit(f"{_name(row)} is unread again")

    def go_to_next_unread(self) -> None:
        """Select the next study that nobody has read."""
        following = self._worklist.next_unread(self._being_saved)
        if following:
            self._worklist.go_to(following)
        else:
            self.said.emit("No unread study is left in this list")

    def score_with(self, series_key: str, bundle_hash: str) -> None:
        """Queue one series for a model that the reader names, before all else."""
        bundle = next((bundle for bundle in self.bundles if bundle.hash == bundle_hash), None)
        if bundle is None:
            return
        store, uid = self._store, self.session.study_uid

        def queue() -> None:
            store.register_bundle(bundle)
            store.enqueue([series_key], bundle_hash, 10, named=True)
            store.bring_forward([uid])

        self.writes.add(queue, self.refresh)
        self.queued.emit(f"Queued for {bundle.card.title}")

    def score_list(self) -> None:
        """Ask which model is to score the studies of the list, and queue them for it."""
        menu = model_menu(self._worklist, self._worklist.model.total, self.bundles, self._queue_list)
        menu.popup(self._worklist.table.mapToGlobal(self._worklist.table.rect().topLeft()))

    def _queue_list(self, named: InstalledBundle | None) -> None:
        store, query, bundles = self._store, self._worklist.query, self.bundles

        def done(queued: Queued) -> None:
            self.queued.emit(queued.in_words())
            self.refresh()

        run_task(
            lambda control: queue_list(store, query, bundles, named, control),
            done,
            self.failed.emit,
            lambda progress: self.said.emit(progress.doing),
            owner=self,
        )

    def next_model(self) -> None:
        """Draw the next model's overlay, and say whose it is."""
        self.session.next_model()
        if (result := self.session.drawn_result(self.session.series_key)) is not None:
            self.said.emit(f"Overlay of {self._title(result)}")

    def retry(self) -> None:
        """Queue the open study again for every model that was asked about it."""
        store, uid = self._store, self.session.study_uid
        if uid:
            self.writes.add(lambda: store.score_again([uid]), self.refresh)
            self.said.emit("This study is scored anew")

    def show_bundles(self, bundles: Sequence[InstalledBundle]) -> None:
        """The installed models are known."""
        self.bundles = bundles
        self._show_results()

    def _save(self, study_uid: str, verdict: Verdict, note: str = "") -> None:
        store, reader = self._store, self._settings.reader_name()
        self._being_saved = {*self._being_saved, study_uid} if verdict != "unread" else self._being_saved - {study_uid}
        self.writes.add(lambda: store.add_reading(study_uid, verdict, note, reader), self._saved)

    def _saved(self) -> None:
        self._worklist.refresh()
        self._show_results()

    def _not_written(self, error: Exception) -> None:
        self.failed.emit(error)
        if isinstance(error, StorageUnavailable):  # the foot may still say that a study was read
            self.said.emit("Not saved yet; it is kept and tried again")

    def _worklist_refreshed(self) -> None:
        """The rows say by now what was saved."""
        if not self.writes.pending:
            self._being_saved = set()

    def _row(self) -> WorklistRow | None:
        """What the worklist says of the open study, also when a filter hides it."""
        uid = self.session.study_uid
        try:
            return self._store.study(uid) if uid else None
        except NormascopeError as error:
            self.failed.emit(error)
            return None

    def _changed(self, change: Change) -> None:
        if change in ("study", "series"):
            self._results.set_image_warnings([])
            if self._image_of != _pixels_of(self.session.current_series):
                self._rest.start()
        self._show_results()

    def _show_results(self) -> None:
        row = self._row()
        if row is None:
            self._results.show_nothing()
            return
        self._results.show_study(row, self.session, self.bundles, self._store.readings_of(row.study_uid), self._alike())
        self._draw_result()

    def _show_image(self) -> None:
        """Decode the series that is open, unless it is on screen already."""
        self._rest.stop()
        series = self.session.current_series
        if series is None:
            self._image_of = ""
            self._viewer.clear()
            return
        if _pixels_of(series) != self._image_of:
            self._image_of, self._drawn = "", ()
            self._viewer.show_series(series)
            # only now: until the viewer has left the last series it takes no result for this one
            self._image_of = _pixels_of(series)
            self._draw_result()

    def _draw_result(self) -> None:
        """Heatmap and reconstruction of the result that is drawn, once the image is that of the result."""
        key = self.session.series_key
        result = self.session.drawn_result(key)
        if self._image_of != _pixels_of(self.session.current_series):
            return
        if result is None:
            if self._drawn:  # it was superseded: what it showed no longer holds
                self._drawn = ()
                self._viewer.set_result(key, None, None)
            return
        wanted = (key, result.bundle_hash, result.created_at)
        if wanted == self._drawn:
            return
        self._drawn = wanted
        try:
            heatmap, reconstruction = self._open_array(result.heatmap), self._open_array(result.reconstruction)
            difference = self._open_array(result.difference)
        except NormascopeError as error:
            self.failed.emit(error)
            return
        self._viewer.set_result(key, heatmap, reconstruction, self._title(result), difference=difference)

    def _alike(self) -> dict[str, npt.NDArray[np.uint8]]:
        """Pictures of the normals that the series on screen is most like, by path; what cannot be read is said once, and left out."""
        for result in self.session.results_of(self.session.series_key):
            if (path := result.neighbours) and path not in self._pictures:
                self._pictures[path] = None
                try:
                    self._pictures[path] = self._store.arrays.open(path)
                except NormascopeError as error:
                    self.failed.emit(error)
        return {path: pictures for path, pictures in self._pictures.items() if pictures is not None}

    def _open_array(self, path: str) -> npt.NDArray[np.generic] | None:
        return self._store.arrays.open(path) if path else None

    def _title(self, result: ResultRow) -> str:
        return next((b.card.title for b in self.bundles if b.hash == result.bundle_hash), result.bundle_id)

    def _image_warnings(self, warnings: list[str]) -> None:
        self._results.set_image_warnings(warnings)
        self._show_results()


def _pixels_of(series: Series | None) -> str:
    """What tells the pixels of a series from others that come under the same key; "" of none."""
    return "" if series is None else f"{series.key}/{series.fingerprint}"


def _name(row: WorklistRow) -> str:
    return person_name(row.patient_name) or row.patient_id or "this study"
