"""Writes to the store off the GUI thread, one after another and in order, and none lost: on a full disk they wait. Decides nothing of what is written."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QObject, QTimer, Signal

from app.tasks import Task, TaskControl, run_task, wait_for_all
from engine.errors import StorageUnavailable

AGAIN_MILLISECONDS = 3000
"""How long a write that the store refused waits before it is tried again."""


@dataclass
class _Write:
    """One write; `done` is set by whichever thread carried it out."""

    operation: Callable[[], object]
    then: Callable[[], None]
    done: bool = False

    def carry_out(self) -> None:
        self.operation()
        self.done = True


class StoreWrites(QObject):
    """A reading must be in the store, and in the order in which it was given: so writes wait for one another, not for the reader.

    Signals:
        failed(Exception): a write could not be done. One that met a full disk, or a store that cannot be written to, is tried until it can, and
            the next wait for it; after a fault of another kind the next ones are tried all the same.
        caught_up(): what had to wait for the store is written.
    """

    failed = Signal(object)
    caught_up = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._waiting: deque[_Write] = deque()
        self._task: Task[None] | None = None
        self._refused = False  # the write in hand, by the store
        self._late = False  # some write since the last `caught_up`
        self._again = QTimer(self, singleShot=True)
        self._again.timeout.connect(self._start)

    def add(self, operation: Callable[[], object], then: Callable[[], None] = lambda: None) -> None:
        """Carry out `operation` on a worker after those before it, then call `then` on the GUI thread."""
        self._waiting.append(_Write(operation, then))
        if len(self._waiting) == 1:
            self._start()

    @property
    def pending(self) -> int:
        """Writes not yet done."""
        return len(self._waiting)

    @property
    def late(self) -> bool:
        """True while a write waits that the store has refused."""
        return self._late

    def flush(self) -> None:
        """Have all writes done before returning. For closing the window: no callback is called."""
        self._again.stop()
        if self._task is not None:
            self._task.cancel()
        wait_for_all()
        while self._waiting:
            write = self._waiting.popleft()
            if not write.done:
                try:
                    write.carry_out()
                except Exception as error:
                    self.failed.emit(error)

    def _start(self) -> None:
        write = self._waiting[0]

        def work(_: TaskControl) -> None:
            write.carry_out()

        self._task = run_task(
            work, lambda _: write.then(), self._could_not, on_finished=self._next, owner=self, priority=20
        )

    def _could_not(self, error: Exception) -> None:
        self._refused = isinstance(error, StorageUnavailable)
        self.failed.emit(error)

    def _next(self) -> None:
        if self._refused and self._waiting:
            self._refused, self._late = False, True
            self._again.start(AGAIN_MILLISECONDS)
            return
        if self._waiting:
            self._waiting.popleft()
        if self._waiting:
            self._start()
        elif self._late:
            self._late = False
            self.caught_up.emit()
