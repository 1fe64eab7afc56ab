"""The bottleneck autoencoder learns, and a killed run ends where an uninterrupted one does."""

from __future__ import annotations

from pathlib import Path

from tests.trainers.method_runs import drawn_images, fresh_trainer, resumed_after, same_weights
from trainers.bae import BAEPlan
from trainers.plan import Augmentation
from trainers.training import run_training


def _plan(**changes: object) -> BAEPlan:
    values = {"size": (32, 32), "width": 4, "epochs": 3, "batch": 4} | changes
    return BAEPlan.model_validate(values)


def test_the_papers_choices_are_the_defaults() -> None:
    plan = BAEPlan()
    assert (plan.size, plan.epochs, plan.batch, plan.learning_rate) == ((512, 512), 500, 32, 1e-4)
    assert plan.augmentation == Augmentation.advanced_set()


def test_reconstructions_get_better() -> None:
    history = run_training(fresh_trainer(_plan(epochs=12, learning_rate=5e-3)), drawn_images(12, 32), None)
    assert history[-1].losses["reconstruction"] < 0.5 * history[0].losses["reconstruction"]


def test_a_resumed_run_ends_where_an_uninterrupted_one_does(tmp_path: Path) -> None:
    images, whole = drawn_images(12, 32), fresh_trainer(_plan())
    run_training(whole, images, None)
    second = resumed_after(_plan(), images, 1, tmp_path / "checkpoint.safetensors")
    assert same_weights(whole.scoring_model(), second.scoring_model())
