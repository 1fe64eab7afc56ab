"""Each of the four networks learns from its own loss alone, and a killed run ends where an uninterrupted one does."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from engine.models.card import Preprocessing
from engine.preprocess import PlanarOptions, chosen_options
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
from trainers.adversarial import hinge_loss, taken_for_real
from trainers.hand_alpha_gan import HandAlphaGANPlan, HandAlphaGANTrainer
from trainers.plan import Augmentation
from trainers.training import run_training

NETWORKS = ["encoder", "generator", "discriminator", "code_discriminator"]


def _plan(**changes: object) -> HandAlphaGANPlan:
    values = {"size": (32, 32), "width": 4, "code": 8, "epochs": 2, "batch": 4} | changes
    return HandAlphaGANPlan.model_validate(values)


def _trainer(**changes: object) -> HandAlphaGANTrainer:
    trainer = fresh_trainer(_plan(**changes))
    assert isinstance(trainer, HandAlphaGANTrainer)
    return trainer


def test_the_papers_choices_are_the_defaults() -> None:
    plan = HandAlphaGANPlan()
    assert (plan.size, plan.epochs, plan.batch, plan.learning_rate) == ((128, 128), 500, 16, 1e-3)
    assert plan.learning_rate * plan.discriminator_rate == pytest.approx(5e-6)
    assert (plan.width, plan.code, plan.augmentation) == (64, 200, Augmentation.default_set())
    seen = chosen_options(Preprocessing(name=plan.preprocessing, options=plan.preprocessing_options))
    assert isinstance(seen, PlanarOptions)
    assert (seen.carrier, seen.part, seen.foreground, seen.grey) == ("crop", "largest", "segment", "presentation")


def test_hinge_losses_stop_at_the_margin() -> None:
    logits = torch.tensor([-2.0, 0.0, 2.0])
    assert float(hinge_loss(logits, logits)) == pytest.approx((3 + 1 + 0) / 3 + (0 + 1 + 3) / 3)
    assert float(hinge_loss(torch.tensor([5.0]), torch.tensor([-5.0]))) == 0
    assert float(taken_for_real(torch.tensor([1.0, 3.0]), torch.tensor([4.0]))) == -6


@pytest.mark.parametrize("learner", NETWORKS)
def test_a_network_is_changed_by_its_own_update_only(learner: str, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = _trainer()
    trainer.begin_epoch(0)
    assert changed_by(learner, trainer, NETWORKS, torch.rand(4, 1, 32, 32) * 2 - 1, monkeypatch) == {learner}


def test_codes_are_drawn_with_the_deviation_whose_square_has_the_encoders_logarithm() -> None:
    class Seen(Exception):
        pass

    def draw(z: torch.Tensor) -> torch.Tensor:
        assert float(z.std()) == pytest.approx(3, rel=0.05)
        raise Seen

    trainer = _trainer(code=4000)
    fixed = torch.zeros(4, 4000), torch.full((4, 4000), 9.0).log()
    trainer.parts |= {"encoder": lambda x: fixed, "generator": draw}  # type: ignore[dict-item]
    with pytest.raises(Seen):
        trainer.step(batch_of(torch.rand(4, 1, 32, 32) * 2 - 1), torch.Generator().manual_seed(0))


def test_networks_are_updated_in_the_papers_order(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer, order = _trainer(), []
    monkeypatch.setattr(trainer, "update", lambda name, loss: order.append(name) or True)
    trainer.step(batch_of(torch.rand(4, 1, 32, 32) * 2 - 1), torch.Generator().manual_seed(0))
    assert order == NETWORKS


def test_reconstructions_get_better() -> None:
    history = run_training(_trainer(epochs=8, reconstruction_weight=50, learning_rate=3e-3), drawn_images(8, 32), None)
    assert history[-1].losses["reconstruction"] < 0.8 * history[0].losses["reconstruction"]


def test_a_resumed_run_ends_where_an_uninterrupted_one_does_and_ships_plain_layers(tmp_path: Path) -> None:
    whole, second = through_and_resumed(_plan(), drawn_images(8, 32), tmp_path / "checkpoint.safetensors")
    assert same_weights(whole.modules["network"], second.modules["network"])
    model = whole.scoring_model()
    assert same_weights(model, second.scoring_model())
    assert model.discriminator.comparison.references.any()
    x = torch.rand(2, 1, 32, 32)
    whole.network.eval()
    torch.testing.assert_close(model.discriminator(x), whole.network.discriminator(x))


def test_held_out_normals_are_judged_by_their_score_mse_of_the_codes_mean() -> None:
    trainer, held = _trainer(), drawn_images(6, 32).normal
    held[:, :, :12] = 0  # no patient there
    with torch.no_grad():
        expected = trainer.scoring_model().anomaly(seen(held)).scores["mse"].mean()
    assert loss_of(trainer, held) == pytest.approx(float(expected), rel=1e-4)
