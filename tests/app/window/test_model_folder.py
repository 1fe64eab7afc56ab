"""Looking for new models never keeps the reader waiting."""

from __future__ import annotations

import threading

import pytest
from pytestqt.qtbot import QtBot

from app.window import model_folder
from app.window.model_folder import Files, ModelFolder


def test_a_folder_that_does_not_answer_keeps_nobody_waiting_and_is_asked_once(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, asked = threading.Event(), []

    def hanging() -> Files:
        asked.append(threading.current_thread())
        answers.wait(20)
        return frozenset({("new.safetensors", 1, 1)})

    monkeypatch.setattr(model_folder, "bundle_files", hanging)
    folder = ModelFolder()
    said: list[None] = []
    folder.changed.connect(lambda: said.append(None))
    folder.watch(frozenset())
    folder._look()  # returns although the folder hangs
    qtbot.waitUntil(lambda: bool(asked))
    folder._look()
    assert len(asked) == 1 and asked[0] is not threading.main_thread()
    answers.set()
    qtbot.waitUntil(lambda: not folder._looking.running)  # type: ignore[union-attr]
    assert not said  # the file may still be growing
    folder._look()
    qtbot.waitUntil(lambda: bool(said))
