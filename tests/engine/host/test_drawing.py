"""The process that draws: pages on command, each error a line of its own, and the next command answered all the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.errors import BundleRejected
from engine.host.drawing import Drawer
from engine.models.autoencoder_3d import Autoencoder3D
from engine.models.base import AnomalyModel
from engine.models.bundle import save_bundle
from engine.models.fictional_images import fictional_images, load_sampler
from engine.models.glow3d_posterior import Glow3DPosterior
from tests.cards import card_of


class Heard:
    """Events as they would be written."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def emit(self, event: str, **fields: Any) -> None:
        self.events.append({"event": event, **fields})


def _saved(model: AnomalyModel, folder: Path) -> Path:
    path = folder / "small.safetensors"
    save_bundle(path, model.eval(), card_of(model), None, None)
    return path


def _command(out: Path, seed: int = 0) -> dict[str, Any]:
    return {"command": "draw", "count": 3, "temperature": 0.7, "seed": seed, "out": str(out)}


def test_volumes_come_as_middle_slices_and_an_error_ends_no_process(tmp_path: Path) -> None:
    path = _saved(Glow3DPosterior((4, 16, 16), levels=2, depth=1, width=4), tmp_path)
    commands = [_command(tmp_path / "a.npy"), _command(tmp_path / "no" / "b.npy"), _command(tmp_path / "c.npy", 1)]
    finished = subprocess.run(
        [sys.executable, "-m", "engine.host.drawing", str(path), "--device", "cpu"],
        input="".join(f"{json.dumps(command)}\n" for command in commands),
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert finished.returncode == 0, finished.stderr
    events = [json.loads(line) for line in finished.stdout.splitlines()]
    told = [event for event in events if event["event"] != "progress"]
    assert [event["event"] for event in told] == ["drawn", "failed", "drawn"]
    assert told[1]["kind"] == "StorageUnavailable" and told[1]["cure"]
    assert [event["done"] for event in events[:3]] == [1, 2, 3]
    first, second = np.load(tmp_path / "a.npy"), np.load(tmp_path / "c.npy")
    assert first.shape == (3, 16, 16) and first.dtype == np.uint8 and not np.array_equal(first, second)


def test_a_method_that_cannot_draw_is_told_each_time(tmp_path: Path) -> None:
    heard = Heard()
    drawer = Drawer(_saved(Autoencoder3D((16, 16, 16), width=2), tmp_path), "cpu", heard)  # type: ignore[arg-type]
    for _ in range(2):
        drawer.obey(_command(tmp_path / "a.npy"))
    assert [(event["event"], event["kind"]) for event in heard.events] == [("failed", "NotApplicable")] * 2


def test_images_that_are_no_numbers_are_not_shown(tiny_bundle_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle, network = load_sampler(tiny_bundle_file, "cpu")
    monkeypatch.setattr(type(network), "sample", lambda *_: torch.full((1, 1, 16, 16), torch.nan))
    with pytest.raises(BundleRejected, match="not all numbers"):
        fictional_images(bundle, network, count=1, temperature=1, seed=0)
