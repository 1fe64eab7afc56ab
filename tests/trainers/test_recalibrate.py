"""A model moves among other normals with its weights unchanged, and its figures stay those of its own validation unless they are measured again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from engine.errors import CohortRejected
from engine.models.bundle import load_bundle
from trainers.alpha_gan import AlphaGANPlan
from trainers.model_card import CardText
from trainers.recalibrate import recalibrate
from trainers.run import train

Make = Callable[..., Path]
PLAN = AlphaGANPlan(size=(16, 16), epochs=2, width=16, code=4)


@pytest.fixture
def model(cohort_csv: Make, tmp_path: Path) -> tuple[Path, Path]:
    table = cohort_csv(normals=60, abnormals=8, name="home")
    text = CardText(public_patients=True)
    return train("alpha-gan", table, out=tmp_path / "home.safetensors", plan=PLAN, text=text).path, table


def test_among_other_normals_percentiles_change_and_nothing_else(
    model: tuple[Path, Path], cohort_csv: Make, tmp_path: Path
) -> None:
    path, _ = model
    elsewhere = cohort_csv(normals=30, name="elsewhere")
    elsewhere.write_text(elsewhere.read_text().replace(",P", ",elsewhere-"))
    out = tmp_path / "moved.safetensors"
    made = recalibrate(path, elsewhere, out, device="cpu", cohort_name="the other hospital, 2026")
    before, after = load_bundle(path), load_bundle(made.path)
    assert all(table.n == 30 for table in after.card.calibration.scores.values())
    assert after.card.calibration.cohort == "30 normals of the other hospital, 2026"
    few = [limit for limit in after.card.limits if limit.startswith("Percentiles come from")]
    assert few == ["Percentiles come from 30 normals: no finer than steps of 3, so a flag means little."]
    assert before.card.limits != after.card.limits
    assert after.card.evaluation == before.card.evaluation
    for name, value in before.model.state_dict().items():
        assert torch.equal(after.model.state_dict()[name], value), name


def test_on_its_own_cohort_the_same_patients_give_the_same_tables_and_figures(
    model: tuple[Path, Path], tmp_path: Path
) -> None:
    path, table = model
    before, after = load_bundle(path), load_bundle(recalibrate(path, table, tmp_path / "again.safetensors").path)
    assert after.card.calibration.scores == before.card.calibration.scores
    assert after.card.evaluation == before.card.evaluation and after.card.evaluation
    assert before.heatmap_mean is not None and torch.equal(after.heatmap_mean, before.heatmap_mean)


def test_abnormal_images_are_no_calibration_cohort(model: tuple[Path, Path], cohort_csv: Make, tmp_path: Path) -> None:
    path, _ = model
    mixed = cohort_csv(normals=30, abnormals=5, name="mixed")
    mixed.write_text(mixed.read_text().replace(",P", ",mixed-"))
    with pytest.raises(CohortRejected, match="labelled abnormal"):
        recalibrate(path, mixed, tmp_path / "no.safetensors", device="cpu")


def test_labels_that_nobody_knows_make_no_calibration_cohort(
    model: tuple[Path, Path], cohort_csv: Make, tmp_path: Path
) -> None:
    path, _ = model
    mixed = cohort_csv(normals=30, abnormals=5, name="mixed")
    written = mixed.read_text().replace(",P", ",mixed-")
    mixed.write_text(written.replace(",normal", ",0").replace(",abnormal", ",1"))
    with pytest.raises(CohortRejected, match="no label of this table is normal or abnormal"):
        recalibrate(path, mixed, tmp_path / "no.safetensors", device="cpu")


def test_images_that_the_model_learned_from_are_no_calibration_cohort(model: tuple[Path, Path], tmp_path: Path) -> None:
    path, table = model
    learned = set(load_bundle(path).card.training.split["train"])
    header, *lines = table.read_text().splitlines()
    known = table.with_name("known.csv")
    known.write_text("\n".join([header, *(line for line in lines if learned & set(line.split(",")))]) + "\n")
    with pytest.raises(CohortRejected, match="learned from"):
        recalibrate(path, known, tmp_path / "no.safetensors", device="cpu")
    assert not (tmp_path / "no.safetensors").exists()
