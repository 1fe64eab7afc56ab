"""What draws and what judges learn from their own losses alone, and a killed run ends where an uninterrupted one does."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.trainers.method_runs import (
    changed_by,
    drawn_images,
    fresh_trainer,
    loss_of,
    same_weights,
    seen,
    through_and_resumed,
)
from trainers.bigan import BiGANPlan, BiGANTrainer
from trainers.training import run_training

PARTS = {"generator_and_encoder": {"generator", "encoder"}, "discriminator": {"discriminator"}}


def _plan(**changes: object) -> BiGANPlan:
    values = {"size": (32, 32), "width": 4, "code": 8, "epochs": 2, "batch": 4} | changes
    return BiGANPlan.model_validate(values)


def _trainer(**changes: object) -> BiGANTrainer:
    trainer = fresh_trainer(_plan(**changes))
    assert isinstance(trainer, BiGANTrainer)
    return trainer


def test_the_papers_choices_are_the_defaults() -> None:
    plan = BiGANPlan()
    assert (plan.size, plan.epochs, plan.batch, plan.learning_rate) == ((128, 128), 500, 16, 1e-3)
    assert plan.learning_rate * plan.discriminator_rate == pytest.approx(5e-6)


@pytest.mark.parametrize("learner", list(PARTS))
def test_a_network_is_changed_by_its_own_update_only(learner: str, monkeypatch: pytest.MonkeyPatch) -> None:
    names, x = ("generator", "encoder", "discriminator"), torch.rand(4, 1, 32, 32) * 2 - 1
    assert changed_by(learner, _trainer(), names, x, monkeypatch) == PARTS[learner]


def test_the_discriminator_learns_to_tell_pairs_apart() -> None:
    trainer = _trainer(epochs=6, learning_rate=1e-6, discriminator_rate=4000)
    history = run_training(trainer, drawn_images(12, 32), None)
    assert history[-1].losses["discriminator"] < 0.8 * history[0].losses["discriminator"]


def test_a_resumed_run_ends_where_an_uninterrupted_one_does(tmp_path: Path) -> None:
    whole, second = through_and_resumed(_plan(), drawn_images(8, 32), tmp_path / "checkpoint.safetensors")
    assert same_weights(whole.modules["network"], second.modules["network"])
    assert same_weights(whole.scoring_model(), second.scoring_model())


def test_held_out_normals_are_judged_by_their_score_mse() -> None:
    trainer, held = _trainer(), drawn_images(6, 32).normal
    held[:, :, :12] = 0  # no patient there
    with torch.no_grad():
        expected = trainer.scoring_model().anomaly(seen(held)).scores["mse"].mean()
    assert loss_of(trainer, held) == pytest.approx(float(expected), rel=1e-4)
