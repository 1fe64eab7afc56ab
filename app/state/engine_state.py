"""What the engine process says of itself, from its events, one JSON object a line (engine.host lists them). Knows no Qt and no process."""

from __future__ import annotations

import json
import re
from collections import deque
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from app.state.problems import Problem

Phase = Literal["off", "starting", "idle", "scoring", "paused", "restarting", "elsewhere", "failed"]

STATUS_ELSEWHERE = 4
"""Exit status: another engine works on this folder."""
STATUS_NO_STORE = 5
"""Exit status: the store cannot be opened; starting again would not help."""

DEATHS_BEFORE_GIVING_UP = 8


@dataclass(frozen=True)
class EngineState:
    """A moment of the engine.

    Attributes:
        phase: "elsewhere": another window's engine scores for this folder. "failed": it died too often and waits for the reader.
        device: "cpu", "cuda:0", ... as the engine names it, with the device's own name; "" until it has said so.
        model: title of the bundle in use, else its id.  waiting: jobs queued or running.
        per_minute: studies scored a minute, as the engine says; None before the first.
        problem: why it died, pauses or what it complains of, in words.
    """

    phase: Phase = "off"
    device: str = ""
    device_name: str = ""
    model: str = ""
    waiting: int = 0
    per_minute: float | None = None
    problem: str = ""

    def after(self, event: dict[str, Any]) -> EngineState:
        """The state once `event` has happened. Events of unknown kind change nothing."""
        kind = event.get("event")
        if kind == "started":
            return replace(self, phase="idle", problem="")
        if kind == "device":
            return replace(self, device=str(event.get("device", "")), device_name=str(event.get("name", "")))
        if kind == "model":
            return self._after_model(event)
        if kind == "progress":
            return self._after_progress(event)
        if kind == "paused":
            return replace(self, phase="paused", problem=str(event.get("error", "")))
        if kind == "idle":
            return replace(self, phase="idle", waiting=0, per_minute=None, problem="")
        if kind == "stopped":
            return replace(self, phase="off", problem=str(event.get("reason", "")))
        return self

    def _after_model(self, event: dict[str, Any]) -> EngineState:
        name = str(event.get("title") or event.get("id") or "")
        if event.get("state") == "rejected":
            return replace(self, problem=str(event.get("error", "")))
        return replace(self, phase="scoring", model=name, problem="")

    def _after_progress(self, event: dict[str, Any]) -> EngineState:
        waiting = int(event.get("queued") or 0) + int(event.get("running") or 0)
        rate = event.get("studies_a_minute")
        per_minute = float(rate) if isinstance(rate, int | float) and rate > 0 else self.per_minute
        phase: Phase = "scoring" if waiting else self.phase
        return replace(self, phase=phase, waiting=waiting, per_minute=per_minute, problem="")

    def in_words(self) -> str:
        """One line for the status bar: phase, device, model, queue, studies a minute."""
        words = {
            "off": "Engine off",
            "starting": "Engine starting…",
            "idle": "Engine ready",
            "scoring": "Scoring",
            "paused": "Engine paused",
            "restarting": "Engine restarting…",
            "elsewhere": "Scored by another window",
            "failed": "Engine stopped",
        }[self.phase]
        parts = [words, self.device]
        if self.phase == "scoring":
            parts.append(self.model)
            parts.append(f"{self.waiting:,} waiting" if self.waiting else "")
            parts.append(f"{self.per_minute:.0f} studies/min" if self.per_minute is not None else "")
        return "  ·  ".join(part for part in parts if part)


def rejected_model(event: dict[str, Any]) -> Problem | None:
    """What to list when the event says that a model's file cannot be used."""
    if event.get("event") != "model" or event.get("state") != "rejected":
        return None
    where, what, cure = (str(event.get(name, "")) for name in ("where", "what", "cure"))
    return Problem(where, what or str(event.get("error", "")), cure, "BundleRejected")


@dataclass
class EventLines:
    """Turns bytes as a pipe delivers them into events. Lines that are not JSON objects are dropped: the log is on the other pipe."""

    rest: bytes = b""

    def feed(self, chunk: bytes) -> list[dict[str, Any]]:
        """Events of all lines that are complete by now."""
        *lines, self.rest = (self.rest + chunk).split(b"\n")
        events = []
        for line in lines:
            try:
                event = json.loads(line.decode("utf-8", "replace"))
            except ValueError:
                continue
            if isinstance(event, dict):
                events.append(event)
        return events


_ROUTINE = re.compile(r"\S+ \S+ (DEBUG|INFO) ")
"""How the engine's log begins a line of what it does all day: "2026-01-31 10:20:30,123 INFO ..."."""


@dataclass
class LastWords:
    """The end of a process's log, which says why it died. What it does all day is no reason, and is left out."""

    lines: deque[str] = field(default_factory=lambda: deque(maxlen=30))

    def feed(self, chunk: bytes) -> None:
        """Keep the last lines."""
        said = (line.strip() for line in chunk.decode("utf-8", "replace").splitlines())
        self.lines.extend(line for line in said if line and not _ROUTINE.match(line))

    @property
    def last(self) -> str:
        """The last line, where Python states the error; "" when it said nothing."""
        return self.lines[-1] if self.lines else ""


def restart_delay(deaths: int) -> float:
    """Seconds to wait before the engine is started again after its `deaths`-th death in a row: 1, 2, 4, ... 30."""
    return float(min(2 ** (max(deaths, 1) - 1), 30))
