"""From files to a bundle and from a bundle to figures; cohorts that cannot be used are refused in words."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image

from engine.errors import CohortRejected, NormascopeError, StorageUnavailable
from engine.models.bundle import load_bundle
from engine.models.card import ScoreCalibration
from engine.scoring.calibration import percentile
from trainers.alpha_gan import AlphaGANPlan
from trainers.cohort import read_cohort
from trainers.device_name import device_name
from trainers.evaluate import evaluate
from trainers.model_card import CardText
from trainers.run import train

Make = Callable[..., Path]
PLAN = AlphaGANPlan(size=(16, 16), epochs=6, width=32, code=8)


@pytest.mark.usefixtures("undrawn")
def test_train_writes_a_calibrated_bundle_that_evaluate_judges_as_its_card_says(
    cohort_csv: Make, tmp_path: Path
) -> None:
    source = cohort_csv(normals=60, abnormals=8)
    trained = train("alpha-gan", source, out=tmp_path / "m.safetensors", plan=PLAN, text=CardText(title="Drawn chests"))
    bundle = load_bundle(trained.path)
    card = bundle.card
    assert (card.training.n_train, card.training.n_calibration, card.training.n_validation_abnormal) == (42, 7, 8)
    assert all(table.n == 7 for table in card.calibration.scores.values())
    assert bundle.heatmap_mean is not None and (bundle.heatmap_p99 > bundle.heatmap_mean).all()
    assert set(card.evaluation) == {"code_norm", "reconstruction_error", "ssim", "local_error"}
    assert not (tmp_path / "m.run").exists()

    # the card's validation, done again from outside
    held = card.training.n_validation_normal
    assert card.evaluation["ssim"].n_normal == held == 11
    metrics = evaluate(trained.path, source, source, tmp_path / "report")
    written = json.loads((tmp_path / "report" / "metrics.json").read_text())
    assert written["ssim"]["auroc"] == metrics["ssim"].auroc and metrics["ssim"].n_normal == 60
    assert len(list(csv.DictReader((tmp_path / "report" / "scores.csv").open()))) == 68
    drawn = {file.name for file in (tmp_path / "report").glob("*.png")}
    assert {
        "roc.png",
        "histogram_ssim.png",
        "gallery_highest.png",
        "gallery_lowest.png",
        "reconstructions.png",
    } <= drawn


def test_patients_of_a_site_are_not_named_in_its_card(cohort_csv: Make, tmp_path: Path) -> None:
    trained = train("alpha-gan", cohort_csv(), out=tmp_path / "m.safetensors", plan=PLAN)
    named = {patient for part in trained.card.training.split.values() for patient in part}
    assert len(named) == 40 and not any(name.startswith("P") for name in named)


def test_a_normals_folder_without_labels_trains_without_evaluation(cohort_csv: Make, tmp_path: Path) -> None:
    folder = cohort_csv().parent
    (folder / "cohort.csv").unlink()
    trained = train("alpha-gan", folder, out=tmp_path / "m.safetensors", plan=PLAN)
    assert trained.card.evaluation == {} and trained.card.training.n_train == 28
    assert "0 abnormal images were left to judge it on" in trained.card.evaluation_note


def test_an_interrupted_training_resumes_with_its_own_plan(cohort_csv: Make, tmp_path: Path) -> None:
    source, out = cohort_csv(), tmp_path / "m.safetensors"

    class PulledPlug(Exception):
        pass

    def pull(progress: object) -> None:
        if getattr(progress, "epoch", 0) == 3:
            raise PulledPlug

    with pytest.raises(PulledPlug):
        train("alpha-gan", source, out=out, plan=PLAN, on_progress=pull)
    assert not out.exists()
    run = shutil.copytree(tmp_path / "m.run", tmp_path / "n.run")
    said: list[str] = []
    with pytest.raises(PulledPlug):
        train(
            "alpha-gan",
            source,
            out=run.with_suffix(".safetensors"),
            plan=PLAN,
            on_progress=lambda p: (said.append(p.what), pull(p)),
        )
    assert "begun anew" in said[0] and "--resume" in said[0]
    epochs: list[int] = []
    other = PLAN.model_copy(update={"epochs": 50})
    train("alpha-gan", source, out=out, plan=other, resume=True, on_progress=lambda p: epochs.append(p.epoch))
    assert [epoch for epoch in epochs if epoch] == [4, 5, 6]


@pytest.mark.parametrize(
    ("cohort", "words"),
    [
        ({"normals": 12}, "too few"),
        ({"normals": 30, "patients": 1}, "one patient"),
    ],
)
def test_cohorts_that_cannot_be_learned_from_are_refused(
    cohort_csv: Make, tmp_path: Path, cohort: dict, words: str
) -> None:
    with pytest.raises(CohortRejected, match=words) as caught:
        train("alpha-gan", cohort_csv(**cohort), out=tmp_path / "m.safetensors", plan=PLAN)
    assert caught.value.cure


def test_the_fewest_normals_that_are_taken_make_a_model(cohort_csv: Make, tmp_path: Path) -> None:
    card = train("alpha-gan", cohort_csv(normals=20, abnormals=0), out=tmp_path / "m.safetensors", plan=PLAN).card
    assert (card.training.n_train, card.training.n_calibration) == (14, 5)
    assert any("Percentiles come from 5 normals" in limit for limit in card.limits)


def test_unknown_methods_wrong_kinds_and_mixtures_are_refused(cohort_csv: Make, tmp_path: Path) -> None:
    source, out = cohort_csv(), tmp_path / "m.safetensors"
    with pytest.raises(CohortRejected, match="no method is called"):
        train("alpha", source, out=out)
    with pytest.raises(CohortRejected, match="normals alone"):
        train("alpha-gan", source, mixture=source, out=out)
    with pytest.raises(CohortRejected, match="learns from volumes"):
        train("autoencoder-3d", source, out=out)


@pytest.mark.parametrize(("asked", "words"), [({"size": 20}, "power of two"), ({"size": 100}, "power of two")])
def test_a_plan_that_cannot_be_carried_out_is_refused_before_anything_is_read(
    cohort_csv: Make, tmp_path: Path, asked: dict, words: str
) -> None:
    with pytest.raises(NormascopeError, match=words) as caught:
        train("alpha-gan", cohort_csv(), out=tmp_path / "m.safetensors", **asked)
    assert caught.value.cure and not (tmp_path / "m.run").exists()


def test_a_damaged_plan_of_an_interrupted_run_is_one_error_in_words(cohort_csv: Make, tmp_path: Path) -> None:
    (tmp_path / "m.run").mkdir()
    (tmp_path / "m.run" / "plan.json").write_text('{"method": "alpha-')
    with pytest.raises(StorageUnavailable, match="interrupted run"):
        train("alpha-gan", cohort_csv(), out=tmp_path / "m.safetensors", resume=True)


def test_a_folder_that_cannot_be_written_is_one_error_in_words(cohort_csv: Make, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StorageUnavailable) as caught:
        train("alpha-gan", cohort_csv(), out=tmp_path / "file" / "m.safetensors", plan=PLAN)
    assert caught.value.cure


def test_images_of_very_different_sizes_are_told_while_training_and_in_the_card(
    cohort_csv: Make, tmp_path: Path
) -> None:
    source, lines = cohort_csv(), list[str]()
    Image.new("L", (480, 480), 90).save(source.parent / "000.png")
    trained = train(
        "alpha-gan", source, out=tmp_path / "m.safetensors", plan=PLAN, on_progress=lambda p: lines.append(str(p))
    )
    assert "48 x 48 to 480 x 480 pixels" in lines[0] and "48 x 48 to 480 x 480" in " ".join(trained.card.limits)


def test_progress_is_said_in_words(cohort_csv: Make, tmp_path: Path) -> None:
    lines: list[str] = []
    trained = train(
        "alpha-gan", cohort_csv(), out=tmp_path / "m.safetensors", plan=PLAN, on_progress=lambda p: lines.append(str(p))
    )
    assert lines[0].startswith("a step needs about 0.") and lines[1].startswith("preparing images")
    assert lines[-1].startswith("epoch 6 of 6 (16 x 16, ") and "reconstruction 0." in lines[-1]
    assert "% waiting for images" in lines[-1]
    assert 0 <= trained.card.recipe["waited_for_images"] < 1
    assert trained.card.recipe["findings"]["memory_bytes_estimated"] > 0


def test_a_card_names_the_device_that_its_training_time_is_of(cohort_csv: Make, tmp_path: Path) -> None:
    recipe = train("alpha-gan", cohort_csv(), out=tmp_path / "m.safetensors", plan=PLAN, device="cpu").card.recipe
    assert recipe["device"] == "cpu" and recipe["device_name"] == device_name(torch.device("cpu"))


def test_equal_folders_and_too_few_images_are_not_evaluated(
    cohort_csv: Make, tmp_path: Path, tiny_bundle_file: Path
) -> None:
    folder = cohort_csv(normals=30).parent
    (folder / "cohort.csv").unlink()
    with pytest.raises(CohortRejected, match="among the normals and the abnormals"):
        evaluate(tiny_bundle_file, folder, folder, tmp_path / "report")
    few = cohort_csv(normals=25, abnormals=3, name="few")
    with pytest.raises(CohortRejected, match="abnormal images are too few"):
        evaluate(tiny_bundle_file, few, few, tmp_path / "report")


def test_a_file_that_is_no_image_is_reported_and_the_rest_is_used(cohort_csv: Make, tmp_path: Path) -> None:
    source = cohort_csv()
    (source.parent / "000.png").write_bytes(b"")
    cohort = read_cohort(source)
    assert len(cohort.series) + len(cohort.failures) == 40
    trained = train("alpha-gan", source, out=tmp_path / "m.safetensors", plan=PLAN)
    assert trained.card.training.n_train >= 27


def test_a_3d_autoencoder_learns_volumes() -> None:
    from lightning_fabric import Fabric

    from trainers.autoencoder_3d import Autoencoder3DPlan
    from trainers.method import TrainingImages
    from trainers.registry import trainer_of
    from trainers.training import run_training

    plan = Autoencoder3DPlan(
        size=(16, 16, 16),
        epochs=40,
        width=4,
        batch=4,
        learning_rate=5e-3,
        noise=1.5,
        most_cells=4,
        patchy_share=0,
        preprocessing="head-ct",
    )
    grid = torch.stack(torch.meshgrid(*[torch.linspace(-1, 1, 16)] * 3, indexing="ij"))
    radius = torch.linspace(0.4, 0.8, 8)
    balls = [((grid.square().sum(0) < r * r).to(torch.uint8) * 200).numpy() for r in radius]
    import numpy as np

    trainer = trainer_of(plan, Fabric(accelerator="cpu", devices=1))
    history = run_training(trainer, TrainingImages(np.stack(balls)), None)
    assert history[-1].losses["error"] < 0.9 * history[-1].losses["added"]
    assert trainer.scoring_model().excess(torch.zeros(1, 1, 16, 16, 16)).shape == (1, 1, 16, 16, 16)


def test_percentile_is_the_share_of_normals_that_score_lower() -> None:
    table = ScoreCalibration(normal_scores=(1.0, 2.0, 3.0, 4.0), n=4)
    assert [percentile(x, table) for x in (0.5, 1.0, 2.5, 4.0, 9.0)] == [0, 0, 50, 75, 100]


def test_nothing_sees_a_bundle_before_it_is_judged(
    cohort_csv: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trainers import run

    out, seen, judge = tmp_path / "m.safetensors", [], run.judge

    def watched(*arguments: object, **options: object) -> object:
        seen.append(out.exists())
        return judge(*arguments, **options)

    monkeypatch.setattr(run, "judge", watched)
    trained = train("alpha-gan", cohort_csv(normals=60, abnormals=8), out=out, plan=PLAN)
    assert seen == [False] and load_bundle(out).hash == trained.hash and trained.card.evaluation
