"""What is open: a study, its series, the one on screen, and the readings made in this sitting. Knows no Qt and holds no pixels.

Who wants to know of a change calls `listen`; listeners are called with the kind of change, after it, on the caller's thread.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from engine.imaging.series import Series
from engine.store.rows import ResultRow, Verdict

Change = Literal["study", "series", "results", "model"]


@dataclass(frozen=True)
class PastReading:
    """A reading that `undo` can take back: the study, how it stood before, and with which note."""

    study_uid: str
    before: Verdict
    note: str = ""


class Session:
    """The one study that is open and what is known of it."""

    def __init__(self) -> None:
        self.study_uid = ""
        self.series: tuple[Series, ...] = ()
        self.series_key = ""
        self.results: tuple[ResultRow, ...] = ()
        self.model = ""
        """Hash of the bundle whose overlay the reader asked for in this study; "" leaves it to the most abnormal result."""
        self.past: list[PastReading] = []
        self._listeners: list[Callable[[Change], None]] = []

    def listen(self, listener: Callable[[Change], None]) -> None:
        """Call `listener(change)` after each change."""
        self._listeners.append(listener)

    def open_study(self, study_uid: str, series: list[Series], results: list[ResultRow]) -> None:
        """Open a study on its most abnormal series; without results, on its first."""
        self.study_uid = study_uid
        self.series = tuple(series)
        self.results = tuple(results)
        self.series_key = self._most_abnormal()
        self.model = ""
        self._tell("study")

    def update_results(self, results: list[ResultRow]) -> None:
        """What the store now says of the open study. The series on screen stays; listeners hear only of a difference."""
        if tuple(results) != self.results:
            self.results = tuple(results)
            self._tell("results")

    def update_series(self, series: list[Series]) -> None:
        """Series that were found since the study was opened, or hold other pixels by now. The one on screen stays, with the pixels it has now."""
        if tuple(series) != self.series:
            before, self.series = self.current_series, tuple(series)
            now = self.current_series
            other_pixels = before is not None and now is not None and before.fingerprint != now.fingerprint
            self._tell("series" if other_pixels else "results")

    def show_series(self, key: str) -> None:
        """Put another series of the open study on screen; an unknown key is ignored."""
        if key != self.series_key and any(one.key == key for one in self.series):
            self.series_key = key
            self._tell("series")

    def step_series(self, step: int) -> None:
        """The next (+1) or previous (-1) series of the study; stays at the ends."""
        keys = [one.key for one in self.series]
        if self.series_key in keys:
            index = keys.index(self.series_key) + step
            if 0 <= index < len(keys):
                self.show_series(keys[index])

    @property
    def current_series(self) -> Series | None:
        """The series on screen."""
        return next((one for one in self.series if one.key == self.series_key), None)

    def results_of(self, series_key: str) -> list[ResultRow]:
        """Results of current bundles for one series, those with scores first."""
        rows = [row for row in self.results if row.series_key == series_key and row.current]
        return sorted(rows, key=lambda row: (row.state != "done", -(row.percentile or 0), row.bundle_id))

    def drawn_result(self, series_key: str) -> ResultRow | None:
        """The result whose overlay and reconstruction are drawn: of the model that was asked for, else the most abnormal one."""
        scored = [row for row in self.results_of(series_key) if row.state == "done"]
        return next((row for row in scored if row.bundle_hash == self.model), scored[0] if scored else None)

    def show_model(self, bundle_hash: str) -> None:
        """Draw another model's overlay; one that has not scored the series on screen is ignored."""
        drawn = self.drawn_result(self.series_key)
        scored = {row.bundle_hash for row in self.results_of(self.series_key) if row.state == "done"}
        if bundle_hash in scored and (drawn is None or drawn.bundle_hash != bundle_hash):
            self.model = bundle_hash
            self._tell("model")

    def next_model(self) -> None:
        """Draw the overlay of the next model that scored the series on screen, the first after the last."""
        drawn = self.drawn_result(self.series_key)
        hashes = [row.bundle_hash for row in self.results_of(self.series_key) if row.state == "done"]
        if drawn is not None:
            self.show_model(hashes[(hashes.index(drawn.bundle_hash) + 1) % len(hashes)])

    def remember(self, study_uid: str, before: Verdict, note: str = "") -> None:
        """A reading was just saved; `before` is how the study stood, and with which note."""
        self.past.append(PastReading(study_uid, before, note))

    def take_back(self) -> PastReading | None:
        """The latest reading of this sitting, removed from the list; None when there is none."""
        return self.past.pop() if self.past else None

    def _most_abnormal(self) -> str:
        if not self.series:
            return ""
        highest = {one.key: -1.0 for one in self.series}
        for row in self.results:
            if row.current and row.percentile is not None and row.series_key in highest:
                highest[row.series_key] = max(highest[row.series_key], row.percentile)
        return max(self.series, key=lambda one: highest[one.key]).key

    def _tell(self, change: Change) -> None:
        for listener in self._listeners:
            listener(change)
