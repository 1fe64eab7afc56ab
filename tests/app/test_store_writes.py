"""Writes are carried out in order, off the GUI thread, and none is lost when the window closes."""

from __future__ import annotations

import threading

import pytest
from pytestqt.qtbot import QtBot

from app import store_writes
from app.store_writes import StoreWrites
from engine.errors import StorageUnavailable


def test_writes_keep_their_order_and_leave_the_gui_thread(qtbot: QtBot) -> None:
    writes, done, threads = StoreWrites(), [], set()

    def write(number: int) -> None:
        threads.add(threading.get_ident())
        done.append(number)

    for number in range(20):
        writes.add(lambda number=number: write(number))
    qtbot.waitUntil(lambda: writes.pending == 0)
    assert done == list(range(20))
    assert threading.get_ident() not in threads


def test_flush_carries_out_what_waits(qtbot: QtBot) -> None:
    writes, done, gate = StoreWrites(), [], threading.Event()

    def first() -> None:
        gate.wait(5)
        done.append(1)

    writes.add(first)
    writes.add(lambda: done.append(2))
    gate.set()
    writes.flush()
    assert done == [1, 2]
    assert writes.pending == 0


def test_a_write_that_fails_is_told_and_the_next_is_tried(qtbot: QtBot) -> None:
    writes, done = StoreWrites(), []
    with qtbot.waitSignal(writes.failed) as failed:
        writes.add(lambda: 1 // 0)
        writes.add(lambda: done.append(2))
    assert isinstance(failed.args[0], ZeroDivisionError)
    qtbot.waitUntil(lambda: done == [2])


def test_what_follows_a_write_runs_on_the_gui_thread(qtbot: QtBot) -> None:
    writes, threads = StoreWrites(), []
    writes.add(lambda: None, lambda: threads.append(threading.get_ident()))
    qtbot.waitUntil(lambda: bool(threads))
    assert threads == [threading.get_ident()]


def test_a_reading_that_meets_a_full_disk_is_kept_until_there_is_room_and_none_overtakes_it(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_writes, "AGAIN_MILLISECONDS", 20)
    writes, done, attempts = StoreWrites(), [], []

    def abnormal() -> None:
        attempts.append(1)
        if len(attempts) < 3:
            raise StorageUnavailable("the disk is full", where="/data", cure="Free some space and try again")
        done.append("abnormal")

    failures: list[Exception] = []
    writes.failed.connect(failures.append)
    with qtbot.waitSignal(writes.caught_up):
        writes.add(abnormal, lambda: done.append("shown"))
        writes.add(lambda: done.append("taken back"))
    assert done == ["abnormal", "shown", "taken back"]
    assert len(failures) == 2 and writes.pending == 0


def test_what_waits_for_room_is_tried_once_more_when_the_window_closes(qtbot: QtBot) -> None:
    writes, done, full = StoreWrites(), [], [True]

    def read() -> None:
        if full:
            raise StorageUnavailable("the disk is full", where="/data", cure="Free some space and try again")
        done.append(1)

    with qtbot.waitSignal(writes.failed):
        writes.add(read)
    full.clear()
    writes.flush()
    assert done == [1] and writes.pending == 0
