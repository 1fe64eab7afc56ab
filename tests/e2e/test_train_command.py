"""From a folder of normals to a model in use: train, list, evaluate, score; and bad cohorts in one line."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.e2e.conftest import Command


def in_a_shell(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    words = [sys.executable, "-m", "app.cli", *map(str, arguments)]
    return subprocess.run(words, cwd=cwd, capture_output=True, text=True, timeout=280)


def write_cohort(folder: Path, normals: int, abnormals: int = 0, patients: int = 1000) -> Path:
    """Films of a bright disc on a gradient; an abnormal one has a second, smaller disc. A patient has at most `patients` films apart."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(5)
    rows, columns = np.mgrid[:48, :48]
    with (folder / "cohort.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["path", "patient_id", "label"])
        for index in range(normals + abnormals):
            centre = generator.normal(24, 2, 2)
            film = 60 + rows + 90 * (np.hypot(rows - centre[0], columns - centre[1]) < 12)
            if index >= normals:
                film = film + 90 * (np.hypot(rows - 10, columns - 36) < 5)
            film = np.clip(film + generator.normal(0, 4, film.shape), 0, 255).astype(np.uint8)
            Image.fromarray(film).save(folder / f"{index:03d}.png")
            table.writerow(
                [f"{index:03d}.png", f"patient-{index % patients}", "abnormal" if index >= normals else "normal"]
            )
    return folder / "cohort.csv"


@pytest.mark.slow
def test_normals_become_a_model_that_is_listed_evaluated_and_scores(command: Command, tmp_path: Path) -> None:
    table, bundle = write_cohort(tmp_path / "site", 64, 12), tmp_path / "disc.safetensors"
    other = write_cohort(tmp_path / "other", 24, 12)
    trained = command(
        *("train", "--method", "alpha-gan", "--normals", table, "--out", bundle, "--size", "32", "--epochs", "1"),
        *("--device", "cpu", "--option", "width=32", "--option", "code=8"),
    )
    assert trained.returncode == 0, trained.stderr
    assert "Percentiles come from" in " ".join(trained.stderr.split()), (
        "what limits the model is said, not only kept in its card"
    )
    assert bundle.is_file() and not bundle.with_suffix(".run").exists()

    boxes = tmp_path / "boxes.csv"
    boxes.write_text(
        "file,label,x,y,w,h,rows,columns\n" + "".join(f"{i:03d}.png,disc,31,5,10,10,48,48\n" for i in range(24, 36))
    )
    judged = command(
        *("evaluate", "--model", bundle, "--normals", other, "--abnormals", other, "--out", tmp_path / "e"),
        *("--against", bundle, "--boxes", boxes, "--study", "mean", "--batch", "8"),
    )
    assert judged.returncode == 0, judged.stderr
    assert "No difference" in judged.stderr and "of 12 marked regions" in judged.stderr
    assert {"comparison.json", "localisation.json"} <= {file.name for file in (tmp_path / "e").iterdir()}
    metrics = json.loads((tmp_path / "e" / "metrics.json").read_text())
    assert set(metrics) == {"code_norm", "reconstruction_error", "ssim", "local_error"}
    wanted = {"auroc", "auroc_ci95", "auprc", "youden_cutoff", "sensitivity", "specificity", "n_normal", "n_abnormal"}
    for metric in metrics.values():
        assert wanted <= set(metric) and (metric["n_normal"], metric["n_abnormal"]) == (24, 12)
        assert 0 <= metric["auroc_ci95"][0] <= metric["auroc"] <= metric["auroc_ci95"][1] <= 1
    assert list((tmp_path / "e").glob("*.png")), "plots"

    scored = command("score", other, "--model", bundle, "--out", tmp_path / "s")
    assert scored.returncode == 0, scored.stderr
    with (tmp_path / "s" / "results.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 36 * 4


@pytest.mark.parametrize(
    ("normals", "patients", "words"), [(12, 1000, "12"), (40, 1, "patient")], ids=["too few normals", "one patient"]
)
def test_a_cohort_that_cannot_be_used_is_one_line_with_a_cure(
    command: Command, tmp_path: Path, normals: int, patients: int, words: str
) -> None:
    table = write_cohort(tmp_path / "site", normals, patients=patients)
    refused = command("train", "--method", "alpha-gan", "--normals", table, "--out", tmp_path / "m.safetensors")
    assert refused.returncode == 1
    assert words in refused.stderr.splitlines()[-1]
    assert not (tmp_path / "m.safetensors").exists()


def test_the_same_images_as_normal_and_abnormal_are_refused(
    command: Command, tmp_path: Path, tiny_bundle_file: Path
) -> None:
    folder = write_cohort(tmp_path / "site", 24).parent
    (folder / "cohort.csv").unlink()
    refused = command(
        *("evaluate", "--model", tiny_bundle_file, "--normals", folder, "--abnormals", folder, "--out", tmp_path / "e")
    )
    assert refused.returncode == 1
    assert str(folder) in refused.stderr


def test_the_installed_models_are_listed_as_cards(tmp_path: Path) -> None:
    listed = in_a_shell("models", "--json", cwd=tmp_path)
    assert listed.returncode == 0, listed.stderr
    cards = {card["id"]: card for card in json.loads(listed.stdout)}
    assert {
        "chest-paediatric-alpha-gan",
        "chest-phantom-denoising-autoencoder",
        "hand-phantom-denoising-autoencoder",
    } <= set(cards)
    assert all(card["licence"] and card["training"]["licence"] for card in cards.values())
