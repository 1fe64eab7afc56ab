"""The real engine process behind the real window: studies are scored as they are opened, and killing it loses none."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from PySide6.QtCore import QCoreApplication, QEvent
from pytestqt.qtbot import QtBot

from app.main_window import MainWindow
from app.processes import EngineProcess
from app.state.settings import Settings
from engine.models import shelf
from engine.models.bundle import save_bundle
from engine.models.card import Calibration, InputSpec, ScoreCalibration
from engine.models.registry import model_class
from engine.models.shelf import InstalledBundle
from engine.store import Store

pytestmark = pytest.mark.slow


@pytest.fixture
def window(
    dressed: None, bundle: InstalledBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> Iterator[MainWindow]:
    """A window whose one model is a real, untrained network."""
    torch.manual_seed(0)
    model = model_class("alpha-gan")(size=16, width=16).eval()
    with torch.inference_mode():
        scores = model.anomaly(torch.zeros(1, 1, 16, 16)).scores
    normals = {name: ScoreCalibration(normal_scores=(0.0, 1.0, 2.0), n=3) for name in scores}
    card = bundle.card.model_copy(
        update={
            "architecture": model.architecture,
            "input": InputSpec(spatial_dims=2, size=(16, 16)),
            "primary_score": model.primary_score,
            "calibration": Calibration(scores=normals),
        }
    )
    saved = save_bundle(bundle.path, model, card, torch.zeros(1, 16, 16), torch.ones(1, 16, 16))
    monkeypatch.setattr(shelf, "installed", lambda **_: [InstalledBundle(card.id, bundle.path, saved, card)])
    store = Store(None, tmp_path / "data")
    made = MainWindow(store, Settings(), engine=EngineProcess(tmp_path / "data"))
    made.show()
    yield made
    made.close()
    made.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    store.close()


def test_studies_are_scored_although_the_engine_is_killed(window: MainWindow, archive: Path, qtbot: QtBot) -> None:
    assert window.engine is not None
    qtbot.waitUntil(lambda: window.engine.state.phase == "idle", timeout=60000)  # type: ignore[union-attr]
    first = window.engine.process_id
    window.open_paths([str(archive)])
    qtbot.waitUntil(lambda: window.store.counts().waiting + window.store.counts().done > 0, timeout=20000)
    os.kill(first, signal.SIGKILL)
    qtbot.waitUntil(lambda: window.store.counts().done == 5, timeout=120000)
    qtbot.waitUntil(lambda: sum(row.percentile is not None for row in window.worklist.model.rows) == 5, timeout=10000)
    assert window.engine.process_id not in (0, first)
    qtbot.waitUntil(lambda: window.viewer.action("overlay").isEnabled() or window.viewer.view.slice_count > 1)
