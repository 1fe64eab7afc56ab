"""Each network learns from its own loss alone, a run can be resumed to the same end, and a step that is not finite does no harm."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from torch.optim import SGD

from engine.models.winograd_training import FEWEST_CHANNELS, WinogradConvolution
from tests.trainers.textbook_alpha_gan import textbook_losses, without_short_cuts
from trainers.alpha_gan import AlphaGANPlan, AlphaGANTrainer, at_resolution
from trainers.growing import Stage
from trainers.method import Batch, TrainingImages
from trainers.registry import trainer_of
from trainers.training import Progress, run_training


def _plan(**changes: object) -> AlphaGANPlan:
    values = {"size": (16, 16), "epochs": 7, "width": 32, "code": 8, "batch": 4} | changes
    return AlphaGANPlan.model_validate(values)


def _trainer(plan: AlphaGANPlan) -> AlphaGANTrainer:
    trainer = trainer_of(plan, Fabric(accelerator="cpu", devices=1))
    assert isinstance(trainer, AlphaGANTrainer)
    return trainer


@pytest.fixture
def images() -> TrainingImages:
    from tests.trainers.conftest import drawn

    return TrainingImages(np.stack([drawn(seed, side=16) for seed in range(12)]))


def _batch(x: torch.Tensor, share: float) -> Batch:
    return Batch(x, torch.arange(len(x)), None, share)


def _networks(trainer: AlphaGANTrainer) -> dict[str, torch.nn.Module]:
    return {
        "encoder": trainer.network.encoder,
        "generator": trainer.network.generator,
        "discriminator": trainer.discriminator,
        "code_discriminator": trainer.code_discriminator,
    }


@pytest.mark.parametrize("learner", ["encoder", "generator", "discriminator", "code_discriminator"])
def test_a_network_is_changed_by_its_own_update_only(learner: str) -> None:
    trainer = _trainer(_plan())
    trainer.rates = {name: rate * (name == learner) for name, rate in trainer.rates.items()}
    trainer.begin_epoch(6)
    before = {name: [p.detach().clone() for p in module.parameters()] for name, module in _networks(trainer).items()}
    trainer.step(_batch(torch.rand(4, 1, 16, 16) * 2 - 1, 0.5), torch.Generator().manual_seed(0))
    for name, module in _networks(trainer).items():
        moved = any(not torch.equal(a, b) for a, b in zip(before[name], module.parameters(), strict=True))
        assert moved is (name == learner), name


@pytest.mark.parametrize(
    ("epoch", "what", "width"), [(6, "16 x 16", 32), (3, "16 x 16, fading in", 32), (6, "16 x 16", 2 * FEWEST_CHANNELS)]
)
def test_a_step_is_the_algorithms_though_nothing_is_computed_twice(epoch: int, what: str, width: int) -> None:
    trainer = _trainer(_plan(width=width))
    assert trainer.begin_epoch(epoch) == what
    networks = _networks(trainer)
    trainer.optimizers = {name: SGD(networks[name].parameters(), 0.1) for name in networks}
    textbook = {name: without_short_cuts(network) for name, network in networks.items()}
    quick = sum(
        isinstance(module, WinogradConvolution) for network in networks.values() for module in network.modules()
    )
    assert quick == (2 if width > FEWEST_CHANNELS else 0)  # of 8x8, the encoder's and the discriminator's
    x = torch.rand(4, 1, 16, 16) * 2 - 1
    trainer.step(_batch(x, 0.5), torch.Generator().manual_seed(3))

    noise, fade = torch.randn(4, 8, generator=torch.Generator().manual_seed(3)), trainer.fade(0.5)
    real = at_resolution(x, trainer.stage, fade)
    for name, loss in textbook_losses(textbook, real, noise, fade).items():
        parameters = list(textbook[name].parameters())
        gradients = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
        for mine, before, gradient in zip(networks[name].parameters(), parameters, gradients, strict=True):
            expected = before if gradient is None else before - 0.1 * gradient
            # of many channels one may lie at its rectifier's kink, and fall on the other side by rounding
            torch.testing.assert_close(mine, expected, rtol=1e-4, atol=1e-3 if quick else 1e-6, msg=name)


def test_reconstructions_get_better(images: TrainingImages) -> None:
    trainer = _trainer(_plan(epochs=25, learning_rate=1e-3))
    history = run_training(trainer, images, None)
    assert [p.what for p in history[:4]] == ["4 x 4", "8 x 8, fading in", "8 x 8", "16 x 16, fading in"]
    assert history[-1].losses["reconstruction"] < 0.8 * history[4].losses["reconstruction"]


@pytest.mark.parametrize("killed_after", [4, 6])  # when a stage is over, and in the middle of one
def test_a_resumed_run_ends_where_an_uninterrupted_one_does(
    images: TrainingImages, tmp_path: Path, killed_after: int
) -> None:
    plan = _plan(epochs=8)
    whole = _trainer(plan)
    run_training(whole, images, None)

    class PulledPlug(Exception):
        pass

    def pull(progress: Progress) -> None:
        if progress.epoch == killed_after:
            raise PulledPlug

    checkpoint = tmp_path / "checkpoint.safetensors"
    with pytest.raises(PulledPlug):
        run_training(_trainer(plan), images, checkpoint, on_progress=pull)
    second = _trainer(plan)
    history = run_training(second, images, checkpoint, resume=True)
    assert [p.epoch for p in history] == list(range(1, 9))
    for name, value in whole.modules["network"].state_dict().items():
        torch.testing.assert_close(second.modules["network"].state_dict()[name], value, rtol=0, atol=0)
    for name, value in whole.scoring_model().state_dict().items():
        torch.testing.assert_close(second.scoring_model().state_dict()[name], value, rtol=0, atol=0)


def test_a_step_that_is_not_finite_is_skipped_counted_and_harmless(images: TrainingImages) -> None:
    trainer = _trainer(_plan())
    trainer.begin_epoch(6)
    generator = torch.Generator().manual_seed(0)
    broken = torch.full((4, 1, 16, 16), float("nan"))
    trainer.step(_batch(broken, 0.0), generator)
    assert trainer.skipped >= 2
    assert all(torch.isfinite(p).all() for module in trainer.modules.values() for p in module.parameters())


def test_the_last_epochs_run_at_a_third_of_the_rate() -> None:
    trainer = _trainer(_plan(cool_down_epochs=2, learning_rate=3e-4, discriminator_rate=0.25))
    rates = []
    for epoch in range(7):
        trainer.begin_epoch(epoch)
        rates.append(trainer.optimizers["generator"].param_groups[0]["lr"])
    assert rates == pytest.approx([3e-4] * 5 + [1e-4] * 2)
    assert trainer.optimizers["discriminator"].param_groups[0]["lr"] == pytest.approx(0.25e-4)


def test_the_time_limit_ends_a_run_at_an_epochs_end(images: TrainingImages) -> None:
    history = run_training(_trainer(_plan(epochs=500, minutes=0.02)), images, None)
    assert 1 <= len(history) < 500


def test_early_stopping_waits_until_the_network_has_grown_and_ships_its_best_epoch_since(
    images: TrainingImages, tmp_path: Path
) -> None:
    trainer = _trainer(_plan(epochs=40, patience=2, stopping_share=0.2, learning_rate=1e-12))  # nothing gets better
    states: list[dict[str, torch.Tensor]] = []
    history = run_training(
        trainer,
        TrainingImages(images.normal[:8], held=images.normal[8:]),
        tmp_path / "checkpoint.safetensors",
        on_progress=lambda _: states.append({k: v.clone() for k, v in trainer.average.state_dict().items()}),
    )
    growth = sum(stage.epochs for stage in trainer.stages[:-1])
    losses = [progress.held_out_loss for progress in history]
    assert growth > 2 and losses[:growth] == [None] * growth and None not in losses[growth:]
    best = growth + int(np.argmin(losses[growth:]))
    assert len(history) == best + 1 + 2
    assert all(torch.equal(value, states[best][name]) for name, value in trainer.average.state_dict().items())
    model = trainer.scoring_model()
    x = torch.from_numpy(images.normal[8:]).unsqueeze(1).float() / 127.5 - 1
    with torch.no_grad():
        error = model.anomaly(x).scores["reconstruction_error"].mean()
    assert float(error) == pytest.approx(min(losses[growth:]), rel=1e-4)


def test_the_shipped_network_is_the_average_at_the_final_size(images: TrainingImages) -> None:
    trainer = _trainer(_plan())
    run_training(trainer, images, None)
    model = trainer.scoring_model()
    assert model.architecture == trainer.network.architecture
    assert list(model.encoder.from_image) == ["16"] and list(model.generator.to_image) == ["16"]
    x = torch.rand(2, 1, 16, 16)
    torch.testing.assert_close(model.encoder(x), trainer.average.encoder(x))


def test_real_images_fade_in_as_the_generators_do() -> None:
    x = torch.rand(1, 1, 16, 16)
    blurred = at_resolution(x, Stage(8, True, 1), 0.0)
    assert torch.equal(blurred[..., ::2, ::2], blurred[..., 1::2, 1::2])
    torch.testing.assert_close(at_resolution(x, Stage(8, True, 1), 1.0), torch.nn.functional.avg_pool2d(x, 2))


def test_no_convolution_of_a_step_takes_its_images_in_another_order_than_its_weights() -> None:
    """Each change of order costs as much as a layer: on one processor a step at 256 x 256 took a quarter longer."""
    trainer = _trainer(_plan(size=(32, 32), width=64))  # 8 channels at full size: of one, every order is the same
    trainer.begin_epoch(6)
    other: list[tuple[int, ...]] = []

    def look(layer: torch.nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        if not output.is_contiguous(memory_format=torch.channels_last):
            other.append(tuple(output.shape))

    for network in _networks(trainer).values():
        for layer in network.modules():
            if isinstance(layer, torch.nn.Conv2d | WinogradConvolution):
                layer.register_forward_hook(look)
    trainer.step(_batch(torch.rand(4, 1, 32, 32) * 2 - 1, 0.5), torch.Generator().manual_seed(0))
    assert not other
