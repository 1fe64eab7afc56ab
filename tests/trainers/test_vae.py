"""The variational autoencoder's loss adds two sums over one image, held-out normals are judged without chance, and a run can be resumed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from engine.models.vae import divergence
from tests.trainers.method_runs import drawn_images, fresh_trainer, loss_of, resumed_after, same_weights, seen
from trainers.plan import Augmentation
from trainers.training import run_training
from trainers.vae import VAEPlan, VAETrainer


def _plan(**changes: object) -> VAEPlan:
    values = {"size": (32, 32), "width": 16, "code": 4, "epochs": 3, "batch": 4} | changes
    return VAEPlan.model_validate(values)


def _trainer(**changes: object) -> VAETrainer:
    trainer = fresh_trainer(_plan(**changes))
    assert isinstance(trainer, VAETrainer)
    return trainer


def test_the_papers_choices_are_the_defaults() -> None:
    plan = VAEPlan()
    assert (plan.size, plan.epochs, plan.batch, plan.learning_rate) == ((512, 512), 500, 32, 1e-4)
    assert (plan.width, plan.code, plan.augmentation) == (512, 1024, Augmentation.default_set())


def test_the_loss_is_one_images_two_sums_over_its_area_and_the_mean_of_a_batch() -> None:
    trainer = _trainer(kld_weight=3)
    trainer.network.eval()
    held = (torch.rand(6, 32, 32) * 128 + 64).byte().numpy()  # no black: the mask is the whole image
    x = seen(held)
    with torch.no_grad():
        mean, log_variance = trainer.network.encode(x)
        error = (x - trainer.network.decode(mean)).square().sum((1, 2, 3))
        exact = ((error + 3 * divergence(mean, log_variance)) / (32 * 32)).mean()
        assert loss_of(trainer, held) == pytest.approx(float(exact), rel=1e-5)
        assert loss_of(trainer, held[:1]) == pytest.approx(
            float((error + 3 * divergence(mean, log_variance))[0]) / 1024, rel=1e-4
        )


def test_codes_are_drawn_with_the_deviation_whose_square_has_the_encoders_logarithm() -> None:
    trainer, drawn = _trainer(), list[torch.Tensor]()

    class Fixed:
        def encode(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return torch.zeros(len(x), 4000), torch.full((len(x), 4000), 9.0).log()

        def decode(self, z: torch.Tensor) -> torch.Tensor:
            drawn.append(z)
            return torch.zeros(len(z), 1, 32, 32)

    trainer.network_in_use = Fixed()  # type: ignore[assignment]
    torch.manual_seed(0)
    trainer.losses(torch.rand(4, 1, 32, 32) - 0.5)
    assert float(drawn[0].std()) == pytest.approx(3, rel=0.05)


def test_codes_are_drawn_while_training_only() -> None:
    trainer = _trainer()
    x = torch.rand(4, 1, 32, 32) - 0.5
    with torch.no_grad():
        drawn = [float(trainer.losses(x)["reconstruction"]) for _ in range(2)]
        held = (x[:, 0].clamp(-1, 1) * 127.5 + 127.5).byte().numpy()
        fixed = [loss_of(trainer, held) for _ in range(2)]
    assert drawn[0] != drawn[1] and fixed[0] == fixed[1]


def test_reconstructions_get_better() -> None:
    history = run_training(_trainer(epochs=12, learning_rate=5e-3), drawn_images(12, 32), None)
    assert history[-1].losses["bound"] < 0.5 * history[0].losses["bound"]


def test_a_resumed_run_ends_where_an_uninterrupted_one_does(tmp_path: Path) -> None:
    images, whole = drawn_images(12, 32), _trainer()
    run_training(whole, images, None)
    second = resumed_after(_plan(), images, 1, tmp_path / "checkpoint.safetensors")
    assert same_weights(whole.scoring_model(), second.scoring_model())
