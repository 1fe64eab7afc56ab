"""What a person can cure ends a trainers' command with one line."""

from __future__ import annotations

import importlib
import runpy
import sys
import warnings
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("sampling", "--model nowhere --out {out}/a.png"),
        ("recalibrate", "--model nowhere --normals {out} --out {out}/a.safetensors"),
        ("repeats", "--method cae --normals {out}/nothing.csv --out {out}"),
        ("preprocessing_study", "--data {out} --out {out}"),
        ("starters.__main__", "knee-cae --data {out}/nothing --out {out}"),
        ("starters.figures", "--out {out}/nothing/results.md"),
        ("ratio_study", "checks {out}/nothing.safetensors --table {out}/nothing.csv"),
    ],
)
def test_an_error_is_one_line(
    module: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    importlib.import_module(f"trainers.{module}")
    monkeypatch.setattr(sys, "argv", [module, *words.format(out=tmp_path).split()])
    with pytest.raises(SystemExit) as left, warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # that the module was imported before
        runpy.run_module(f"trainers.{module}", run_name="__main__")
    said = capsys.readouterr().err
    assert left.value.code == 1 and said.startswith("normascope: ") and said.count("\n") == 1
