"""The host's side of its pipes: events out as JSON lines, commands in. Knows nothing of jobs or models."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
import time
from typing import Any

log = logging.getLogger(__name__)


class Events:
    """Writes one JSON object a line; from any thread. A reader that has gone is no reason to stop in the middle of a study."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()

    @classmethod
    def on_standard_output(cls) -> Events:
        """Take standard output for events alone: what libraries print goes to standard error from now on."""
        events = cls(os.dup(sys.stdout.fileno()))
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        return events

    def emit(self, event: str, **fields: Any) -> None:
        """Write the event and its fields (JSON values)."""
        line = json.dumps({"event": event, "time": round(time.time(), 3), **fields}) + "\n"
        with self._lock:
            rest = line.encode()
            try:
                while rest:
                    rest = rest[os.write(self._descriptor, rest) :]
            except OSError as error:
                log.info("nobody reads the events: %s", error)


class Stop:
    """Whether, and why, the host is to end. Set by a command, a signal, or the end of standard input."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self.reason = ""
        self.since = 0.0

    def ask(self, reason: str) -> None:
        """Ask the host to end; the first reason is kept."""
        if not self._asked.is_set():
            self.reason, self.since = reason, time.monotonic()
            self._asked.set()

    def __bool__(self) -> bool:
        return self._asked.is_set()

    def wait(self, seconds: float) -> bool:
        """Sleep, but not beyond being asked; True when asked."""
        return self._asked.wait(seconds)

    def on_signals(self) -> None:
        """SIGTERM and SIGINT ask. Call from the main thread."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda received, _frame: self.ask(signal.Signals(received).name))

    def on_commands(self, descriptor: int) -> None:
        """Follow the commands on `descriptor` from a thread; its end asks too, for then the parent has died."""
        threading.Thread(target=self._follow, args=(descriptor,), name="commands", daemon=True).start()

    def _follow(self, descriptor: int) -> None:
        # read without Python's buffer: its lock, held by a blocked thread, would abort the interpreter at its end
        pending = b""
        while True:
            try:
                received = os.read(descriptor, 65536)
            except OSError:
                received = b""
            if not received:
                self.ask("standard input closed")
                return
            *lines, pending = (pending + received).split(b"\n")
            for line in lines:
                self._obey(line)

    def _obey(self, line: bytes) -> None:
        try:
            command = json.loads(line)["command"]
        except (ValueError, KeyError, TypeError):
            log.warning("not a command: %r", line[:200])
            return
        if command == "stop":
            self.ask("asked to stop")
        else:
            log.warning("unknown command: %r", command)
