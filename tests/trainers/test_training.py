"""Early stopping goes by normals that nothing learns from, ships the best epoch, and survives a kill like any run."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from engine.errors import TrainingFailed
from tests.trainers.method_runs import drawn_images, fresh_trainer, resumed_after, same_weights
from trainers.cae import CAEPlan, CAETrainer
from trainers.method import TrainingImages
from trainers.run import train
from trainers.training import Progress, run_training

HELD_OUT = [3.0, 1.0, 2.0, 1.5, 1.25, 0.5]
"""Losses on held-out normals, an epoch each: the second is the best until patience is over."""


def _plan(**changes: object) -> CAEPlan:
    values = {
        "size": (32, 32),
        "width": 2,
        "bottleneck": 4,
        "epochs": 6,
        "batch": 4,
        "patience": 3,
        "stopping_share": 0.2,
    } | changes
    return CAEPlan.model_validate(values)


@pytest.fixture
def images() -> TrainingImages:
    drawn = drawn_images(12, 32).normal
    return TrainingImages(drawn[:8], held=drawn[8:])


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    def loss(self: CAETrainer, images: TrainingImages) -> float:
        return HELD_OUT[self.epoch]

    monkeypatch.setattr(CAETrainer, "held_out_loss", loss)


def _watched(trainer: CAETrainer, states: list[dict[str, Tensor]]) -> Callable[[Progress], None]:
    def watch(_: Progress) -> None:
        states.append({name: value.clone() for name, value in trainer.network.state_dict().items()})

    return watch


@pytest.mark.usefixtures("scripted")
def test_it_stops_when_patience_is_over_and_ships_the_best_epoch(images: TrainingImages, tmp_path: Path) -> None:
    trainer, states = fresh_trainer(_plan()), []
    assert isinstance(trainer, CAETrainer)
    history = run_training(trainer, images, tmp_path / "checkpoint.safetensors", on_progress=_watched(trainer, states))
    assert [progress.held_out_loss for progress in history] == HELD_OUT[:5]
    shipped = trainer.scoring_model().state_dict()
    assert all(torch.equal(value, states[1][name]) for name, value in shipped.items())
    assert any(not torch.equal(value, states[4][name]) for name, value in shipped.items())
    assert "the weights after epoch 2 of 5" in trainer.checkpoint_rule
    assert "lowest loss on 4 normals held out" in trainer.checkpoint_rule


@pytest.mark.usefixtures("scripted")
@pytest.mark.parametrize("killed_after", [1, 2, 4])
def test_a_resumed_run_ends_where_an_uninterrupted_one_does(
    images: TrainingImages, tmp_path: Path, killed_after: int
) -> None:
    whole = fresh_trainer(_plan())
    expected = run_training(whole, images, tmp_path / "whole" / "checkpoint.safetensors")
    second = resumed_after(_plan(), images, killed_after, tmp_path / "second" / "checkpoint.safetensors")
    assert same_weights(whole.scoring_model(), second.scoring_model())
    assert len(expected) == 5


@pytest.mark.usefixtures("scripted")
def test_more_patience_reaches_a_better_epoch(images: TrainingImages, tmp_path: Path) -> None:
    history = run_training(fresh_trainer(_plan(patience=4)), images, tmp_path / "checkpoint.safetensors")
    assert len(history) == 6


def test_held_out_normals_are_judged_in_eval_mode_and_left_so_that_training_goes_on(
    images: TrainingImages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer, modes = fresh_trainer(_plan(epochs=2)), []
    assert isinstance(trainer, CAETrainer)
    loss = trainer.held_out_loss
    monkeypatch.setattr(trainer, "held_out_loss", lambda x: modes.append(trainer.network.training) or loss(x))
    run_training(trainer, images, tmp_path / "checkpoint.safetensors")
    assert modes == [False, False] and trainer.network.training


def test_an_epoch_that_updates_nothing_ends_the_run_though_another_network_waits_for_its_turn(
    images: TrainingImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = fresh_trainer(_plan(patience=None))
    trainer.optimizers["waiting"] = torch.optim.Adam([torch.zeros(1, requires_grad=True)])
    broken = torch.zeros((), requires_grad=True) * float("nan")
    monkeypatch.setattr(CAETrainer, "losses", lambda self, x: {"reconstruction": broken})
    with pytest.raises(TrainingFailed, match="finite loss"):
        run_training(trainer, images, None)


def test_patience_without_held_out_normals_is_refused(images: TrainingImages, tmp_path: Path) -> None:
    with pytest.raises(TrainingFailed, match="no normals were held out"):
        run_training(fresh_trainer(_plan()), replace(images, held=None), tmp_path / "checkpoint.safetensors")


def test_a_training_with_patience_holds_out_patients_of_its_own(
    cohort_csv: Callable[..., Path], tmp_path: Path
) -> None:
    source = cohort_csv(normals=40, abnormals=8)
    plan = _plan(epochs=3, patience=1, stopping_share=0.2)
    card = train("cae", source, out=tmp_path / "cae.safetensors", plan=plan).card
    assert "held out" in card.recipe["checkpoint_rule"]
    parts = card.training.split
    assert len(parts["stopping"]) == 6 and len(parts["train"]) == 22  # of the 28 that would be learned from
    everybody = [patient for part in parts.values() for patient in part]
    with source.open() as file:
        abnormal = sum(row["label"] == "abnormal" for row in csv.DictReader(file))
    assert len(everybody) == len(set(everybody)) == 48 and len(parts["validation"]) >= abnormal
