"""The first window waits for no heavy library: what it does not need is imported after its first frame."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = (
    "torch",
    "SimpleITK",
    "skimage",
    "scipy",
    "sklearn",
    "matplotlib",
    "pydicom",
    "PIL",
    "qtawesome",
    "lightning_fabric",
)

CODE = """
import json, os, sys
from pathlib import Path
from app.workstation import show_window
application, window = show_window(Path(sys.argv[1]), None, with_engine=False)
def report():
    print(json.dumps(sorted(sys.modules)), flush=True)
    os._exit(0)
window.first_frame.connect(report)
application.exec()
"""


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", CODE, str(tmp_path_factory.mktemp("data"))]
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert finished.returncode == 0, finished.stderr
    return set(json.loads(finished.stdout))


def test_the_window_was_really_built(imported: set[str]) -> None:
    assert {"PySide6.QtWidgets", "app.main_window", "app.viewer.viewer", "engine.store.store"} <= imported


@pytest.mark.parametrize("module", HEAVY)
def test_heavy_library_is_not_imported_before_the_first_frame(imported: set[str], module: str) -> None:
    assert module not in imported
