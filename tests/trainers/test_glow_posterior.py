"""Two flows learn the likelihoods of their own images from one beginning, and a killed run ends where it would have ended."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric

from engine.errors import CohortRejected
from engine.models.glow3d_posterior import Glow3DPosterior
from engine.models.glow_posterior import dequantised
from tests.trainers.conftest import drawn
from trainers.draw import drawn_cohorts
from trainers.glow3d_posterior import Glow3DPosteriorPlan
from trainers.glow_posterior import GlowPosteriorPlan, GlowPosteriorTrainer
from trainers.method import Batch, TrainingImages, as_input
from trainers.registry import trainer_of
from trainers.training import Progress, run_training

SMALL = {
    "levels": 2,
    "depth": 2,
    "width": 8,
    "bits": 5,
    "batch": 4,
    "epochs": 4,
    "warm_up_epochs": 1,
    "average_epochs": 0.5,
}


def _trainer(**changes: object) -> GlowPosteriorTrainer:
    plan = GlowPosteriorPlan.model_validate({"size": (16, 16)} | SMALL | changes)
    trainer = trainer_of(plan, Fabric(accelerator="cpu", devices=1))
    assert isinstance(trainer, GlowPosteriorTrainer)
    return trainer


@pytest.fixture(scope="module")
def images() -> TrainingImages:
    normal = np.stack([drawn(seed, side=16) for seed in range(12)])
    mixture = np.stack([drawn(100 + seed, abnormal=seed % 2 == 0, side=16) for seed in range(12)])
    return TrainingImages(normal, mixture)


def _batch(images: TrainingImages, share: float = 0.0) -> Batch:
    assert images.mixture is not None
    device = torch.device("cpu")
    return Batch(as_input(images.normal, device), torch.arange(12), as_input(images.mixture, device), share)


def _state(trainer: GlowPosteriorTrainer, side: str) -> list[torch.Tensor]:
    return [p.detach().clone() for p in getattr(trainer.network, side).parameters()]


def _same(first: list[torch.Tensor], second: list[torch.Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_both_flows_begin_at_one_state_set_by_a_batch_of_both_kinds(images: TrainingImages) -> None:
    trainer = _trainer()
    trainer.begin(images)
    assert trainer.network.normal.initialised and _same(_state(trainer, "normal"), _state(trainer, "mixture"))
    again = _trainer()
    again.begin(images)
    assert _same(_state(trainer, "normal"), _state(again, "normal"))
    other = _trainer()
    other.begin(TrainingImages(images.normal, images.normal[::-1].copy()))
    assert not _same(_state(trainer, "normal"), _state(other, "normal")), "the mixture takes part in the first batch"


@pytest.mark.parametrize("learner", ["normal", "mixture"])
def test_a_flow_is_changed_by_its_own_images_only(
    learner: str, images: TrainingImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = _trainer()
    trainer.begin(images)
    trainer.begin_epoch(2)
    before = {side: _state(trainer, side) for side in ("normal", "mixture")}
    update = trainer.update
    monkeypatch.setattr(trainer, "update", lambda name, loss: name == learner and update(name, loss))
    trainer.step(_batch(images), torch.Generator().manual_seed(0))
    for side in ("normal", "mixture"):
        assert _same(before[side], _state(trainer, side)) is (side != learner)


def test_flows_are_one_while_they_share_and_part_afterwards(images: TrainingImages) -> None:
    trainer = _trainer(shared_epochs=2)
    untouched: list[bool] = []
    trainer.begin(images)
    first = _state(trainer, "mixture")
    trainer.begin_epoch(0)
    found = trainer.step(_batch(images), torch.Generator().manual_seed(0))
    untouched.append(_same(first, _state(trainer, "mixture")))
    assert set(found) == {"shared"} and untouched == [True]
    assert trainer.begin_epoch(2) == "two flows"
    assert _same(_state(trainer, "normal"), _state(trainer, "mixture"))
    x = _batch(images).normal
    with torch.inference_mode():
        assert torch.equal(trainer.scoring_model().anomaly(x).posterior, torch.zeros(12))
    found = trainer.step(_batch(images), torch.Generator().manual_seed(0))
    assert set(found) == {"normal", "mixture"}
    assert not _same(_state(trainer, "normal"), _state(trainer, "mixture"))


@pytest.mark.parametrize("shared", [0, 2])
def test_a_resumed_run_ends_where_an_uninterrupted_one_does(
    shared: int, images: TrainingImages, tmp_path: Path
) -> None:
    changes = {"shared_epochs": shared, "cool_down_epochs": 1}
    whole = _trainer(**changes)
    run_training(whole, images, None)

    class PulledPlug(Exception):
        pass

    def pull(progress: Progress) -> None:
        if progress.epoch == 2:
            raise PulledPlug

    checkpoint = tmp_path / "checkpoint.safetensors"
    with pytest.raises(PulledPlug):
        run_training(_trainer(**changes), images, checkpoint, on_progress=pull)
    second = _trainer(**changes)
    run_training(second, images, checkpoint, resume=True)
    for name in ("network", "average"):
        assert _same(list(whole.modules[name].state_dict().values()), list(second.modules[name].state_dict().values()))


def test_likelihoods_grow_the_flow_can_still_be_undone_and_lesions_score_higher(images: TrainingImages) -> None:
    trainer = _trainer(epochs=24, shared_epochs=16, learning_rate=3e-3)
    history = run_training(trainer, images, None)
    assert history[15].losses["shared"] < history[0].losses["shared"] - 0.5
    assert history[-1].losses["normal"] < history[16].losses["normal"]
    model = trainer.scoring_model()
    well = np.stack([drawn(500 + seed, side=16) for seed in range(12)])
    ill = np.stack([drawn(600 + seed, abnormal=True, side=16) for seed in range(12)])
    with torch.inference_mode():
        y = dequantised(as_input(well, torch.device("cpu")), model.noise, model.bits)
        assert (model.normal.inverse(model.normal(y).latents) - y).abs().max() < 1e-4
        normal, abnormal = (
            model.anomaly(as_input(x, torch.device("cpu"))).scores["log_posterior"] for x in (well, ill)
        )
    pairs = (abnormal[:, None] > normal[None]).float().mean()
    assert pairs > 0.9


def test_the_rate_rises_in_the_warm_up_and_falls_at_the_end() -> None:
    trainer = _trainer(epochs=20, warm_up_epochs=4, cool_down_epochs=5, learning_rate=1e-3)
    trainer.steps_in_epoch = 10
    rates = []
    for epoch in range(20):
        trainer.begin_epoch(epoch)
        rates.append(trainer.rate(0.0))
    assert rates[0] == pytest.approx(1e-3 * 0.1 / 4)
    assert rates[:5] == sorted(rates[:5]) and rates[4:16] == pytest.approx([1e-3] * 12)
    assert rates[-1] == pytest.approx(1e-3 / 5)


def test_a_step_that_is_not_finite_is_skipped_counted_and_harmless_and_a_large_gradient_is_cut(
    images: TrainingImages,
) -> None:
    trainer = _trainer(most_gradient=1e-3)
    trainer.begin(images)
    trainer.begin_epoch(1)
    before = _state(trainer, "normal"), _state(trainer, "mixture")
    batch = _batch(images)
    broken = Batch(batch.normal * float("nan"), batch.indices, batch.mixture, 0.0)
    trainer.step(broken, torch.Generator().manual_seed(0))
    assert trainer.skipped == 1 and _same(before[0], _state(trainer, "normal"))
    assert not _same(before[1], _state(trainer, "mixture"))
    norm = torch.nn.utils.get_total_norm([p.grad for p in trainer.network.mixture.parameters() if p.grad is not None])
    assert float(norm) == pytest.approx(1e-3, rel=1e-2)


def test_a_mixture_is_always_wanted_and_said_how_to_give(cohort_csv) -> None:
    with pytest.raises(CohortRejected, match="unlabelled mixture") as caught:
        drawn_cohorts(_trainer(), cohort_csv(), None)
    assert "--mixture" in caught.value.cure


def test_the_papers_tables_are_the_defaults() -> None:
    flat, solid = GlowPosteriorPlan(), Glow3DPosteriorPlan()
    assert (flat.size, flat.levels, flat.depth, flat.batch, flat.epochs) == ((512, 512), 7, 32, 128, 200)
    assert (flat.learning_rate, flat.width, flat.shared_epochs) == (1e-3, 512, 0)
    assert (solid.size, solid.levels, solid.depth, solid.width) == ((32, 128, 128), 4, 32, 512)
    assert (solid.batch, solid.epochs, solid.learning_rate, solid.bits) == (1, 30, 1e-4, 7)


def test_a_small_size_has_the_levels_that_fit_it_and_volumes_learn_too() -> None:
    assert len(_trainer(levels=7, size=(32, 32)).network.normal.levels) == 3
    plan = Glow3DPosteriorPlan.model_validate(
        SMALL | {"size": (4, 16, 16), "batch": 2, "epochs": 2, "shared_epochs": 1}
    )
    trainer = trainer_of(plan, Fabric(accelerator="cpu", devices=1))
    volumes = np.random.default_rng(0).integers(0, 256, (6, 4, 16, 16)).astype(np.uint8)
    history = run_training(trainer, TrainingImages(volumes, volumes[::-1].copy()), None)
    assert set(history[-1].losses) == {"normal", "mixture"}
    model = trainer.scoring_model()
    assert isinstance(model, Glow3DPosterior) and len(model.normal.levels) == 1
