"""The engine process is started, watched, restarted when it dies, given up when it dies too often, and stopped without a trace."""

from __future__ import annotations

import os
import signal
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from app import processes
from app.processes import EngineProcess
from app.state.problems import Problem

Start = Callable[[str], EngineProcess]

SOUND = """
    import sys
    print('{"event": "started"}', flush=True)
    print('{"event": "device", "device": "cpu", "name": "a CPU"}', flush=True)
    for line in sys.stdin:
        if "stop" in line:
            break
"""


@pytest.fixture
def make(tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """An engine process that runs the given program; restarts wait no time."""
    monkeypatch.setattr(processes, "restart_delay", lambda deaths: 0.01)
    made: list[EngineProcess] = []

    def start(program: str) -> EngineProcess:
        file = tmp_path / f"program{len(made)}.py"
        file.write_text(textwrap.dedent(program))
        made.append(EngineProcess(tmp_path, command=[sys.executable, str(file)]))
        return made[-1]

    yield start
    for engine in made:
        engine.stop()


def test_state_follows_the_events(make: Start, qtbot: QtBot) -> None:
    engine = make(SOUND)
    engine.start()
    qtbot.waitUntil(lambda: engine.state.device == "cpu", timeout=15000)
    assert engine.state.phase == "idle"


def test_a_model_that_cannot_be_used_is_told_with_its_file_and_the_cure(make: Start, qtbot: QtBot) -> None:
    rejected = (
        '{"event": "model", "state": "rejected", "where": "/models/a.safetensors", "what": "cut", "cure": "Copy it."}'
    )
    engine = make(f"print('{rejected}', flush=True)\n" + textwrap.dedent(SOUND))
    with qtbot.waitSignal(engine.model_rejected, timeout=15000) as told:
        engine.start()
    assert told.args == [Problem("/models/a.safetensors", "cut", "Copy it.", "BundleRejected")]


def test_killed_engine_is_started_again(make: Start, qtbot: QtBot) -> None:
    engine = make(SOUND)
    engine.start()
    qtbot.waitUntil(lambda: engine.state.phase == "idle", timeout=15000)
    first = engine.process_id
    os.kill(first, signal.SIGKILL)
    qtbot.waitUntil(lambda: engine.state.phase == "idle" and engine.process_id not in (0, first), timeout=15000)


def test_stop_ends_it_and_it_stays_off(make: Start, qtbot: QtBot) -> None:
    engine = make(SOUND)
    engine.start()
    qtbot.waitUntil(lambda: engine.state.phase == "idle", timeout=15000)
    engine.stop()
    qtbot.wait(100)
    assert (engine.process_id, engine.state.phase) == (0, "off")


def test_engine_that_does_not_listen_is_killed(make: Start, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "STOP_MILLISECONDS", 100)
    engine = make('import time\nprint(\'{"event": "started"}\', flush=True)\ntime.sleep(60)')
    engine.start()
    qtbot.waitUntil(lambda: engine.state.phase == "idle", timeout=15000)
    engine.stop()
    assert engine.process_id == 0


def test_engine_that_always_dies_is_given_up_with_its_last_words(
    make: Start, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "DEATHS_BEFORE_GIVING_UP", 2)
    engine = make("raise SystemExit('no such device')")
    with qtbot.waitSignal(engine.gave_up, timeout=20000) as gave_up:
        engine.start()
    assert "3 times" in gave_up.args[0] and "no such device" in gave_up.args[0]
    assert engine.state.phase == "failed"


def test_another_engine_on_the_folder_is_not_an_error(make: Start, qtbot: QtBot) -> None:
    engine = make("raise SystemExit(4)")
    complaints: list[str] = []
    engine.gave_up.connect(complaints.append)
    engine.start()
    qtbot.waitUntil(lambda: engine.state.phase == "elsewhere", timeout=15000)
    assert complaints == []


def test_store_that_cannot_be_opened_is_not_tried_again(make: Start, qtbot: QtBot) -> None:
    engine = make("import sys\nprint('the disk is full', file=sys.stderr)\nsys.exit(5)")
    with qtbot.waitSignal(engine.gave_up, timeout=15000) as gave_up:
        engine.start()
    assert "the disk is full" in gave_up.args[0]


def test_the_real_engine_says_why_it_cannot_use_the_data_folder_and_what_to_do(tmp_path: Path, qtbot: QtBot) -> None:
    (tmp_path / "file").write_text("in the way")
    engine = EngineProcess(tmp_path / "file" / "data")
    with qtbot.waitSignal(engine.gave_up, timeout=30000) as gave_up:
        engine.start()
    assert "Not a directory" in gave_up.args[0] and "choose a folder that you may write to" in gave_up.args[0]


def test_program_that_is_not_there_is_said(tmp_path: Path, qtbot: QtBot) -> None:
    engine = EngineProcess(tmp_path, command=[str(tmp_path / "nothing")])
    with qtbot.waitSignal(engine.gave_up, timeout=5000) as gave_up:
        engine.start()
    assert "could not be started" in gave_up.args[0]


def test_results_are_announced(make: Start, qtbot: QtBot) -> None:
    engine = make('import sys\nprint(\'{"event": "done", "study_uid": "1"}\', flush=True)\nsys.stdin.read()')
    with qtbot.waitSignal(engine.scored, timeout=15000):
        engine.start()
