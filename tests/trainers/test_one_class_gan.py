"""The one-class GAN learns by the paper's four losses in two updates, against noise, and a killed run ends where an uninterrupted one does."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
import torch
import torch.nn.functional as F

from engine.models.one_class_gan import Networks
from tests.trainers.method_runs import (
    batch_of,
    drawn_images,
    fresh_trainer,
    loss_of,
    resumed_after,
    same_weights,
    seen,
)
from trainers.augment import augmented
from trainers.one_class_gan import OneClassGANPlan, OneClassGANTrainer
from trainers.training import run_training


def _plan(**changes: object) -> OneClassGANPlan:
    values = {"size": (32, 32), "width": 4, "code": 8, "epochs": 4, "batch": 4} | changes
    return OneClassGANPlan.model_validate(values)


def _trainer(plan: OneClassGANPlan) -> OneClassGANTrainer:
    trainer = fresh_trainer(plan)
    assert isinstance(trainer, OneClassGANTrainer)
    return trainer


def _images(count: int = 4) -> torch.Tensor:
    return torch.from_numpy(drawn_images(count, 32).normal).float()[:, None] / 127.5 - 1


def test_the_papers_choices_are_the_defaults() -> None:
    plan = OneClassGANPlan()
    assert (plan.size, plan.epochs, plan.batch, plan.learning_rate) == ((64, 64), 15, 64, 5e-4)
    assert (plan.betas, plan.code) == ((0.5, 0.999), 100)
    assert (plan.reconstruction_weight, plan.adversarial_weight, plan.code_weight) == (20, 4, 8)
    assert (plan.networks, plan.noise > 0) == ("U+D+E", True)
    x = _images()
    torch.testing.assert_close(augmented(x, plan.augmentation, torch.Generator()), x)


@pytest.mark.parametrize(("learner", "moving"), [("autoencoder", {"U", "E"}), ("discriminator", {"D"})])
def test_a_network_is_changed_by_its_own_update_only(
    learner: str, moving: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = _trainer(_plan())
    network = trainer.network
    parts = {"U": network.autoencoder, "D": network.discriminator, "E": network.second_encoder}
    before = {name: [p.detach().clone() for p in part.parameters()] for name, part in parts.items() if part is not None}
    update = trainer.update
    monkeypatch.setattr(trainer, "update", lambda name, loss: name == learner and update(name, loss))
    trainer.step(batch_of(_images()), torch.Generator().manual_seed(0))
    for name, part in parts.items():
        assert part is not None
        moved = [not torch.equal(a, b) for a, b in zip(before[name], part.parameters(), strict=True)]
        assert any(moved) is (name in moving), name


def test_the_autoencoders_loss_is_equation_5(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = _trainer(_plan(noise=0))
    losses: dict[str, float] = {}
    monkeypatch.setattr(trainer, "update", lambda name, loss: losses.update({name: float(loss)}))
    x = _images()
    network = trainer.network.train()
    drawn, maps = network.autoencoder(x)
    assert network.discriminator is not None and network.second_encoder is not None
    real, fake = torch.sigmoid(network.discriminator(x)), torch.sigmoid(network.discriminator(drawn))
    again = network.second_encoder(drawn)
    features = sum(float(F.mse_loss(a, b).detach()) for a, b in zip(maps[:-1], again[:-1], strict=True))
    code = float(F.mse_loss(maps[-1], again[-1]).detach())
    shown = trainer.step(batch_of(x), torch.Generator())
    adversarial = -float(fake.log().mean().detach())
    expected = 20 * float((x - drawn).detach().abs().mean()) + 4 * adversarial + 8 * code + features
    assert list(losses) == ["discriminator", "autoencoder"]  # D first, on what is drawn before U's own step
    assert losses["discriminator"] == pytest.approx(-float((real.log() + (1 - fake).log()).mean().detach()), rel=1e-4)
    assert losses["autoencoder"] == pytest.approx(expected, rel=1e-4)
    assert float(shown["features"]) == pytest.approx(features, rel=1e-4)


@pytest.mark.parametrize("networks", get_args(Networks))
def test_an_ablation_learns_without_the_losses_of_what_it_leaves_out(networks: Networks) -> None:
    trainer = _trainer(_plan(networks=networks))
    losses = trainer.step(batch_of(_images()), torch.Generator().manual_seed(0))
    assert ("discriminator" in losses, "adversarial" in losses) == ("D" in networks, "D" in networks)
    assert ("code" in losses, "features" in losses) == ("E" in networks, "E" in networks)
    assert trainer.skipped == 0 and trainer.scoring_model().networks == networks


def test_what_is_reconstructed_is_the_image_without_the_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = _trainer(_plan(noise=0.5, networks="U"))
    seen: list[torch.Tensor] = []
    draw = trainer.reconstruct
    monkeypatch.setattr(trainer, "reconstruct", lambda noised: (seen.append(noised), draw(noised))[1])
    x = _images()
    shown = trainer.step(batch_of(x), torch.Generator().manual_seed(0))
    assert float((seen[0] - x).std()) == pytest.approx(0.5, rel=0.05)
    untouched = _trainer(_plan(noise=0.5, networks="U"))  # of the same seed
    drawn = untouched.network.autoencoder(seen[0])[0].detach()
    assert float(shown["reconstruction"]) == pytest.approx(float((x - drawn).abs().mean()), rel=1e-4)


def test_reconstructions_get_better() -> None:
    history = run_training(_trainer(_plan(epochs=25, learning_rate=2e-3)), drawn_images(12, 32), None)
    assert history[-1].losses["reconstruction"] < 0.5 * history[0].losses["reconstruction"]


@pytest.mark.parametrize("decay", [0, 0.9])
def test_a_resumed_run_ends_where_an_uninterrupted_one_does(decay: float, tmp_path: Path) -> None:
    images, whole = drawn_images(12, 32), _trainer(_plan(average_decay=decay))
    run_training(whole, images, None)
    second = resumed_after(_plan(average_decay=decay), images, 2, tmp_path / "checkpoint.safetensors")
    assert same_weights(whole.modules["network"], second.modules["network"])
    assert same_weights(whole.scoring_model(), second.scoring_model())


def test_what_scores_is_the_moving_average_where_one_is_asked_for_and_else_the_last_weights() -> None:
    assert OneClassGANPlan().average_decay == 0
    for decay in (0, 0.75):
        trainer, images = _trainer(_plan(average_decay=decay, epochs=1)), drawn_images(4, 32)
        trainer.begin(images)
        averaged = [value.double() for value in trainer.network.state_dict().values()]
        for step in range(60):
            trainer.epoch = step  # one step an epoch: the average is old enough at the last
            trainer.step(batch_of(_images()), torch.Generator().manual_seed(step))
            kept = min(decay, step / (step + 10))
            now = [value.double() for value in trainer.network.state_dict().values()]
            averaged = [kept * old + (1 - kept) * new for old, new in zip(averaged, now, strict=True)]
        model = trainer.scoring_model()
        for value, expected in zip(model.state_dict().values(), averaged, strict=True):
            if value.is_floating_point():
                torch.testing.assert_close(value.double(), expected, rtol=1e-4, atol=1e-6)
        assert same_weights(model, trainer.network) is (decay == 0)
        assert ("moving average" in trainer.checkpoint_rule) is (decay > 0)


def test_models_trained_now_score_by_the_norm_of_the_codes_difference() -> None:
    assert _trainer(_plan()).scoring_model().code_distance == "norm"


def test_a_step_that_is_not_finite_is_skipped_and_harmless() -> None:
    trainer = _trainer(_plan())
    trainer.step(batch_of(torch.full((4, 1, 32, 32), float("nan"))), torch.Generator())
    assert trainer.skipped == 2
    assert all(torch.isfinite(p).all() for p in trainer.modules["network"].parameters())


@pytest.mark.parametrize("decay", [0, 0.9])
@pytest.mark.parametrize("networks", get_args(Networks))
def test_held_out_normals_are_judged_by_the_terms_that_score_noised_as_they_are_learned_from(
    networks: Networks, decay: float
) -> None:
    trainer = _trainer(_plan(networks=networks, noise=0.3, seed=5, average_decay=decay))
    held = drawn_images(6, 32).normal
    x, network = seen(held), trainer.scored.eval()
    with torch.no_grad():
        for weights in network.parameters():
            weights.mul_(
                8 if weights.ndim == 4 else 1
            )  # so that noise and codes count: as they begin, hardly anything does
    noise = torch.stack([torch.randn(1, 32, 32, generator=g) for g in [torch.Generator().manual_seed(5)] for _ in x])
    with torch.no_grad():
        drawn, maps = network.autoencoder(x + 0.3 * noise)
        expected = 20 * (x - drawn).abs().mean((1, 2, 3))
        if network.second_encoder is not None:
            expected += 8 * (maps[-1] - network.second_encoder(drawn)[-1]).square().mean((1, 2, 3))
    assert loss_of(trainer, held) == pytest.approx(float(expected.mean()), rel=1e-5)
