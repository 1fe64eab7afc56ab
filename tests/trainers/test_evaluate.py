"""A model is never judged on the patients it has learned from, and a site's own patients are never mistaken for them."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.errors import CohortRejected
from trainers.alpha_gan import AlphaGANPlan
from trainers.evaluate import evaluate
from trainers.judging import read_sides, without_learned
from trainers.run import CardText, train

Make = Callable[..., Path]
PLAN = AlphaGANPlan(size=(16, 16), epochs=6, width=32, code=8)


def test_patients_the_model_learned_from_are_left_out_and_named(cohort_csv: Make, tmp_path: Path) -> None:
    source = cohort_csv(normals=60, abnormals=8)
    trained = train("alpha-gan", source, out=tmp_path / "m.safetensors", plan=PLAN, text=CardText(public_patients=True))
    notes: list[str] = []
    metrics = evaluate(trained.path, source, source, tmp_path / "report", on_note=notes.append)
    assert (metrics["ssim"].n_normal, metrics["ssim"].n_abnormal) == (11, 8)
    rows = list(csv.DictReader((tmp_path / "report" / "scores.csv").open()))
    assert sum("left out" in row["error"] for row in rows) == 49 and notes[0].startswith("49 images")

    good, bad = read_sides(source, source)
    summary = trained.card.training
    site = {"train": tuple(str(i) for i in range(200)), "validation": ("P050",)}
    other = trained.card.model_copy(update={"training": summary.model_copy(update={"split": site})})
    assert without_learned(good, bad, [other])[2] == ()
    everyone = {"train": tuple(sorted({*good.patients, *bad.patients}))}
    greedy = trained.card.model_copy(update={"training": summary.model_copy(update={"split": everyone})})
    with pytest.raises(CohortRejected, match="0 normal and 0 abnormal images are left"):
        without_learned(good, bad, [greedy])
