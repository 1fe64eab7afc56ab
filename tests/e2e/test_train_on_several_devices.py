"""`normascope train --devices 2`: a bundle like any other, after a kill of everything at any moment too; and what cannot be is said before anything is read."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors import safe_open
from safetensors.torch import load_file

from engine.models.bundle import load_bundle
from tests.e2e.conftest import Command
from tests.e2e.test_train_command import write_cohort

EPOCHS = 25


def _asked(table: Path, out: Path, *more: str) -> list[str | Path]:
    words = ["train", "--method", "cae", "--normals", table, "--out", out, "--size", "32", "--epochs", str(EPOCHS)]
    return [*words, "--device", "cpu", "--option", "width=2", "--option", "bottleneck=4", "--option", "batch=4", *more]


def _state_and_parent(process: str) -> tuple[str, int]:
    """Of a process; "Z" when it is gone, or has ended and nobody has asked how."""
    try:
        state, parent = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[:2]
    except OSError:
        return "Z", 0
    return state, int(parent)


def _children(process: int) -> set[str]:
    every = (folder.name for folder in Path("/proc").glob("[0-9]*"))
    return {child for child in every if _state_and_parent(child)[1] == process}


def _runs(process: str) -> bool:
    return _state_and_parent(process)[0] != "Z"


def _epochs_done(checkpoint: Path) -> int:
    if not checkpoint.exists():
        return 0
    with safe_open(checkpoint, framework="pt") as file:
        return len(json.loads(file.metadata()["state"])["history"])


def _until(holds: Callable[[], bool], seconds: float) -> None:
    ends = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc to see which processes are left")
def test_a_run_on_two_devices_that_is_killed_leaves_no_process_and_goes_on_to_the_same_bundle(
    command: Command, tmp_path: Path
) -> None:
    table = write_cohort(tmp_path / "site", 40)
    whole = tmp_path / "whole.safetensors"
    trained = command(*_asked(table, whole, "--devices", "2"))
    assert trained.returncode == 0, trained.stderr
    assert load_bundle(whole).card.recipe["devices"] == 2
    assert load_bundle(whole).card.recipe["epochs_done"] == EPOCHS
    assert not whole.with_suffix(".run").exists()

    out, checkpoint = tmp_path / "killed.safetensors", tmp_path / "killed.run" / "checkpoint.safetensors"
    words = [sys.executable, "-m", "app.cli", *map(str, _asked(table, out, "--devices", "2"))]
    started = subprocess.Popen(words, stderr=subprocess.PIPE)
    _until(lambda: _epochs_done(checkpoint) > 1, 120)
    processes = _children(started.pid)
    os.kill(started.pid, signal.SIGKILL)
    started.wait()
    assert len(processes) >= 2
    _until(lambda: not any(_runs(process) for process in processes), 10)
    assert 1 < _epochs_done(checkpoint) < EPOCHS and not out.exists()

    other = command(*_asked(table, out, "--devices", "4", "--resume"))
    assert other.returncode == 1 and "began on 2 devices, not on 4" in " ".join(other.stderr.split())
    resumed = command(*_asked(table, out, "--resume"))
    assert resumed.returncode == 0, resumed.stderr
    assert load_bundle(out).card.recipe["devices"] == 2
    first, second = load_file(whole), load_file(out)
    assert first.keys() == second.keys() and all((value == second[name]).all() for name, value in first.items())


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--devices", "3"), "a batch of 4 images cannot be shared by 3 devices"),
        (("--devices", "4"), "each needs as many, and 2 at least"),
        (("--devices", "0"), "greater than or equal to 1"),
    ],
)
def test_devices_that_cannot_share_the_batch_are_refused_before_anything_is_read(
    command: Command, tmp_path: Path, more: tuple[str, ...], words: str
) -> None:
    refused = command(*_asked(tmp_path / "nothing.csv", tmp_path / "m.safetensors", *more))
    assert refused.returncode != 0 and words in " ".join(refused.stderr.split())
