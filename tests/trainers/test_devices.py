"""Processes that work together end together: by an error of one, by a kill of one, and with the process that started them."""

from __future__ import annotations

import os
import time

import pytest

from engine.errors import TrainingFailed
from tests.trainers.device_work import killed_one, refused_by_one, telling
from trainers.devices import Devices, on_every_device

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
