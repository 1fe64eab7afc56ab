"""Work off the GUI thread: answers arrive on the GUI thread, errors are never lost, and what was cancelled stays silent."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest
from PySide6.QtCore import QCoreApplication, QObject, QThread
from pytestqt.qtbot import QtBot

from app.tasks import Progress, TaskControl, run_task
from engine.errors import UnreadableImage

pytestmark = pytest.mark.usefixtures("qapp")


def fail_on_error(error: Exception) -> None:
    raise AssertionError(f"unexpected: {error!r}") from error


def test_the_work_runs_elsewhere_and_its_result_arrives_on_the_gui_thread(qtbot: QtBot) -> None:
    application = QCoreApplication.instance()
    assert application is not None
    gui = application.thread()
    threads: dict[str, bool] = {}

    def work(control: TaskControl) -> int:
        threads["work"] = QThread.currentThread() is gui
        return 42

    results: list[int] = []

    def arrived(result: int) -> None:
        threads["result"] = QThread.currentThread() is gui
        results.append(result)

    task = run_task(work, arrived, fail_on_error)
    qtbot.waitUntil(lambda: not task.running)
    assert results == [42]
    assert threads == {"work": False, "result": True}


def test_a_result_never_arrives_before_run_task_has_returned(qtbot: QtBot) -> None:
    order: list[str] = []
    task = run_task(lambda control: None, lambda result: order.append("result"), fail_on_error)
    order.append("returned")
    qtbot.waitUntil(lambda: not task.running)
    assert order == ["returned", "result"]


def test_progress_and_parts_arrive_in_the_order_in_which_they_were_sent(qtbot: QtBot) -> None:
    seen: list[Any] = []

    def work(control: TaskControl) -> str:
        for step in range(50):
            control.progress(step / 50, "reading")
            control.partial(step)
        return "done"

    run_task(work, seen.append, fail_on_error, seen.append, on_partial=seen.append)
    qtbot.waitUntil(lambda: "done" in seen)
    expected = [item for step in range(50) for item in (Progress(step / 50, "reading"), step)]
    assert seen == [*expected, "done"]


def test_an_error_arrives_whole(qtbot: QtBot) -> None:
    raised = UnreadableImage("it is empty", where="a.dcm", cure="Copy it again.")

    def work(control: TaskControl) -> None:
        raise raised

    errors: list[Exception] = []
    results: list[object] = []
    run_task(work, results.append, errors.append)
    qtbot.waitUntil(lambda: bool(errors))
    assert errors == [raised]
    assert results == []


def test_a_fault_of_ours_is_also_logged_with_its_traceback(qtbot: QtBot, caplog: pytest.LogCaptureFixture) -> None:
    errors: list[Exception] = []
    with caplog.at_level(logging.ERROR, "app.tasks"):
        run_task(lambda control: 1 // 0, lambda result: None, errors.append)
        qtbot.waitUntil(lambda: bool(errors))
    assert isinstance(errors[0], ZeroDivisionError)
    assert any(record.exc_info for record in caplog.records)


def test_nothing_but_finished_is_called_after_cancelling(qtbot: QtBot) -> None:
    begun, go_on = threading.Event(), threading.Event()
    seen: list[str] = []

    def work(control: TaskControl) -> str:
        control.partial("early")
        begun.set()
        go_on.wait(5)
        assert control.cancelled()
        control.partial("late")
        return "result"

    task = run_task(
        work,
        seen.append,
        lambda error: seen.append("error"),
        on_partial=seen.append,
        on_finished=lambda: seen.append("finished"),
    )
    assert begun.wait(5)
    task.cancel()  # the early part is queued already, and must not arrive either
    go_on.set()
    qtbot.waitUntil(lambda: not task.running)
    assert seen == ["finished"]


def test_a_task_cancelled_before_it_starts_does_no_work(qtbot: QtBot) -> None:
    hold = threading.Event()
    busy = [run_task(lambda control: hold.wait(5), lambda result: None, fail_on_error) for _ in range(16)]
    worked: list[bool] = []
    task = run_task(lambda control: worked.append(True), lambda result: None, fail_on_error)
    task.cancel()
    hold.set()
    qtbot.waitUntil(lambda: not task.running and not any(other.running for other in busy))
    assert worked == []


def test_nobody_is_called_once_the_owner_is_gone(qtbot: QtBot) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def work(control: TaskControl) -> int:
        begun.set()
        go_on.wait(5)
        return 1

    owner = QObject()
    seen: list[object] = []
    task = run_task(work, seen.append, fail_on_error, on_finished=lambda: seen.append("finished"), owner=owner)
    assert begun.wait(5)
    owner.deleteLater()
    del owner
    QCoreApplication.sendPostedEvents(None, 52)  # QEvent.Type.DeferredDelete
    go_on.set()
    qtbot.waitUntil(lambda: not task.running)
    assert seen == []


def test_running_from_another_thread_is_refused(qtbot: QtBot) -> None:
    task = run_task(lambda control: None, lambda result: None, fail_on_error)
    qtbot.waitUntil(lambda: not task.running)
    refused: list[Exception] = []

    def elsewhere() -> None:
        try:
            run_task(lambda control: None, lambda result: None, fail_on_error)
        except RuntimeError as error:
            refused.append(error)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert "GUI thread" in str(refused[0])
