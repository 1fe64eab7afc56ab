"""The best epoch is told by images that nothing is learned from and nobody is reported on, for every method, and telling it changes nothing of a run."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from sklearn.metrics import roc_auc_score

from engine.errors import CohortRejected, TrainingFailed
from engine.models.registry import METHODS
from tests.trainers.conftest import drawn
from tests.trainers.method_runs import fresh_trainer, loss_of, resumed_after, same_weights, seen
from trainers.method import MethodTrainer, TrainingImages
from trainers.plan import TrainingPlan
from trainers.planning import default_plan
from trainers.registry import trainer_class
from trainers.run import train
from trainers.training import Progress, run_training
from trainers.watching import held_out_auroc, held_out_loss

WATCHED = {"best_by": "auroc", "stopping_share": 0.2, "selection_share": 0.2}
SMALL: dict[str, dict[str, object]] = {
    "alpha-gan": {"size": (16, 16), "width": 16, "code": 4},
    "glow3d-posterior": {"size": (4, 16, 16), "width": 8},
    "glow-posterior": {"size": (16, 16), "width": 8},
    "ratio-posterior": {"size": (32, 32), "width": 4, "members": 2},
    "dcgan": {"size": (32, 32), "width": 16, "noise": 8},
    "salad": {"width": 2, "code": 8},
    "mem-dae": {"width": 2, "code": 8},
    "vae": {"size": (32, 32), "width": 16, "code": 4},
    "cae": {"size": (32, 32), "width": 2, "bottleneck": 4},
    "bae": {"size": (32, 32), "width": 2},
    "one-class-gan": {"size": (32, 32), "width": 4, "code": 8},
    "bigan": {"width": 4, "code": 8},
    "hand-alpha-gan": {"width": 4, "code": 8},
    "denoising-autoencoder": {"size": (32, 32), "levels": 2},
    "autoencoder-3d": {"size": (4, 16, 16), "levels": 1},
}


def _plan(method: str, **changes: object) -> TrainingPlan:
    values = {**trainer_class(method).plan_class.trial, "batch": 4, "epochs": 3, **SMALL[method], **changes}
    return default_plan(method, None, None, 0, torch.device("cpu"), values)


def _images(plan: TrainingPlan) -> TrainingImages:
    """Chests or stacks of them, as the method takes them."""
    *depth, side, _ = plan.size

    def some(first: int, count: int, abnormal: bool = False) -> np.ndarray:
        flat = np.stack([drawn(seed, abnormal, side) for seed in range(first, first + count)])
        return np.repeat(flat[:, None], depth[0], axis=1) if depth else flat

    mixture = None
    if trainer_class(plan.method).mixture == "always":
        mixture = np.concatenate([some(100, 8), some(200, 8, abnormal=True)])
    return TrainingImages(some(0, 9), mixture, some(50, 7), held_abnormal=some(300, 6, abnormal=True))


def _auroc(trainer: MethodTrainer, images: TrainingImages) -> float:
    """Of the network as it is shipped, by hand."""
    assert images.held is not None and images.held_abnormal is not None
    model = trainer.scoring_model()
    with torch.inference_mode():
        sides = [model.anomaly(seen(side)).scores[model.primary_score] for side in (images.held, images.held_abnormal)]
    return float(roc_auc_score([0] * 7 + [1] * 6, torch.cat(sides).numpy()))


def test_every_method_is_tried_here() -> None:
    assert SMALL.keys() == METHODS.keys()


@pytest.mark.parametrize("method", METHODS)
def test_a_watched_run_learns_the_same_and_ships_the_epoch_that_ranks_best(method: str, tmp_path: Path) -> None:
    plan = _plan(method)
    images = _images(plan)
    run_training(fresh_trainer(plan), images, tmp_path / "plain" / "checkpoint.safetensors")
    trainer = fresh_trainer(_plan(method, **WATCHED))
    modes = [{name: module.training for name, module in trainer.modules.items()} for _ in range(1)]

    def watch(_: Progress) -> None:
        modes.append({name: module.training for name, module in trainer.modules.items() if name in modes[0]})

    history = run_training(trainer, images, tmp_path / "watched" / "checkpoint.safetensors", on_progress=watch)
    plain, watched = (load_file(tmp_path / run / "checkpoint.safetensors") for run in ("plain", "watched"))
    assert plain.keys() == watched.keys()
    assert [name for name in plain if not torch.equal(plain[name], watched[name])] == []
    assert all(each == modes[0] for each in modes)
    told = [progress.held_out_auroc for progress in history if progress.held_out_auroc is not None]
    assert told and history[-1].held_out_auroc is not None and history[-1].held_out_loss is not None
    assert _auroc(trainer, images) == pytest.approx(max(told), abs=1e-9)
    assert "labels of these were read" in trainer.checkpoint_rule
    assert trainer.scoring_model().primary_score in trainer.checkpoint_rule


@pytest.mark.parametrize("method", METHODS)
def test_the_loss_depends_on_no_batch_and_leaves_nothing_behind(method: str) -> None:
    losses = []
    for batch in (3, 7):
        trainer = fresh_trainer(_plan(method, batch=batch))
        images = _images(trainer.plan)
        trainer.begin(images)
        torch.manual_seed(batch)
        before = torch.get_rng_state()
        modes = [module.training for network in trainer.modules.values() for module in network.modules()]
        trainer.begin_epoch(trainer.plan.epochs - 1)
        losses.append(held_out_loss(trainer, images))
        assert torch.equal(torch.get_rng_state(), before)
        assert modes == [module.training for network in trainer.modules.values() for module in network.modules()]
        assert all(p.grad is None for network in trainer.modules.values() for p in network.parameters())
    assert losses[0] is not None and losses[0] == pytest.approx(losses[1], rel=1e-4)
    # a label is no part of it
    assert held_out_loss(trainer, replace(images, held_abnormal=None)) == losses[1]


@pytest.mark.parametrize("method", ["salad", "dcgan"])  # a bank that finish writes anew; references that it remembers
@pytest.mark.parametrize("killed_after", [1, 2])
def test_a_resumed_run_chooses_the_same_epoch(method: str, killed_after: int, tmp_path: Path) -> None:
    plan = _plan(method, epochs=4, patience=2, **WATCHED)
    images, whole = _images(plan), fresh_trainer(plan)
    run_training(whole, images, tmp_path / "whole" / "checkpoint.safetensors")
    second = resumed_after(plan, images, killed_after, tmp_path / "second" / "checkpoint.safetensors")
    assert whole.checkpoint_rule == second.checkpoint_rule
    assert same_weights(whole.scoring_model(), second.scoring_model())


AUROCS = [0.6, 0.9, None, 0.9, 0.7, 0.95]
"""Of an epoch each: with a patience of 3, the second is the best."""


def test_the_highest_auroc_is_kept_whatever_the_loss_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = iter(AUROCS)
    monkeypatch.setattr("trainers.training.held_out_auroc", lambda trainer, images: next(told))
    monkeypatch.setattr("trainers.training.held_out_loss", lambda trainer, images: -float(trainer.epoch))  # falls
    trainer = fresh_trainer(_plan("cae", epochs=6, patience=3, **WATCHED))
    states: list[dict[str, torch.Tensor]] = []

    def watch(_: Progress) -> None:
        states.append({name: value.clone() for name, value in trainer.modules["network"].state_dict().items()})

    history = run_training(trainer, _images(trainer.plan), tmp_path / "checkpoint.safetensors", on_progress=watch)
    assert [progress.held_out_auroc for progress in history] == AUROCS[:5]
    assert all(torch.equal(v, states[1][name]) for name, v in trainer.modules["network"].state_dict().items())
    assert trainer.checkpoint_rule.startswith("the weights after epoch 2 of 5, the one whose")


def test_a_network_that_is_still_growing_is_asked_for_no_auroc(tmp_path: Path) -> None:
    plan = _plan("alpha-gan", epochs=5, **WATCHED)
    history = run_training(fresh_trainer(plan), _images(plan), tmp_path / "checkpoint.safetensors")
    assert history[0].held_out_auroc is None and history[-1].held_out_auroc is not None


def test_a_glow_is_not_judged_while_one_flow_learns_for_both(tmp_path: Path) -> None:
    plan = _plan("glow-posterior", shared_epochs=1, **WATCHED)
    history = run_training(fresh_trainer(plan), _images(plan), tmp_path / "checkpoint.safetensors")
    assert [progress.held_out_loss is None for progress in history] == [True, False, False]


def test_scores_that_are_not_finite_are_no_auroc(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = fresh_trainer(_plan("cae", **WATCHED))
    with torch.no_grad():
        next(iter(trainer.modules["network"].parameters())).fill_(torch.nan)
    assert held_out_auroc(trainer, _images(trainer.plan)) is None


def test_nothing_set_apart_is_said_in_words() -> None:
    trainer = fresh_trainer(_plan("cae", **WATCHED))
    images = _images(trainer.plan)
    with pytest.raises(TrainingFailed, match="no abnormal images were set apart"):
        held_out_auroc(trainer, replace(images, held_abnormal=None))


def test_the_loss_is_that_of_the_images_alone() -> None:
    trainer, held = fresh_trainer(_plan("cae")), np.stack([drawn(seed, side=32) for seed in range(5)])
    each = [loss_of(trainer, held[index : index + 1]) for index in range(5)]
    assert loss_of(trainer, held) == pytest.approx(float(np.mean(each)), rel=1e-4)


Make = Callable[..., Path]
OPTIONS = {"width": 2, "bottleneck": 4, "batch": 8, **WATCHED}


def _trained(source: Path, out: Path, **options: object) -> tuple[list[float | None], dict[str, object]]:
    made: list[Progress] = []
    card = train(
        "cae", source, out=out, size=32, epochs=3, options={**OPTIONS, **options}, on_progress=made.append
    ).card
    return [progress.held_out_auroc for progress in made if progress.epoch], {
        "rule": card.recipe["checkpoint_rule"],
        "split": card.training.split,
    }


def test_validation_patients_have_no_part_in_the_choice_and_the_card_says_who_had(
    cohort_csv: Make, tmp_path: Path
) -> None:
    source = cohort_csv(normals=50, abnormals=40)
    told, card = _trained(source, tmp_path / "first.safetensors")
    split = card["split"]
    assert isinstance(split, dict)
    assert (len(split["stopping"]), len(split["selection"]), len(split["validation"])) == (7, 8, 9 + 32)
    assert "8 abnormal images of patients set apart for it best from 7 held-out normals" in str(card["rule"])
    assert "no validation image takes part" in str(card["rule"])
    # the patients are hashed in the card: whoever is in no other part validates
    with source.open() as file:
        rows = list(csv.DictReader(file))
    from trainers.draw import drawn_cohorts, watched_abnormals

    trainer = fresh_trainer(_plan("cae", **OPTIONS))
    cohort, parts = drawn_cohorts(trainer, source, None)
    assert {cohort.series[i].label for i in watched_abnormals(cohort, parts, trainer.plan)} == {"abnormal"}
    noise = np.random.default_rng(0)
    for index in parts.validation:
        name = Path(cohort.series[index].path).name
        assert any(row["path"] == name for row in rows)
        Image.fromarray(noise.integers(0, 255, (48, 48), dtype=np.uint8)).save(source.parent / name)
    again, other = _trained(source, tmp_path / "second.safetensors")
    assert again == told and other["rule"] == card["rule"]
    for index in parts.selection:
        Image.fromarray(noise.integers(0, 255, (48, 48), dtype=np.uint8)).save(
            source.parent / Path(cohort.series[index].path).name
        )
    assert _trained(source, tmp_path / "third.safetensors")[0] != told


@pytest.mark.parametrize(
    ("abnormals", "options", "words"),
    [
        (0, {}, "no image is labelled abnormal"),
        (10, {"selection_share": 0.2}, "7 held-out normals and 2 abnormal images are too few"),
        (40, {"stopping_share": 0.05}, "2 held-out normals and 8 abnormal images are too few"),
        (40, {"best_by": "loss", "stopping_share": 0.01}, "no normals are left"),
    ],
)
def test_too_few_to_choose_by_are_told_before_anything_is_prepared(
    abnormals: int, options: dict[str, object], words: str, cohort_csv: Make, tmp_path: Path
) -> None:
    with pytest.raises(CohortRejected, match=words) as caught:
        _trained(cohort_csv(normals=50, abnormals=abnormals), tmp_path / "m.safetensors", **options)
    assert caught.value.cure and not (tmp_path / "m.run").exists()
