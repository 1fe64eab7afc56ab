"""Processes that work together end together: by an error of one, by a kill of one, and with the process that started them."""

from __future__ import annotations

import multiprocessing
import os
import time
from pathlib import Path

import pytest
import torch

from engine.errors import TrainingFailed
from tests.trainers.device_work import killed_one, leading, refused_by_one, telling
from trainers.devices import Devices, _first_cause, on_every_device

PAIR = Devices("cpu", 2)


class Enough(Exception):
    pass


def _unheard(said: object) -> None:
    pass


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.slow
def test_an_error_of_one_device_ends_all_and_is_the_one_that_is_raised() -> None:
    with pytest.raises(TrainingFailed, match="the second device cannot") as caught:
        on_every_device(refused_by_one, PAIR, _unheard)
    assert caught.value.cure == "Try another."


@pytest.mark.slow
def test_a_device_whose_process_is_killed_is_told_from_those_that_waited_for_it() -> None:
    with pytest.raises(TrainingFailed, match=r"device 1 ended before its work was done \(signal 9\)") as caught:
        on_every_device(killed_one, PAIR, _unheard)
    assert "Resume the run" in caught.value.cure


def test_a_complaint_that_another_is_gone_is_not_taken_for_the_reason() -> None:
    """Which of the two is heard first, a death or the complaint about it, is chance."""
    dying = multiprocessing.get_context("spawn").Process(target=os._exit, args=(3,), name="device 1")
    dying.start()
    complaint = RuntimeError("[gloo/transport/tcp/pair.cc:534] Connection closed by peer [127.0.0.1]:20475\nmore")
    assert "device 1 ended before its work was done (status 3)" in str(_first_cause(complaint, [dying]))
    assert "the devices lost each other ([gloo" in str(_first_cause(complaint, []))
    own = torch.OutOfMemoryError("CUDA out of memory")
    assert _first_cause(own, []) is own


@pytest.mark.slow
def test_who_listens_hears_in_its_own_thread_and_may_end_everything() -> None:
    processes = list[int]()

    def hear(process: int) -> None:
        processes.append(process)
        if len(processes) == 2:
            raise Enough

    began = time.monotonic()
    with pytest.raises(Enough):
        on_every_device(telling, PAIR, hear)
    assert time.monotonic() - began < 100 and not any(_runs(process) for process in processes)


@pytest.mark.slow
def test_a_run_that_is_killed_leaves_no_folder_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    context = multiprocessing.get_context("spawn")
    reader, writer = context.Pipe(duplex=False)
    run = context.Process(target=leading, args=(writer,))
    run.start()
    assert reader.poll(100) and reader.recv() != reader.recv()
    assert list(tmp_path.glob("normascope-*"))
    run.kill()
    run.join()
    until = time.monotonic() + 30
    while list(tmp_path.glob("normascope-*")):
        assert time.monotonic() < until
        time.sleep(0.05)
