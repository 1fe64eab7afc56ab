"""The convolutional autoencoder learns what shows the patient, and a killed run ends where an uninterrupted one does."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from engine.models.card import Preprocessing
from engine.preprocess import PlanarOptions, chosen_options
from tests.trainers.method_runs import batch_of, drawn_images, fresh_trainer, resumed_after, same_weights
from trainers.cae import CAEPlan, CAETrainer
from trainers.plan import Augmentation
from trainers.training import run_training


def _plan(**changes: object) -> CAEPlan:
    values = {"size": (32, 32), "width": 4, "bottleneck": 16, "epochs": 4, "batch": 4} | changes
    return CAEPlan.model_validate(values)


def test_the_papers_choices_are_the_defaults() -> None:
    plan = CAEPlan()
    assert (plan.size, plan.epochs, plan.batch, plan.learning_rate) == ((512, 512), 1000, 32, 1e-4)
    assert plan.augmentation == Augmentation.advanced_set()
    seen = chosen_options(Preprocessing(name=plan.preprocessing, options=plan.preprocessing_options))
    assert isinstance(seen, PlanarOptions)
    assert (seen.carrier, seen.part, seen.foreground, seen.grey) == ("crop", "largest", "segment", "equalised")


def test_reconstructions_get_better() -> None:
    trainer = fresh_trainer(_plan(epochs=15, learning_rate=5e-3, final_rate=0.1))
    history = run_training(trainer, drawn_images(12, 32), None)
    assert history[-1].losses["reconstruction"] < 0.3 * history[0].losses["reconstruction"]
    assert trainer.optimizers["network"].param_groups[0]["lr"] < 6e-4


def test_what_is_drawn_outside_the_patient_costs_nothing() -> None:
    trainer = fresh_trainer(_plan())
    assert isinstance(trainer, CAETrainer)
    x = torch.full((4, 1, 32, 32), -1.0)
    x[..., 8:24, 8:24] = 0.5
    drawn = x.clone()
    drawn[..., :4] = 1.0
    trainer.network_in_use.reconstruct = lambda _: drawn
    assert float(trainer.losses(x)["reconstruction"]) == 0
    drawn[..., 10:12, 10:12] += 1.0
    assert float(trainer.losses(x)["reconstruction"]) == pytest.approx(
        4 / 18**2
    )  # a mean over the mask, not over the image


def test_a_resumed_run_ends_where_an_uninterrupted_one_does(tmp_path: Path) -> None:
    images, whole = drawn_images(12, 32), fresh_trainer(_plan())
    run_training(whole, images, None)
    second = resumed_after(_plan(), images, 2, tmp_path / "checkpoint.safetensors")
    assert same_weights(whole.modules["network"], second.modules["network"])
    assert same_weights(whole.scoring_model(), second.scoring_model())


def test_a_step_that_is_not_finite_is_skipped_and_harmless() -> None:
    trainer = fresh_trainer(_plan())
    trainer.begin_epoch(0)
    trainer.step(batch_of(torch.full((4, 1, 32, 32), float("nan"))), torch.Generator())
    assert trainer.skipped == 1
    assert all(torch.isfinite(p).all() for p in trainer.modules["network"].parameters())
