"""A picture of the real window with the most abnormal study shown and its heatmap on, taken without anyone at the keyboard. Waits; forces nothing."""

from __future__ import annotations

import contextlib
import sys
import time
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal

from app.main_window import MainWindow

LOOK_MILLISECONDS = 200
SHOWN_SECONDS = 60.0
"""How long to wait for pixels."""
STARTED_SECONDS = 30.0
"""How long to wait for the engine to say that it runs."""
SCORED_SECONDS = 180.0
"""How long to wait, from the start, for scores; then the picture is taken as things are."""
SETTLE_SECONDS = 0.8
"""From the last change to the picture: the heatmap is loaded and drawn in it."""


class Screenshot(QObject):
    """Signals:
    left(int): the picture is saved (0) or could not be (1).
    """

    left = Signal(int)

    def __init__(self, window: MainWindow, path: Path, *, expect_studies: bool) -> None:
        super().__init__(window)
        self._window, self._path, self._expect = window, path, expect_studies
        self._begun = time.monotonic()
        self._settled_since: float | None = None
        self._topmost = False
        self._pixels = False
        window.viewer.shown.connect(self._see_pixels)
        window.viewer.failed.connect(self._see_pixels)
        self._timer = QTimer(self, interval=LOOK_MILLISECONDS)
        self._timer.timeout.connect(self._look)
        self._timer.start()

    def _see_pixels(self, *_: object) -> None:
        self._pixels = True

    def _look(self) -> None:
        """Take the picture once there is nothing left to wait for."""
        now = time.monotonic()
        if not self._ready(now - self._begun):
            self._settled_since = None
            return
        if not self._topmost:  # scores may have come since the first study was opened: show the most abnormal
            self._topmost = True
            first = self._window.most_abnormal_found()
            if first and first != self._window.reading.session.study_uid:
                self._pixels = False
                self._window.worklist.select(first)
                return
        overlay = self._window.viewer.action("overlay")
        if overlay.isEnabled() and not overlay.isChecked():
            overlay.trigger()
        self._settled_since = self._settled_since or now
        if now - self._settled_since >= SETTLE_SECONDS:
            self._take()

    def _ready(self, waited: float) -> bool:
        window = self._window
        if window.opening.bundles is None or window.opening.busy:
            return waited > SCORED_SECONDS
        if not window.worklist.everything:
            return waited > (5.0 if self._expect else 0.5)
        if waited <= SHOWN_SECONDS and not self._pixels:
            return False
        if waited <= STARTED_SECONDS and window.engine is not None and window.engine.state.phase == "starting":
            return False
        return waited > SCORED_SECONDS or not window.store.counts().waiting

    def _take(self) -> None:
        self._timer.stop()
        with contextlib.suppress(OSError):  # then there is nowhere to save it, which is said below
            self._path.parent.mkdir(parents=True, exist_ok=True)
        saved = self._window.grab().save(str(self._path))
        if not saved:
            print(
                f"normascope: {self._path}: the picture could not be saved. Name a writable .png file.", file=sys.stderr
            )
        self.left.emit(0 if saved else 1)
