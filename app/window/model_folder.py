"""Notices models that come into the user's folder of models, or go, while the window is open. Reads names and sizes, no file."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer, Signal

from app.tasks import Task, run_task

LOOK_MILLISECONDS = 2000

Files = frozenset[tuple[str, int, int]]
"""Name, bytes and time of change of each bundle."""


class ModelFolder(QObject):
    """Looks every two seconds: a folder on a network drive tells nobody of its changes.

    Signals:
    changed(): bundles came, went or were replaced. Said when two looks find the same, as a file that is still being copied grows.
    """

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._known: Files = frozenset()
        self._last: Files = frozenset()
        self._looking: Task[Files] | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_MILLISECONDS)
        self._timer.timeout.connect(self._look)

    def watch(self, known: Files) -> None:
        """Say what changes against what was `known` when the models were read."""
        self._known = self._last = known
        self._timer.start()

    def _look(self) -> None:
        """Off the GUI thread: a folder on a drive that does not answer keeps a look waiting, not the reader."""
        if self._looking is None or not self._looking.running:
            self._looking = run_task(lambda control: bundle_files(), self._seen, lambda problem: None, owner=self)

    def _seen(self, files: Files) -> None:
        before, self._last = self._last, files
        if self._last == before and self._last != self._known:
            self._known = self._last
            self.changed.emit()


def bundle_files() -> Files:
    """What is in the user's folder of models; nothing when it is not there or cannot be read."""
    from engine.models.shelf import SUFFIX, user_folder

    found = set()
    try:
        for path in user_folder().glob(f"*{SUFFIX}"):
            status = path.stat()
            found.add((path.name, status.st_size, status.st_mtime_ns))
    except OSError:  # gone between the two calls, or no folder: the next look will tell
        return frozenset()
    return frozenset(found)
