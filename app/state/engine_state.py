"""What the engine process says of itself, from its events, one JSON object a line. Knows no Qt and no process."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Phase = Literal["off", "starting", "idle", "scoring", "restarting", "failed"]

RATE_SECONDS = 60.0


@dataclass(frozen=True)
class EngineState:
    """A moment of the engine.

    Attributes:
        phase: "failed" means that it died too often and waits for the reader to start it again.
        device: "cpu", "cuda", ... as the engine names it, "" until it has said so.
        model: id of the bundle in use.  queued: jobs that wait or run.
        per_minute: series scored in the last minute; None before the first.
        problem: why it died or what it complains of, in words.
    """

    phase: Phase = "off"
    device: str = ""
    model: str = ""
    queued: int = 0
    per_minute: float | None = None
    problem: str = ""
    finished_at: tuple[float, ...] = field(default=(), repr=False)

    def after(self, event: dict[str, Any], now: float) -> EngineState:
        """The state once `event` has happened at `now` (monotonic seconds). Events of unknown kind change nothing."""
        kind = event.get("event")
        queued = event.get("queued", self.queued)
        state = replace(self, queued=int(queued) if isinstance(queued, int | float) else self.queued)
        if device := event.get("device"):
            state = replace(state, device=str(device))
        if model := event.get("model") or event.get("bundle_id") or event.get("bundle"):
            state = replace(state, model=str(model))
        if kind == "started":
            return replace(state, phase="idle", problem="")
        if kind in ("progress", "model"):
            return replace(state, phase="scoring")
        if kind in ("done", "failed"):
            return state._finished(now)
        if kind == "idle":
            return replace(state, phase="idle", queued=int(event.get("queued", 0) or 0))
        if kind == "stopped":
            return replace(state, phase="off")
        return state

    def at(self, now: float) -> EngineState:
        """The state with its rate as of `now`."""
        recent = tuple(moment for moment in self.finished_at if now - moment <= RATE_SECONDS)
        if not recent:
            return replace(self, finished_at=(), per_minute=None)
        span = max(now - recent[0], 1.0)
        return replace(
            self, finished_at=recent, per_minute=(len(recent) - 1) * 60.0 / span if len(recent) > 1 else None
        )

    def _finished(self, now: float) -> EngineState:
        return replace(self, phase="scoring", finished_at=(*self.finished_at[-600:], now)).at(now)


@dataclass
class EventLines:
    """Turns bytes as a pipe delivers them into events; lines that are not JSON objects are kept as the last words of a dying engine."""

    rest: bytes = b""
    last_words: deque[str] = field(default_factory=lambda: deque(maxlen=20))

    def feed(self, chunk: bytes) -> list[dict[str, Any]]:
        """Events of all lines that are complete by now."""
        *lines, self.rest = (self.rest + chunk).split(b"\n")
        events = []
        for line in lines:
            text = line.decode("utf-8", "replace").strip()
            if not text:
                continue
            try:
                event = json.loads(text)
            except ValueError:
                event = None
            if isinstance(event, dict):
                events.append(event)
            else:
                self.last_words.append(text)
        return events


def restart_delay(deaths: int) -> float:
    """Seconds to wait before the engine is started again after its `deaths`-th death in a row: 1, 2, 4, ... 30."""
    return float(min(2 ** (max(deaths, 1) - 1), 30))
