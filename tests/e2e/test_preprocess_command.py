"""`normascope preprocess` as a shell runs it: a strip a series, a bad file is one line with the cure, and the rest goes on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from PIL import Image


def run(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "app.cli", "preprocess", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=240)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An arm on a film, once more on one of absurd spacing, a letter to the editor, and an image of one grey."""
    place = tmp_path / "films"
    place.mkdir()
    rows, columns = np.mgrid[:120, :90]
    arm = 30 + 150 * np.clip(1 - ((columns - 45) / (15 + rows / 20)) ** 2, 0, None) ** 0.5
    Image.fromarray(arm.astype(np.uint8)).save(place / "arm.png")
    Image.fromarray(np.full((64, 64), 90, np.uint8)).save(place / "grey.png")
    giant = SimpleITK.GetImageFromArray(arm.astype(np.uint8))
    giant.SetSpacing((5000, 5000))
    SimpleITK.WriteImage(giant, str(place / "giant.nii"))
    (place / "letter.dcm").write_text("Dear editor,")
    return place


def test_every_sound_file_gets_its_strip_and_the_others_are_named_with_the_cure(folder: Path, tmp_path: Path) -> None:
    finished = run(folder, "--out", tmp_path / "out", cwd=tmp_path)
    assert finished.returncode == 3, finished.stderr
    strips = sorted((tmp_path / "out").glob("*.png"))
    assert [strip.name.partition("-")[2] for strip in strips] == ["arm.png", "giant.png"]
    with Image.open(strips[0]) as picture:
        assert picture.width > 6 * 280, "original, four steps, the model's view and the way back"
    for name in ("grey.png", "letter.dcm", "giant.nii"):
        lines = [line for line in finished.stderr.splitlines() if name in line]
        assert len(lines) == 1 and lines[0].count(". ") >= 1, "what is wrong, and the cure, in one line"
    assert "Traceback" not in finished.stderr and "2 prepared, 2 not, 1 with an impossible spacing" in finished.stderr


def test_a_model_shows_its_own_preprocessing(folder: Path, tmp_path: Path, tiny_bundle_file: Path) -> None:
    finished = run(folder / "arm.png", "--model", tiny_bundle_file, "--out", tmp_path / "out", cwd=tmp_path)
    assert finished.returncode == 0, finished.stderr
    assert len(list((tmp_path / "out").glob("*.png"))) == 1


def test_an_unknown_step_is_answered_with_those_there_are(folder: Path, tmp_path: Path) -> None:
    finished = run(folder, "--steps", "carrier,sharpen", "--out", tmp_path / "out", cwd=tmp_path)
    assert finished.returncode == 1
    assert "sharpen" in finished.stderr and "foreground" in finished.stderr and "Traceback" not in finished.stderr
