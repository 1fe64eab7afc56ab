"""Both networks learn from their own losses alone, labels are soft, and a killed run ends where an uninterrupted one does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.trainers.method_runs import (
    batch_of,
    changed_by,
    drawn_images,
    fresh_trainer,
    loss_of,
    same_weights,
    seen,
    through_and_resumed,
)
from trainers.dcgan import DCGANPlan, DCGANTrainer
from trainers.training import run_training


def _plan(**changes: object) -> DCGANPlan:
    values = {"size": (32, 32), "width": 32, "noise": 8, "epochs": 2, "batch": 4} | changes
    return DCGANPlan.model_validate(values)


def _trainer(**changes: object) -> DCGANTrainer:
    trainer = fresh_trainer(_plan(**changes))
    assert isinstance(trainer, DCGANTrainer)
    return trainer


def test_the_papers_choices_are_the_defaults() -> None:
    plan = DCGANPlan()
    assert (plan.size, plan.epochs, plan.batch, plan.learning_rate) == ((512, 512), 500, 80, 1e-3)
    assert plan.learning_rate * plan.discriminator_rate == pytest.approx(1e-5)
    assert (plan.soft_delta, plan.width) == (0.01, 1024)


@pytest.mark.parametrize("learner", ["generator", "discriminator"])
def test_a_network_is_changed_by_its_own_update_only(learner: str, monkeypatch: pytest.MonkeyPatch) -> None:
    names, x = ("generator", "discriminator"), torch.rand(4, 1, 32, 32) * 2 - 1
    assert changed_by(learner, _trainer(), names, x, monkeypatch) == {learner}


def test_labels_of_real_and_drawn_images_are_softened_at_most_by_delta(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer, labels = _trainer(soft_delta=0.1), []
    plain = F.binary_cross_entropy_with_logits

    def watched(logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        labels.append(label)
        return plain(logits, label)

    monkeypatch.setattr(F, "binary_cross_entropy_with_logits", watched)
    trainer.step(batch_of(torch.rand(4, 1, 32, 32)), torch.Generator().manual_seed(0))
    real, drawn, wanted = labels
    assert real.min() >= 0.9 and real.max() <= 1 and len(real.unique()) == 4
    assert drawn.min() >= 0 and drawn.max() <= 0.1 and len(drawn.unique()) == 4
    assert wanted.tolist() == [1] * 4


def test_the_discriminator_learns_to_tell_images_apart() -> None:
    trainer = _trainer(epochs=12, learning_rate=1e-6, discriminator_rate=3000)
    history = run_training(trainer, drawn_images(12, 32), None)
    assert history[-1].losses["discriminator"] < 0.8 * history[0].losses["discriminator"]


def test_a_resumed_run_ends_where_an_uninterrupted_one_does(tmp_path: Path) -> None:
    whole, second = through_and_resumed(_plan(), drawn_images(8, 32), tmp_path / "checkpoint.safetensors")
    assert same_weights(whole.modules["network"], second.modules["network"])
    assert same_weights(whole.scoring_model(), second.scoring_model())


class _Painter(torch.nn.Module):
    """Draws given images, one after another, whatever the noise."""

    def __init__(self, images: np.ndarray) -> None:
        super().__init__()
        self.images, self.place = seen(images), 0

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        chosen = torch.arange(self.place, self.place + len(z)) % len(self.images)
        self.place += len(z)
        return self.images[chosen]


def test_held_out_normals_are_judged_by_how_far_what_is_drawn_lies_from_them() -> None:
    every, trainer = drawn_images(40, 32).normal, _trainer()
    held, alike = every[:20], every[20:]
    losses = []
    for drawn in (alike, (alike * 0.8).astype(np.uint8), np.full_like(alike, 255)):
        trainer.network.generator = _Painter(drawn)  # type: ignore[assignment]
        losses.append(loss_of(trainer, held))
    assert losses == sorted(losses) and abs(losses[0]) < 0.2 * losses[1] < losses[2]


def test_the_same_is_drawn_at_every_epoch() -> None:
    trainer, held = _trainer(), drawn_images(6, 32).normal
    first = loss_of(trainer, held)
    torch.rand(3)
    assert loss_of(trainer, held) == first
