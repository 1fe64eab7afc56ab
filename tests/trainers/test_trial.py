"""One command trains every method for an epoch on 64 images and scores with what came of it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from engine.models.registry import METHODS
from trainers import trial

ON_CUDA = (
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device is here"),
)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=ON_CUDA)])
def test_every_method_trains_for_an_epoch_and_scores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], device: str
) -> None:
    monkeypatch.setattr("sys.argv", ["trial", "--out", str(tmp_path), "--device", device])
    trial.main()
    lines = {line.partition(":")[0]: line for line in capsys.readouterr().out.splitlines()}
    assert lines.keys() >= METHODS.keys()
    assert all("88 images scored" in lines[method] for method in METHODS)
    assert all((tmp_path / f"{method}.safetensors").is_file() for method in METHODS)
