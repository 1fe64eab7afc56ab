"""The denoising autoencoder learns what was added to normals, knows their usual errors at the end, and goes on after a kill."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.trainers.method_runs import (
    batch_of,
    drawn_images,
    fresh_trainer,
    loss_of,
    resumed_after,
    same_weights,
    seen,
)
from trainers.denoising_autoencoder import DenoisingAutoencoderPlan, DenoisingAutoencoderTrainer, coarse_noise
from trainers.training import run_training


def _plan(**changes: object) -> DenoisingAutoencoderPlan:
    values = {"size": (32, 32), "width": 4, "levels": 2, "epochs": 4, "batch": 4, "most_cells": 8} | changes
    return DenoisingAutoencoderPlan.model_validate(values)


def _trainer(**changes: object) -> DenoisingAutoencoderTrainer:
    trainer = fresh_trainer(_plan(**changes))
    assert isinstance(trainer, DenoisingAutoencoderTrainer)
    return trainer


def test_less_and_less_of_the_noise_is_left() -> None:
    history = run_training(_trainer(epochs=60, learning_rate=5e-3), drawn_images(12, 32), None)
    assert history[-1].losses["error"] < 0.7 * history[-1].losses["added"]


@pytest.mark.parametrize(("patchy_share", "changed"), [(0.0, 0.8), (1.0, 0.3)])
def test_noise_lies_where_the_patient_is_all_over_or_in_patches(patchy_share: float, changed: float) -> None:
    trainer = _trainer(patchy_share=patchy_share)
    x = torch.full((8, 1, 32, 32), 0.5)
    x[..., :8] = -1
    noisy = trainer.noisy(x, torch.Generator().manual_seed(0))
    assert torch.equal(noisy[..., :8], x[..., :8])
    assert float(noisy.abs().max()) <= 1
    assert float((noisy - x)[..., 8:].abs().gt(0.01).float().mean()) == pytest.approx(changed, abs=0.2)


@pytest.mark.parametrize(("sides", "cells"), [((32, 48), 3.3), ((16, 32, 32), 8.0), ((32, 32), 1.0)])
def test_coarse_noise_is_smooth_repeatable_and_elsewhere_each_time(sides: tuple[int, ...], cells: float) -> None:
    first = coarse_noise(sides, cells, torch.Generator().manual_seed(1))
    assert first.shape == sides
    assert torch.equal(first, coarse_noise(sides, cells, torch.Generator().manual_seed(1)))
    assert not torch.equal(first, coarse_noise(sides, cells, torch.Generator().manual_seed(2)))
    assert float(first.diff(dim=-1).abs().mean()) < 0.7 * float(first.std()) + 0.1


def test_what_is_usual_is_measured_on_the_training_normals_at_the_end() -> None:
    trainer = _trainer(epochs=1)
    run_training(trainer, drawn_images(12, 32), None)
    model = trainer.scoring_model()
    assert not torch.equal(model.usual, torch.ones_like(model.usual))
    assert float(model.usual.std()) > 0
    again = model.usual.clone()
    trainer.finish(drawn_images(12, 32))
    torch.testing.assert_close(trainer.scoring_model().usual, again)


def test_a_resumed_run_ends_where_an_uninterrupted_one_does(tmp_path: Path) -> None:
    images, whole = drawn_images(12, 32), _trainer()
    run_training(whole, images, None)
    second = resumed_after(_plan(), images, 2, tmp_path / "checkpoint.safetensors")
    assert same_weights(whole.modules["network"], second.modules["network"])
    assert same_weights(whole.scoring_model(), second.scoring_model())


def test_a_step_that_is_not_finite_is_skipped_and_harmless() -> None:
    trainer = _trainer()
    trainer.begin_epoch(0)
    trainer.step(batch_of(torch.full((4, 1, 32, 32), float("nan"))), torch.Generator())
    assert trainer.skipped == 1
    assert all(torch.isfinite(p).all() for p in trainer.modules["network"].parameters())


def test_held_out_normals_are_judged_by_what_is_left_of_the_noise() -> None:
    trainer, held = _trainer(patchy_share=1, foreign_share=0.5, seed=3), drawn_images(7, 32).normal
    x = seen(held)
    added = trainer.noisy(x, torch.Generator().manual_seed(3), x[[6, 0, 1, 2, 3, 4, 5]]) - x
    # as it begins, it takes nothing off
    assert loss_of(trainer, held) == pytest.approx(float(added.square().mean()), rel=1e-4) and float(added.std()) > 0.01
    with torch.no_grad():
        trainer.network.last.bias.fill_(0.1)  # type: ignore[operator, union-attr]
    assert loss_of(trainer, held) == pytest.approx(float((0.1 - added).square().mean()), rel=1e-4)
