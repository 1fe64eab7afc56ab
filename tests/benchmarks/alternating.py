"""Times our work and a peer's, each in a process of its own: what ours asks of the memory allocator is for a whole process."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from statistics import median
from typing import Any

Work = Callable[[], object]
_work: Work


def alternating(
    make: Callable[..., Work], ours: tuple[Any, ...], peer: tuple[Any, ...], rounds: int
) -> tuple[float, float]:
    """Median seconds of our work and of the peer's.

    Args:
        make: called in each process with `ours` or `peer`; gives the work. At a module's top level, as processes are spawned.
        rounds: that count; one before them warms up. They alternate, so that other work on the machine meets both.
    """
    context = multiprocessing.get_context("spawn")
    times: tuple[list[float], list[float]] = ([], [])
    with context.Pool(1, _begin, (make, ours)) as first, context.Pool(1, _begin, (make, peer)) as second:
        for turn in range(rounds + 1):
            for pool, seconds in zip((first, second), times, strict=True):
                taken = pool.apply(_timed)
                if turn:
                    seconds.append(taken)
    return median(times[0]), median(times[1])


def _begin(make: Callable[..., Work], arguments: tuple[Any, ...]) -> None:
    global _work
    _work = make(*arguments)


def _timed() -> float:
    start = time.perf_counter()
    _work()
    return time.perf_counter() - start
