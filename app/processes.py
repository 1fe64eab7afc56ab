"""Starts, watches and restarts the engine process. Talks to it only through its pipes; what it scores lies in the store."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QObject, QProcess, QProcessEnvironment, QTimer, Signal

from app.state.engine_state import (
    DEATHS_BEFORE_GIVING_UP,
    STATUS_ELSEWHERE,
    STATUS_NO_STORE,
    EngineState,
    EventLines,
    LastWords,
    rejected_model,
    restart_delay,
)

STOP_MILLISECONDS = 4000
"""How long a stopping engine may take to hand its jobs back before it is killed (which loses nothing either)."""
SOUND_SECONDS = 60.0
"""An engine that lived this long was not killed by what it started with: the back-off begins anew."""


class EngineProcess(QObject):
    """The engine host of one data folder: `python -m engine.host --data FOLDER`.

    Signals:
        state_changed(EngineState): what the status bar shows.
        scored(): a result or a failure was written to the store.
        model_rejected(Problem): a model's file cannot be used.
        gave_up(str): it died too often, or cannot work at all; why, in words.
    """

    state_changed = Signal(object)
    scored = Signal()
    model_rejected = Signal(object)
    gave_up = Signal(str)

    def __init__(self, data_folder: Path, *, command: list[str] | None = None, parent: QObject | None = None) -> None:
        """`command` replaces the interpreter and its arguments: for tests."""
        super().__init__(parent)
        self.state = EngineState()
        self._command = command or [sys.executable, "-m", "engine.host", "--data", str(data_folder)]
        self._deaths = 0
        self._wanted = False
        self._born = 0.0
        self._events = EventLines()
        self._words = LastWords()
        self._again = QTimer(self, singleShot=True)
        self._again.timeout.connect(self._launch)
        self._process = QProcess(self)
        self._process.setProcessEnvironment(engine_environment())
        self._process.readyReadStandardOutput.connect(self._read_events)
        self._process.readyReadStandardError.connect(self._read_log)
        self._process.finished.connect(self._ended)
        self._process.errorOccurred.connect(self._could_not_start)

    def start(self) -> None:
        """Start it, unless it runs; also after it was given up."""
        self._wanted = True
        self._deaths = 0
        if self._process.state() == QProcess.ProcessState.NotRunning:
            self._launch()

    def stop(self) -> None:
        """Ask it to stop, wait a little, then kill it. Blocks for at most `STOP_MILLISECONDS`."""
        self._wanted = False
        self._again.stop()
        if self._process.state() == QProcess.ProcessState.NotRunning:
            return
        self._process.write(b'{"command": "stop"}\n')
        self._process.closeWriteChannel()
        if not self._process.waitForFinished(STOP_MILLISECONDS):
            self._process.kill()
            self._process.waitForFinished(1000)

    @property
    def process_id(self) -> int:
        """Of the running process, 0 when there is none."""
        return self._process.processId()

    def _launch(self) -> None:
        self._events, self._words = EventLines(), LastWords()
        self._born = time.monotonic()
        self._set(EngineState(phase="starting"))
        self._process.start(self._command[0], self._command[1:])

    def _read_events(self) -> None:
        state = self.state
        scored = False
        for event in self._events.feed(bytes(self._process.readAllStandardOutput().data())):
            state = state.after(event)
            scored = scored or event.get("event") in ("done", "failed")
            if (problem := rejected_model(event)) is not None:
                self.model_rejected.emit(problem)
        self._set(state)
        if scored:
            self.scored.emit()

    def _read_log(self) -> None:
        self._words.feed(bytes(self._process.readAllStandardError().data()))

    def _could_not_start(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart:
            self._give_up(f"The engine could not be started ({self._process.errorString()}). Reinstall Normascope.")

    def _ended(self, status: int, how: QProcess.ExitStatus) -> None:
        """The process is gone: done, or dead."""
        self._read_events()
        self._read_log()
        if not self._wanted:
            self._set(EngineState(phase="off"))
            return
        crashed = how == QProcess.ExitStatus.CrashExit
        if not crashed and status == STATUS_NO_STORE:
            self._give_up(f"The engine cannot open the data folder. {self.state.problem or self._words.last}")
            return
        if not crashed and status == STATUS_ELSEWHERE:
            self._set(EngineState(phase="elsewhere"))
            self._again.start(int(restart_delay(99) * 1000))
            return
        self._deaths = 1 if time.monotonic() - self._born > SOUND_SECONDS else self._deaths + 1
        why = self._words.last or ("it was killed" if crashed else f"it ended with status {status}")
        if self._deaths > DEATHS_BEFORE_GIVING_UP:
            self._give_up(f"The engine died {self._deaths} times in a row ({why}). Use Study > Restart engine.")
            return
        self._set(EngineState(phase="restarting", problem=why))
        self._again.start(int(restart_delay(self._deaths) * 1000))

    def _give_up(self, why: str) -> None:
        self._wanted = False
        self._set(EngineState(phase="failed", problem=why))
        self.gave_up.emit(why)

    def _set(self, state: EngineState) -> None:
        if state != self.state:
            self.state = replace(state)
            self.state_changed.emit(self.state)


def engine_environment() -> QProcessEnvironment:
    """Ours, with output as it comes; and, where the checkout is run without being installed, with the engine on the path."""
    environment = QProcessEnvironment.systemEnvironment()
    environment.insert("PYTHONUNBUFFERED", "1")
    root = str(Path(__file__).parents[1])
    others = environment.value("PYTHONPATH")
    environment.insert("PYTHONPATH", f"{root}{os.pathsep}{others}" if others else root)
    return environment
