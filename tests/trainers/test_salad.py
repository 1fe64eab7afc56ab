"""SALAD's losses are the paper's, its bank holds detached codes in rounds that survive a kill, and known abnormal images never reach a bundle."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.trainers.conftest import drawn
from tests.trainers.method_runs import drawn_images, fresh_trainer, resumed_after, same_weights
from trainers.batches import epoch_batches
from trainers.mem_dae import MemDAEPlan, MemDAETrainer
from trainers.memory_autoencoder import thumbnails
from trainers.method import Batch, TrainingImages, as_input
from trainers.salad import SALADPlan, SALADTrainer, neighbourhood_likeness
from trainers.training import run_training

SMALL = {
    "size": (64, 64),
    "width": 2,
    "code": 8,
    "epochs": 5,
    "batch": 4,
    "pretraining_share": 0.2,
    "training_rounds": 2,
}


def _plan(**changes: object) -> SALADPlan:
    return SALADPlan.model_validate(SMALL | changes)


def _trainer(images: TrainingImages | None = None, **changes: object) -> SALADTrainer:
    trainer = fresh_trainer(_plan(**changes))
    assert isinstance(trainer, SALADTrainer)
    if images is not None:
        trainer.begin(images)
        trainer.begin_epoch(0)
    return trainer


def _batch(images: TrainingImages, count: int = 4) -> Batch:
    return Batch(as_input(images.normal[:count], torch.device("cpu")), torch.arange(count), None, 0.0)


def _with_abnormals(normals: int = 20, abnormals: int = 10) -> TrainingImages:
    pictures = np.stack([drawn(100 + seed, abnormal=True, side=64) for seed in range(abnormals)])
    return TrainingImages(drawn_images(normals, 64).normal, pictures)


def test_the_papers_choices_are_the_defaults() -> None:
    plan = SALADPlan()
    assert (plan.size, plan.batch, plan.learning_rate, plan.betas) == ((256, 256), 16, 1e-4, (0.5, 0.999))
    assert (plan.temperature, plan.latent_weight, plan.memory_rate, plan.neighbours) == (0.1, 0.25, 0.5, 100)
    assert (plan.epochs, plan.code, plan.network, plan.thumbnail) == (550, 200, "unet", 0)


def test_pre_training_lasts_50_epochs_and_each_of_ten_rounds_50() -> None:
    trainer = fresh_trainer(_plan(epochs=550, pretraining_share=1 / 11, training_rounds=10))
    assert isinstance(trainer, SALADTrainer)
    rounds = [trainer.round_of(epoch) for epoch in range(550)]
    assert [rounds.count(number) for number in range(12)] == [50] * 11 + [0]
    assert rounds == sorted(rounds)


def test_the_loss_is_equation_3() -> None:
    images = drawn_images(12, 64)
    trainer = _trainer(images, reconstruction_weight=2)
    trainer.prototypical.chosen[:2] = True
    batch = _batch(images)
    z = F.normalize(torch.randn(4, 8), dim=1)
    drawn_again = torch.rand(4, 1, 64, 64)
    losses = trainer.losses(batch.normal, z, drawn_again, batch.indices)
    likeness = (z @ trainer.memory.codes.T / 0.1).exp()
    likeness = likeness / likeness.sum(1, keepdim=True)
    own = likeness.diagonal()
    others = likeness.clone()
    others[range(4), range(4)] = 0
    together = own + others.max(1).values
    latent = -torch.cat([together[:2], own[2:]]).log()
    error = (batch.normal - drawn_again).square().mean()
    torch.testing.assert_close(losses["total"], 2 * error + 0.25 * latent.mean())
    torch.testing.assert_close(losses["aggregation"], latent[:2].mean())
    torch.testing.assert_close(losses["sample_specific"], latent[2:].mean())


def test_a_neighbourhood_never_counts_an_image_twice() -> None:
    likeness = torch.tensor([[0.5, 0.3, 0.2]]).log()
    for place, k, expected in ((0, 1, 0.8), (2, 1, 0.7), (0, 9, 1.0)):
        assert float(neighbourhood_likeness(likeness, torch.tensor([place]), k).exp()) == pytest.approx(expected)


def test_a_step_moves_the_bank_by_the_code_before_it_and_leaves_others_alone() -> None:
    images = drawn_images(12, 64)
    trainer = _trainer(images, memory_rate=1.0)
    before = trainer.memory.codes.clone()
    seen: list[Tensor] = []
    trainer.network_in_use.register_forward_hook(lambda _module, _inputs, out: seen.append(out[0].detach()))
    trainer.step(_batch(images), torch.Generator())
    torch.testing.assert_close(trainer.memory.codes[:4], seen[0])
    assert torch.equal(trainer.memory.codes[4:], before[4:])
    assert not trainer.memory.codes.requires_grad


def test_rounds_take_the_images_with_the_lowest_entropy_first_and_all_in_the_end() -> None:
    images = drawn_images(12, 64)
    trainer = _trainer(images)  # an epoch of pre-training, two rounds of two
    assert trainer.begin_epoch(0) == "pre-training" and not trainer.prototypical.chosen.any()
    assert trainer.begin_epoch(1) == "round 1 of 2"
    first = trainer.prototypical.chosen.clone()
    entropies = trainer.memory.entropies(0.1)
    assert int(first.sum()) == 6 and entropies[first].max() <= entropies[~first].min()
    trainer.memory.update(torch.arange(6), torch.randn(6, 8), 1.0)
    trainer.begin_epoch(2)
    assert torch.equal(trainer.prototypical.chosen, first)  # chosen anew at the start of a round alone
    assert trainer.begin_epoch(3) == "round 2 of 2" and trainer.prototypical.chosen.all()


def test_known_abnormal_images_have_places_of_their_own_that_are_not_scored() -> None:
    images = _with_abnormals()
    trainer = _trainer(images, known_abnormal_share=0.2)
    assert len(trainer.memory.codes) == 25 and trainer.findings["known_abnormal_images"] == 5
    assert sorted(trainer.place_of_mixture.tolist()) == [-1] * 5 + [20, 21, 22, 23, 24]
    before = trainer.memory.codes.clone()
    generator = torch.Generator().manual_seed(0)
    for batch in epoch_batches(images, trainer.plan, torch.device("cpu"), generator, mixture_once=trainer.mixture_once):
        trainer.step(batch, generator)
    assert not (trainer.memory.codes == before).all(1).any()
    model = trainer.scoring_model()
    assert torch.equal(model.memory.codes, trainer.memory.codes[:20])


@pytest.mark.parametrize(("normals", "abnormals", "batch"), [(20, 20, 4), (12, 36, 4), (20, 6, 10), (20, 40, 2)])
def test_each_known_abnormal_image_is_learned_from_once_an_epoch_however_many_there_are_to_choose_from(
    normals: int, abnormals: int, batch: int
) -> None:
    trainer, places = _trainer(known_abnormal_share=0.2, batch=batch), list[int]()

    def watched(drawn: Batch) -> tuple[Tensor, Tensor]:
        x, found = SALADTrainer.learned_from(trainer, drawn)
        assert len(x) == len(found)
        places.extend(found.tolist())
        return x, found

    trainer.learned_from = watched  # type: ignore[method-assign]
    run_training(trainer, _with_abnormals(normals, abnormals), None)
    chosen = normals // 4
    assert Counter(places) == Counter(dict.fromkeys(range(normals + chosen), trainer.plan.epochs))


def test_losses_fall_and_codes_gather() -> None:
    history = run_training(
        _trainer(epochs=12, learning_rate=5e-3, reconstruction_weight=10), drawn_images(12, 64), None
    )
    assert history[-1].losses["reconstruction"] < 0.6 * history[0].losses["reconstruction"]
    assert history[-1].losses["aggregation"] < history[0].losses["sample_specific"]
    assert math.isnan(history[0].losses["aggregation"])


@pytest.mark.parametrize("killed", [1, 2, 3])
def test_a_resumed_run_ends_where_an_uninterrupted_one_does(tmp_path: Path, killed: int) -> None:
    images, whole = _with_abnormals(12, 4), _trainer(known_abnormal_share=0.2)
    run_training(whole, images, None)
    second = resumed_after(_plan(known_abnormal_share=0.2), images, killed, tmp_path / "checkpoint.safetensors")
    assert same_weights(whole.scoring_model(), second.scoring_model())


def test_the_bank_that_is_scored_against_has_the_final_weights_codes_of_the_images_as_they_are() -> None:
    images = drawn_images(12, 64)
    refreshed, kept = _trainer(), _trainer(refreshed_bank=False)
    run_training(refreshed, images, None)
    run_training(kept, images, None)
    model, as_in_the_paper = refreshed.scoring_model(), kept.scoring_model()
    with torch.no_grad():
        exact = model.autoencoder.encode(as_input(images.normal, torch.device("cpu")))
    torch.testing.assert_close(model.memory.codes, exact, rtol=1e-4, atol=1e-5)
    assert same_weights(model.autoencoder, as_in_the_paper.autoencoder)
    assert not torch.allclose(model.memory.codes, as_in_the_paper.memory.codes, atol=1e-3)


def test_pictures_of_normals_travel_only_when_asked_for() -> None:
    images = drawn_images(12, 64)
    assert _trainer(images).scoring_model().thumbnails.numel() == 0
    small = _trainer(images, thumbnail=32).scoring_model().thumbnails
    exact = images.normal.reshape(12, 32, 2, 32, 2).mean((2, 4))
    assert small.shape == (12, 32, 32) and np.abs(small.numpy() - exact).max() <= 0.51
    assert torch.equal(thumbnails(images.normal, 32, rows=5), small)


def test_the_baseline_minimises_the_reconstruction_alone_and_fills_its_bank() -> None:
    images = drawn_images(12, 64)
    trainer = fresh_trainer(MemDAEPlan(size=(64, 64), width=2, code=8, epochs=10, batch=4, learning_rate=5e-3))
    assert isinstance(trainer, MemDAETrainer) and trainer.mixture == "never"
    history = run_training(trainer, images, None)
    assert set(history[0].losses) == {"reconstruction"}
    assert history[-1].losses["reconstruction"] < 0.6 * history[0].losses["reconstruction"]
    model = trainer.scoring_model()
    with torch.no_grad():
        codes = model.autoencoder.encode(as_input(images.normal, torch.device("cpu")))
    assert float((codes * model.memory.codes).sum(1).mean()) > 0.5  # of the images, and no longer random


def test_held_out_normals_are_judged_by_their_reconstruction() -> None:
    images = drawn_images(12, 64)
    trainer = _trainer(images)
    trainer.network.eval()
    x = as_input(images.normal[:3], torch.device("cpu"))
    with torch.no_grad():
        assert trainer.held_out_loss(replace(images, held=images.normal[:3])) == pytest.approx(
            float((x - trainer.network(x)[1]).square().mean()), rel=1e-5
        )
