"""`--screenshot` without a display: a PNG of the real window with the study's image in it, and status 0."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pytestqt.qtbot import QtBot

from app.main_window import MainWindow
from app.screenshot import Screenshot


@pytest.mark.slow
def test_screenshot_without_a_display(archive: Path, tmp_path: Path) -> None:
    picture, home = tmp_path / "window.png", tmp_path / "home"
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    }
    environment |= {"XDG_DATA_HOME": str(home), "XDG_CONFIG_HOME": str(home)}
    command = [
        sys.executable,
        "-m",
        "app.cli",
        "open",
        str(archive),
        "--screenshot",
        str(picture),
        "--data",
        str(tmp_path / "d"),
    ]
    root = Path(__file__).parents[2]
    finished = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=280)
    assert finished.returncode == 0, finished.stderr
    pixels = np.asarray(Image.open(picture).convert("L"))
    assert pixels.shape == (1000, 1600)
    middle = pixels[
        pixels.shape[0] // 3 : 2 * pixels.shape[0] // 3, 2 * pixels.shape[1] // 5 : 3 * pixels.shape[1] // 5
    ]
    assert middle.std() > 15, "the picture shows no image"


def test_a_picture_that_has_nowhere_to_go_is_said_and_ends_with_status_1(
    empty_window: MainWindow, tmp_path: Path, qtbot: QtBot, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    picture = Screenshot(empty_window, tmp_path / "file" / "window.png", expect_studies=False)
    with qtbot.waitSignal(picture.left, timeout=20000) as left:
        pass
    assert left.args == [1] and "could not be saved" in capsys.readouterr().err
