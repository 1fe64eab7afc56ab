"""The foot of the window says what is so now: that something waits to be scored only until it is."""

from __future__ import annotations

from pytestqt.qtbot import QtBot

from app.state.engine_state import EngineState
from app.window.status_line import StatusLine


def test_what_was_queued_is_said_until_it_is_scored_and_all_else_stays(qtbot: QtBot) -> None:
    line = StatusLine()
    qtbot.addWidget(line)
    line.show_engine(EngineState("idle"))
    line.show_queued("Queued 7 of 7 image series")
    line.show_engine(EngineState("idle"))  # before it has begun
    assert "Queued 7" in line.doing.text()
    line.show_engine(EngineState("scoring", waiting=7))
    line.show_engine(EngineState("idle"))
    assert line.doing.text() == ""
    line.show_engine(EngineState("scoring", waiting=7))
    line.show_doing("Opened 3 image series")
    line.show_engine(EngineState("idle"))
    assert "Opened 3" in line.doing.text()
