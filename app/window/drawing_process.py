"""The process that draws a model's fictional images (engine/host/drawing.py): started, asked and stopped here. Shows nothing."""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QObject, QProcess, Signal

from app.processes import engine_environment
from app.state.engine_state import EventLines, LastWords
from app.state.problems import Problem

COUNT = 24


@dataclass(frozen=True)
class Draft:
    """What is asked for: the same one brings the same images."""

    temperature: float
    seed: int


class DrawingProcess(QObject):
    """One model's. It stays while its window is open, so that only the first page waits for the model to be loaded.

    Signals:
        drawn(Draft, ndarray): the images that were asked for last, [COUNT, rows, columns] uint8.
        progress(int): how many of them are drawn.
        failed(Problem): why there are none.
    """

    drawn = Signal(object, object)
    progress = Signal(int)
    failed = Signal(object)

    def __init__(self, bundle: Path, *, command: list[str] | None = None, parent: QObject | None = None) -> None:
        """`command` replaces the interpreter and its arguments: for tests."""
        super().__init__(parent)
        self._command = command or [sys.executable, "-m", "engine.host.drawing", str(bundle)]
        self._wanted: Draft | None = None
        self._asked: Draft | None = None
        self._stopped = False
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._events, self._words = EventLines(), LastWords()
        self._process = QProcess(self)
        self._process.setProcessEnvironment(engine_environment())
        self._process.started.connect(self._ask)
        self._process.readyReadStandardOutput.connect(self._read_events)
        self._process.readyReadStandardError.connect(self._read_log)
        self._process.finished.connect(self._ended)
        self._process.errorOccurred.connect(self._could_not_start)

    @property
    def running(self) -> bool:
        """True while there is a process."""
        return self._process.state() != QProcess.ProcessState.NotRunning

    def draw(self, wanted: Draft) -> None:
        """Ask for images. What was asked for before and is not drawn yet is wanted no more."""
        self._wanted = wanted
        if not self.running:
            self._events, self._words = EventLines(), LastWords()
            self._process.start(self._command[0], self._command[1:])
        elif self._asked is None and self._process.state() == QProcess.ProcessState.Running:
            self._ask()

    def stop(self) -> None:
        """End the process, in the middle of an image if need be; nothing is said any more."""
        self._stopped = True
        if self.running:
            self._process.kill()
            self._process.waitForFinished(1000)
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def _ask(self) -> None:
        """Hand the process what is wanted now."""
        if self._wanted is None or self._stopped:
            return
        try:
            file = self._file()
        except OSError as error:
            self._fail(Problem("", f"the images cannot be kept ({error.strerror or error})", "Free some space."))
            return
        self._asked, draft = self._wanted, self._wanted
        command = {"command": "draw", "count": COUNT, "temperature": draft.temperature, "seed": draft.seed}
        self._process.write(f"{json.dumps(command | {'out': str(file)})}\n".encode())

    def _file(self) -> Path:
        """Where the process leaves the images. Raises OSError."""
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="normascope-", ignore_cleanup_errors=True)
        return Path(self._folder.name) / "images.npy"

    def _read_events(self) -> None:
        for event in self._events.feed(bytes(self._process.readAllStandardOutput().data())):
            if not self._stopped:
                self._heard(event)

    def _heard(self, event: dict[str, Any]) -> None:
        kind = event.get("event")
        if kind == "progress" and self._asked == self._wanted:
            self.progress.emit(int(event.get("done", 0)))
        elif kind in ("drawn", "failed") and self._asked != self._wanted:  # the reader has asked for others meanwhile
            self._asked = None
            self._ask()
        elif kind == "drawn":
            self._take()
        elif kind == "failed":
            where, what, cure, name = (str(event.get(part, "")) for part in ("where", "what", "cure", "kind"))
            self._fail(Problem(where, what, cure, name))

    def _take(self) -> None:
        try:
            images: npt.NDArray[np.uint8] = np.load(self._file())
        except (OSError, ValueError, EOFError) as error:
            self._fail(Problem("", f"the images cannot be read ({error})", "Draw again."))
            return
        draft, self._asked, self._wanted = self._asked, None, None
        self.drawn.emit(draft, images)

    def _fail(self, problem: Problem) -> None:
        self._asked = self._wanted = None
        self.failed.emit(problem)

    def _read_log(self) -> None:
        self._words.feed(bytes(self._process.readAllStandardError().data()))

    def _could_not_start(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart and not self._stopped:
            what = f"the process that draws could not be started ({self._process.errorString()})"
            self._fail(Problem("", what, "Reinstall Normascope."))

    def _ended(self) -> None:
        """It leaves by itself only when it dies."""
        self._read_events()
        self._read_log()
        if not self._stopped and self._wanted is not None:
            why = self._words.last or "its process was ended"
            self._fail(Problem("", f"the images could not be drawn ({why})", "Close other programs, and draw again."))
