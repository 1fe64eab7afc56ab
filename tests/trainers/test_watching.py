"""The best epoch is told by images that nothing is learned from and nobody is reported on, for every method, and telling it changes nothing of a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sklearn.metrics import roc_auc_score

from engine.errors import CohortRejected, TrainingFailed
from engine.models.card import Preprocessing
from engine.models.registry import METHODS
from tests.trainers.conftest import drawn
from tests.trainers.method_runs import fresh_trainer, loss_of, resumed_after, same_weights, seen
from trainers.draw import drawn_cohorts, watched_abnormals
from trainers.method import MethodTrainer, TrainingImages
from trainers.plan import TrainingPlan
from trainers.registry import trainer_class
from trainers.run import train
from trainers.training import Progress, run_training
from trainers.training_images import training_images
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
    "bigan": {"width": 2, "code": 8},
    "hand-alpha-gan": {"width": 2, "code": 8},
    "denoising-autoencoder": {"size": (32, 32), "levels": 2},
    "autoencoder-3d": {"size": (4, 16, 16), "levels": 1},
}


@pytest.fixture(autouse=True)
def few_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainers.dcgan.DRAWN", 16)


def _plan(method: str, **changes: object) -> TrainingPlan:
    kind = trainer_class(method).plan_class
    return kind.model_validate({"method": method, **kind.trial, "batch": 4, "epochs": 2, **SMALL[method], **changes})


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
        held_out_auroc(trainer, images)
        assert torch.equal(torch.get_rng_state(), before)
        assert modes == [module.training for network in trainer.modules.values() for module in network.modules()]
        assert all(p.grad is None for network in trainer.modules.values() for p in network.parameters())
    assert losses[0] is not None and losses[0] == pytest.approx(losses[1], rel=1e-4)
    # a label is no part of it
    assert held_out_loss(trainer, replace(images, held_abnormal=None)) == losses[1]


@pytest.mark.parametrize("method", ["salad", "dcgan"])  # a bank that finish writes anew; references that it remembers
def test_a_resumed_run_chooses_the_same_epoch(method: str, tmp_path: Path) -> None:
    plan = _plan(method, epochs=3, patience=2, **WATCHED)
    images, whole = _images(plan), fresh_trainer(plan)
    run_training(whole, images, tmp_path / "whole" / "checkpoint.safetensors")
    second = resumed_after(plan, images, 2, tmp_path / "second" / "checkpoint.safetensors")
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
    assert [progress.held_out_loss is None for progress in history] == [True, False]


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
    for method in METHODS:
        trainer = fresh_trainer(_plan(method))
        trainer.begin(_images(trainer.plan))
        trainer.begin_epoch(trainer.plan.epochs - 1)
        with pytest.raises(TrainingFailed, match="no normals were held out"):
            held_out_loss(trainer, replace(_images(trainer.plan), held=None))


def test_the_loss_is_that_of_the_images_alone() -> None:
    trainer, held = fresh_trainer(_plan("cae")), np.stack([drawn(seed, side=32) for seed in range(5)])
    each = [loss_of(trainer, held[index : index + 1]) for index in range(5)]
    assert loss_of(trainer, held) == pytest.approx(float(np.mean(each)), rel=1e-4)


Make = Callable[..., Path]
OPTIONS = {"width": 2, "bottleneck": 4, "batch": 8, "size": (32, 32), **WATCHED}


def test_the_card_says_which_labels_were_read_for_the_choice(cohort_csv: Make, tmp_path: Path) -> None:
    source = cohort_csv(normals=50, abnormals=40)
    card = train("cae", source, out=tmp_path / "m.safetensors", epochs=2, options=OPTIONS).card
    split, rule = card.training.split, card.recipe["checkpoint_rule"]
    assert (len(split["stopping"]), len(split["selection"]), len(split["validation"])) == (7, 8, 9 + 32)
    assert "8 abnormal images of patients set apart for it best from 7 held-out normals" in rule
    assert "no validation image takes part" in rule


def test_validation_patients_and_normal_images_of_the_others_are_not_even_read(
    cohort_csv: Make, tmp_path: Path
) -> None:
    source = cohort_csv(normals=90, abnormals=40, patients=100)  # P0 to P29 have a normal and an abnormal image
    plan = _plan("cae", **OPTIONS)
    cohort, split = drawn_cohorts(fresh_trainer(plan), source, None)
    for index in split.validation:
        Path(cohort.series[index].path).unlink()
    abnormal = watched_abnormals(cohort, split, plan)
    views, folder = [Preprocessing(name="chest", options={})], tmp_path / "run"
    images, failures, unread = training_images(
        cohort, split, views, plan.size, folder, lambda _: None, abnormal=abnormal
    )
    assert not failures and not unread and images.held is not None and images.held_abnormal is not None
    assert (len(images.held), len(images.held_abnormal)) == (8, 8) and len(split.selection) > 8
    assert {cohort.series[index].label for index in abnormal} == {"abnormal"}
    assert {cohort.patients[index] for index in abnormal} == {cohort.patients[index] for index in split.selection}
    for other in (plan.model_copy(update={"best_by": "loss"}), plan.model_copy(update={"best_by": None})):
        assert watched_abnormals(cohort, split, other) == ()


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
        train(
            "cae",
            cohort_csv(normals=50, abnormals=abnormals),
            out=tmp_path / "m.safetensors",
            options={**OPTIONS, **options},
        )
    assert caught.value.cure and not (tmp_path / "m.run").exists()
