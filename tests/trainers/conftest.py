"""Small cohorts of drawn chests as PNG files: enough to run every step, too little to learn from."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from engine.models.bundle import save_bundle
from engine.models.ratio_posterior import RatioPosterior
from tests.cards import card_of

Make = Callable[..., Path]


def drawn(seed: int, abnormal: bool = False, side: int = 48) -> np.ndarray:
    """Two dark lungs on a bright body, uint8; an abnormal one has a white lung."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    dx, dy = generator.normal(0, 0.04, 2)
    lungs = [np.exp(-((((x - dx - c) / 0.25) ** 2 + ((y - dy) / 0.55) ** 2) ** 2)) for c in (-0.42, 0.42)]
    if abnormal:
        lungs[int(generator.integers(2))] *= 0.1
    grey = 0.8 - 0.65 * (lungs[0] + lungs[1]) + generator.normal(0, 0.01, x.shape)
    return (np.clip(grey, 0, 1) * 255).astype(np.uint8)


@pytest.fixture
def cohort_csv(tmp_path: Path) -> Make:
    """Write PNG files and a CSV that names their patients and labels."""

    def made(normals: int = 40, abnormals: int = 0, patients: int | None = None, name: str = "cohort") -> Path:
        folder = tmp_path / name
        folder.mkdir()
        with (folder / "cohort.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["path", "patient_id", "label"])
            for index in range(normals + abnormals):
                abnormal = index >= normals
                Image.fromarray(drawn(index, abnormal)).save(folder / f"{index:03d}.png")
                patient = f"P{index % (patients or normals + abnormals)}"
                writer.writerow([f"{index:03d}.png", patient, "abnormal" if abnormal else "normal"])
        return folder / "cohort.csv"

    return made


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plots are made and named, but not drawn, which takes longer than all that they show: for tests of figures, not of pictures."""
    import matplotlib.pyplot as plt
    from matplotlib.figure import Figure

    from trainers import report

    def touched(figure: Figure, path: Path) -> None:
        plt.close(figure)
        path.touch()

    monkeypatch.setattr(report, "save", touched)


@pytest.fixture
def bundle_of(tmp_path: Path) -> Callable[[RatioPosterior], Path]:
    """Write a ratio posterior with a card that says nothing of it."""

    def written(model: RatioPosterior) -> Path:
        save_bundle(tmp_path / "small.safetensors", model, card_of(model), None, None, dtype=torch.float16)
        return tmp_path / "small.safetensors"

    return written
