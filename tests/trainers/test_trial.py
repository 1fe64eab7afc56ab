"""One command trains every method for an epoch on 64 images and scores with what came of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.models.registry import METHODS
from trainers import trial


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_method_trains_for_an_epoch_and_scores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["trial", "--out", str(tmp_path), "--device", "cpu"])
    trial.main()
    lines = {line.partition(":")[0]: line for line in capsys.readouterr().out.splitlines()}
    assert lines.keys() >= METHODS.keys()
    assert all("88 images scored" in lines[method] for method in METHODS)
    assert all((tmp_path / f"{method}.safetensors").is_file() for method in METHODS)
