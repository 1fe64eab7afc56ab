"""Closing while files are opened and a volume is decoded ends cleanly: no Qt warning, no worker left, the engine stopped."""

from __future__ import annotations

import sys
from pathlib import Path

from pytestqt.qtbot import QtBot

from app.main_window import MainWindow
from app.processes import EngineProcess
from app.state.settings import Settings, load_settings
from app.tasks import wait_for_all
from engine.store import Store

OBEDIENT = (
    "import sys\nprint('{\"event\": \"started\"}', flush=True)\nfor line in sys.stdin:\n    if 'stop' in line: break\n"
)


def test_close_in_the_middle_of_opening(empty_window: MainWindow, archive: Path, qtbot: QtBot) -> None:
    empty_window.open_paths([str(archive)])
    qtbot.wait(30)
    empty_window.close()
    assert wait_for_all(100), "a worker still runs"
    qtbot.wait(50)


def test_close_stops_the_engine_and_keeps_the_settings(tmp_path: Path, qtbot: QtBot) -> None:
    store, file = Store(None, tmp_path / "data"), tmp_path / "settings.json"
    engine = EngineProcess(tmp_path, command=[sys.executable, "-c", OBEDIENT])
    window = MainWindow(store, Settings(reader="tester"), file, engine=engine)
    window.show()
    engine.start()
    qtbot.waitUntil(lambda: engine.state.phase == "idle", timeout=15000)
    window.commands["results"].trigger()
    window.close()
    store.close()
    assert engine.process_id == 0
    kept, complaint = load_settings(file)
    assert complaint == ""
    assert (kept.reader, kept.results_visible, kept.worklist_visible) == ("tester", False, True)
