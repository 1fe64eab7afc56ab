"""The engine's events become one line that a reader understands; broken lines and unknown events change nothing."""

from __future__ import annotations

import pytest

from app.state.engine_state import EngineState, EventLines, LastWords, restart_delay

PROGRESS = {"event": "progress", "queued": 3, "running": 1, "done": 9, "studies_a_minute": 41.6}


def after(*events: dict[str, object]) -> EngineState:
    state = EngineState(phase="starting")
    for event in events:
        state = state.after(event)
    return state


def test_scoring_says_device_model_queue_and_rate() -> None:
    state = after(
        {"event": "started"},
        {"event": "device", "device": "cuda:0", "name": "NVIDIA"},
        {"event": "model", "id": "chest", "title": "Chest alpha-GAN", "state": "ready"},
        PROGRESS,
    )
    assert state.in_words() == "Scoring  ·  cuda:0  ·  Chest alpha-GAN  ·  4 waiting  ·  42 studies/min"
    assert state.device_name == "NVIDIA"


def test_idle_after_the_last_study() -> None:
    state = after({"event": "started"}, {"event": "device", "device": "cpu"}, PROGRESS, {"event": "idle"})
    assert (state.phase, state.waiting) == ("idle", 0)
    assert state.in_words() == "Engine ready  ·  cpu"


def test_a_pause_keeps_its_reason() -> None:
    state = after({"event": "started"}, {"event": "paused", "error": "the disk is full", "seconds": 5})
    assert (state.phase, state.problem) == ("paused", "the disk is full")
    assert after({"event": "started"}, {"event": "paused", "error": "x"}, PROGRESS).problem == ""


def test_a_rejected_model_is_a_problem() -> None:
    assert (
        after({"event": "model", "id": "x", "state": "rejected", "error": "it is truncated"}).problem
        == "it is truncated"
    )


@pytest.mark.parametrize("event", [{}, {"event": "from the future"}, {"event": 3}])
def test_unknown_events_change_nothing(event: dict[str, object]) -> None:
    state = EngineState(phase="idle")
    assert state.after(event) == state


def test_events_arrive_in_pieces_and_among_prints() -> None:
    lines = EventLines()
    assert lines.feed(b'{"event": "star') == []
    assert lines.feed(b'ted"}\nsome library says hello\n[1]\n{"event": "idle"}\n{"ev') == [
        {"event": "started"},
        {"event": "idle"},
    ]
    assert lines.feed(b'ent": "stopped"}\n') == [{"event": "stopped"}]


def test_the_last_line_of_the_log_says_why_it_died() -> None:
    words = LastWords()
    words.feed(b"Traceback\n  File x\n")
    words.feed(b"RuntimeError: no\n\n")
    assert words.last == "RuntimeError: no"


def test_what_the_engine_does_all_day_is_no_reason_for_its_death() -> None:
    words = LastWords()
    words.feed(b"2026-01-31 10:20:30,123 INFO root: 1.2.3 was in hand when an engine ended: queued\n")
    assert words.last == "", "a killed engine has said no reason"
    words.feed(b"2026-01-31 10:20:31,456 ERROR engine.host.work: scoring stopped\n")
    words.feed(b"2026-01-31 10:20:32,789 INFO root: goes on\n")
    assert words.last.endswith("scoring stopped")


def test_restarts_wait_longer_each_time_up_to_half_a_minute() -> None:
    assert [restart_delay(deaths) for deaths in (1, 2, 3, 5, 9)] == [1, 2, 4, 16, 30]
