"""Writes to the store off the GUI thread, one after another and in order, and none lost when the window closes. Decides nothing of what is written."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QObject, Signal

from app.tasks import Task, TaskControl, run_task, wait_for_all


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
        failed(Exception): a write could not be done; the next ones are tried all the same.
    """

    failed = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._waiting: deque[_Write] = deque()
        self._task: Task[None] | None = None

    def add(self, operation: Callable[[], object], then: Callable[[], None] = lambda: None) -> None:
        """Carry out `operation` on a worker after those before it, then call `then` on the GUI thread."""
        self._waiting.append(_Write(operation, then))
        if len(self._waiting) == 1:
            self._start()

    @property
    def pending(self) -> int:
        """Writes not yet done."""
        return len(self._waiting)

    def flush(self) -> None:
        """Have all writes done before returning. For closing the window: no callback is called."""
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
            work, lambda _: write.then(), self.failed.emit, on_finished=self._next, owner=self, priority=20
        )

    def _next(self) -> None:
        if self._waiting:
            self._waiting.popleft()
        if self._waiting:
            self._start()
