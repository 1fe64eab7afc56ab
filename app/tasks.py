"""The one typed way to run work off the GUI thread. Every screen uses `run_task`; none makes threads of its own.

What it promises: callbacks run on the GUI thread, in the order in which the work reported; after `Task.cancel()` none of them
runs again except `on_finished`; an error always reaches `on_error` (or, after cancelling, the log). What it never does: touch
widgets from the worker, or keep a widget alive from it - the worker holds the operation and a control, never a callback.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event
from typing import Any, Generic, TypeVar

from PySide6.QtCore import QCoreApplication, QObject, QThread, QThreadPool, Signal
from shiboken6 import isValid

log = logging.getLogger(__name__)

Result = TypeVar("Result")


@dataclass(frozen=True)
class Progress:
    """How far a task is: `fraction` in [0, 1], or None when unknown, and what it is doing in the reader's words."""

    fraction: float | None
    doing: str = ""


class TaskControl:
    """What an operation may use of its task, from any thread: report, and ask whether it is still wanted."""

    def __init__(self, number: int, send: Callable[[int, str, object], None]) -> None:
        self._number = number
        self._send = send
        self._cancelled = Event()

    def cancelled(self) -> bool:
        """True once nobody wants the result; a long operation looks often and returns early."""
        return self._cancelled.is_set()

    def progress(self, fraction: float | None, doing: str = "") -> None:
        """Report how far the work is."""
        if not self.cancelled():
            self._send(self._number, "progress", Progress(fraction, doing))

    def partial(self, value: object) -> None:
        """Hand over a part of the result before the whole is ready (one slice of a volume)."""
        if not self.cancelled():
            self._send(self._number, "partial", value)

    def _cancel(self) -> None:
        self._cancelled.set()


@dataclass
class _Callbacks:
    """What to call on the GUI thread; lives there only, so that no widget is ever released by a worker."""

    on_result: Callable[[Any], None]
    on_error: Callable[[Exception], None]
    on_progress: Callable[[Progress], None] | None
    on_partial: Callable[[Any], None] | None
    on_finished: Callable[[], None] | None
    owner: QObject | None


class Task(Generic[Result]):
    """One piece of work that was started with `run_task`."""

    def __init__(self, number: int, control: TaskControl) -> None:
        self._number = number
        self._control = control

    def cancel(self) -> None:
        """Nobody wants the result any more: nothing but `on_finished` is called from now on. The work stops when it next looks."""
        self._control._cancel()

    @property
    def cancelled(self) -> bool:
        """True after `cancel()`."""
        return self._control.cancelled()

    @property
    def running(self) -> bool:
        """True until the last callback has run."""
        return _desk is not None and self._number in _desk.open


class _Desk(QObject):
    """Lives on the GUI thread, takes what workers send and calls the callbacks of the task it belongs to."""

    sent = Signal(int, str, object)

    def __init__(self) -> None:
        super().__init__()
        self.open: dict[int, tuple[TaskControl, _Callbacks]] = {}
        self.pool = QThreadPool()
        self.pool.setMaxThreadCount(max(4, QThread.idealThreadCount()))
        self.pool.setObjectName("tasks")
        self.sent.connect(self._receive)

    def send(self, number: int, what: str, value: object) -> None:
        """From any thread. Qt queues it to the GUI thread, also when the sender is that thread's own."""
        self.sent.emit(number, what, value)

    def _receive(self, number: int, what: str, value: object) -> None:
        entry = self.open.get(number)
        if entry is None:
            return
        control, callbacks = entry
        alive = callbacks.owner is None or isValid(callbacks.owner)
        if what in ("result", "error"):
            del self.open[number]
        try:
            if alive and not control.cancelled():
                _call(callbacks, what, value)
            elif what == "error":
                log.info(
                    "a cancelled task ended with an error", exc_info=value if isinstance(value, Exception) else None
                )
        finally:
            if what in ("result", "error") and alive and callbacks.on_finished is not None:
                callbacks.on_finished()


def _call(callbacks: _Callbacks, what: str, value: Any) -> None:
    if what == "result":
        callbacks.on_result(value)
    elif what == "error":
        callbacks.on_error(value)
    elif what == "progress" and callbacks.on_progress is not None:
        callbacks.on_progress(value)
    elif what == "partial" and callbacks.on_partial is not None:
        callbacks.on_partial(value)


_desk: _Desk | None = None
_numbers = itertools.count(1)


def _the_desk() -> _Desk:
    """The application's one desk, made by the first task on the GUI thread."""
    global _desk
    application = QCoreApplication.instance()
    if application is None:
        raise RuntimeError("run_task needs a QApplication")
    if QThread.currentThread() != application.thread():
        raise RuntimeError("run_task is called from the GUI thread only")
    if _desk is None or not isValid(_desk):
        _desk = _Desk()
        application.aboutToQuit.connect(cancel_all)
    return _desk


def run_task(
    op: Callable[[TaskControl], Result],
    on_result: Callable[[Result], None],
    on_error: Callable[[Exception], None],
    on_progress: Callable[[Progress], None] | None = None,
    *,
    on_partial: Callable[[Any], None] | None = None,
    on_finished: Callable[[], None] | None = None,
    owner: QObject | None = None,
    priority: int = 0,
) -> Task[Result]:
    """Run `op(control)` on a worker thread. Call from the GUI thread; every callback runs there.

    op: captures all that it needs (values, arrays; never a widget) and returns the result. It may call `control.progress` and
        `control.partial`, and should return early when `control.cancelled()`.
    on_error: gets whatever `op` raised: a `NormascopeError` says what to tell the reader; anything else is a fault of ours
        (also logged with its traceback).
    on_finished: runs last in every case, cancelled or not, unless `owner` is gone.
    owner: a QObject without which nobody wants the result: once Qt has destroyed it no callback runs.
    priority: higher starts earlier when all workers are busy.
    """
    desk = _the_desk()
    number = next(_numbers)
    control = TaskControl(number, desk.send)
    callbacks = _Callbacks(on_result, on_error, on_progress, on_partial, on_finished, owner)
    desk.open[number] = (control, callbacks)
    desk.pool.start(lambda: _work(op, control), priority)
    return Task(number, control)


def _work(op: Callable[[TaskControl], Any], control: TaskControl) -> None:
    """On the worker: run, and send exactly one result or error."""
    number, send = control._number, control._send
    if control.cancelled():
        send(number, "result", None)
        return
    try:
        value = op(control)
    except Exception as error:
        from engine.errors import NormascopeError

        if not isinstance(error, NormascopeError) and not control.cancelled():
            log.exception("a task failed")
        send(number, "error", error)
    else:
        send(number, "result", value)


def cancel_all() -> None:
    """Cancel every task; for closing the application."""
    if _desk is not None and isValid(_desk):
        for control, _ in list(_desk.open.values()):
            control._cancel()


def wait_for_all(milliseconds: int = 5000) -> bool:
    """Wait until no worker runs (their callbacks may still be queued). False when time ran out."""
    return _desk is None or not isValid(_desk) or _desk.pool.waitForDone(milliseconds)
