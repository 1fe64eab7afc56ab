"""One command trains every method for an epoch on 64 images and scores with what came of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from engine.models.registry import METHODS


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_method_trains_for_an_epoch_and_scores(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "trainers.trial", "--out", str(tmp_path), "--device", "cpu"]
    tried = subprocess.run(command, capture_output=True, text=True, timeout=880)
    assert tried.returncode == 0, tried.stderr
    lines = {line.partition(":")[0]: line for line in tried.stdout.splitlines()}
    assert lines.keys() >= METHODS.keys()
    assert all("88 images scored" in lines[method] for method in METHODS)
    assert all((tmp_path / f"{method}.safetensors").is_file() for method in METHODS)
