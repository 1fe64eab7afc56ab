"""Start the host: lock the folder, open the store, work until asked to stop. The protocol is in the package's docstring."""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import logging
import os
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from engine.errors import StorageUnavailable
from engine.host.events import Events, Stop
from engine.host.folder_lock import FolderInUse, FolderLock
from engine.host.warm import BundleModel, OpenModel, WarmModels
from engine.host.work import Work
from engine.store import Store
from engine.store.workers import this_worker

HEARTBEAT_SECONDS = 10.0
GRACE_SECONDS = 20.0
FOLDER_IN_USE, STORE_UNAVAILABLE, STALLED = 4, 5, 6


def main(arguments: Sequence[str] | None = None, *, open_model: OpenModel = BundleModel) -> int:
    """Run a host until it is asked to stop; returns the exit status. `open_model` loads a bundle."""
    parser = argparse.ArgumentParser(
        prog="python -m engine.host", description="Score the studies that wait in a data folder."
    )
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="the data folder")
    parser.add_argument("--url", help="the database, when it is not the one in the data folder")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--stall", type=float, default=900.0, help="give up on a series after so many seconds")
    options = parser.parse_args(arguments)

    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    faulthandler.enable()
    events, stop = Events.on_standard_output(), Stop()
    stop.on_signals()
    stop.on_commands(sys.stdin.fileno())

    def stopped(reason: str, status: int) -> int:
        events.emit("stopped", reason=reason, status=status)
        return status

    try:
        options.data.mkdir(parents=True, exist_ok=True)
        lock = FolderLock(options.data)
        store = Store(options.url, options.data)
        lost = store.requeue_lost()
    except FolderInUse as error:
        return stopped(str(error), FOLDER_IN_USE)
    except StorageUnavailable as error:
        return stopped(str(error), STORE_UNAVAILABLE)
    except OSError as error:
        what = f"the data folder cannot be written to ({error.strerror or error})"
        cure = "Free some space, or choose a folder that you may write to."
        return stopped(str(StorageUnavailable(what, where=options.data, cure=cure)), STORE_UNAVAILABLE)
    worker = this_worker()
    work = Work(store, worker, WarmModels(options.device, open_model=open_model), events, stop)
    for series_key, state in lost:
        logging.info("%s was in hand when an engine ended: %s", series_key, state)
    events.emit("started", worker=worker, pid=os.getpid(), folder=str(options.data), device=options.device)
    threading.Thread(target=_give_back, args=(work,), name="give back", daemon=True).start()
    threading.Thread(target=_watch, args=(work, options.stall), name="watch", daemon=True).start()
    work.run()
    store.close()
    lock.release()
    return stopped(stop.reason, 0)


def _give_back(work: Work) -> None:
    """At once when asked to stop: the window may close, and this process be killed, before the series in hand is scored."""
    while True:
        if work.stop.wait(3600):
            with contextlib.suppress(StorageUnavailable):
                work.give_back()
                return
            time.sleep(0.5)


def _watch(work: Work, stall: float) -> None:
    """Heartbeats; and the end of a host that hangs, in a decoder say: what is in hand is then found as lost, like after a crash."""
    next_beat = 0.0
    while True:
        time.sleep(0.5)
        now = time.monotonic()
        if work.stop and now - work.stop.since > GRACE_SECONDS:
            work.events.emit("stopped", reason=f"{work.stop.reason}; what was in hand did not end in time", status=0)
            os._exit(0)
        if work.in_hand and now - work.last_activity > stall:
            work.events.emit("stopped", reason=f"a series took longer than {stall:g} seconds", status=STALLED)
            os._exit(STALLED)
        if now > next_beat and work.in_hand:
            with contextlib.suppress(StorageUnavailable):  # the work loop meets the same, and says so
                work.store.heartbeat(work.worker)
            next_beat = now + HEARTBEAT_SECONDS


if __name__ == "__main__":
    sys.exit(main())
