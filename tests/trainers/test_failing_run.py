"""A run that cannot come to a network says so in words; what it had finished is kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from engine.errors import NormascopeError, StorageUnavailable, TrainingFailed
from engine.models.alpha_gan import AlphaGAN
from engine.models.bundle import load_bundle
from trainers import alpha_gan, run
from trainers.alpha_gan import AlphaGANPlan, AlphaGANTrainer
from trainers.run import train

Make = Callable[..., Path]
PLAN = AlphaGANPlan(size=(16, 16), epochs=3, width=16, code=4)


def test_losses_that_are_never_finite_end_the_run_and_no_bundle_is_written(
    cohort_csv: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alpha_gan, "_loss", lambda logit: logit.sum() * float("nan"))
    with pytest.raises(TrainingFailed, match="finite loss") as caught:
        train("alpha-gan", cohort_csv(), out=tmp_path / "m.safetensors", plan=PLAN)
    assert "learning rate" in caught.value.cure
    assert not (tmp_path / "m.safetensors").exists()


@pytest.mark.parametrize("learning_rate", [1e30, 1e10], ids=["weights that ran away", "scores that are not finite"])
def test_a_training_that_ran_away_after_its_last_loss_says_so_and_leaves_no_bundle(
    cohort_csv: Make, tmp_path: Path, learning_rate: float
) -> None:
    """One epoch: its losses were still finite, and no other would have told."""
    options = {"learning_rate": learning_rate, "preprocessing": "chest"}
    with pytest.raises(TrainingFailed, match="trained network") as caught:
        train(
            "cae",
            cohort_csv(normals=40, abnormals=8),
            out=tmp_path / "m.safetensors",
            size=32,
            epochs=1,
            options=options,
            device="cpu",
        )
    assert "lower learning rate" in caught.value.cure and "precision" in caught.value.cure
    assert caught.value.where is None and not (tmp_path / "m.safetensors").exists()
    assert not (tmp_path / "m.run" / "unjudged.safetensors").exists()


def test_weights_that_are_no_numbers_are_told_before_a_bundle_is_made_of_them(
    cohort_csv: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scoring = AlphaGANTrainer.scoring_model

    def broken(self: AlphaGANTrainer) -> AlphaGAN:
        model = scoring(self)
        with torch.no_grad():
            next(model.generator.parameters()).view(-1)[0] = float("nan")
        return model

    monkeypatch.setattr(AlphaGANTrainer, "scoring_model", broken)
    with pytest.raises(TrainingFailed, match="not all finite") as caught:
        train("alpha-gan", cohort_csv(), out=tmp_path / "m.safetensors", plan=PLAN.model_copy(update={"epochs": 1}))
    assert "lower learning rate" in caught.value.cure and not (tmp_path / "m.safetensors").exists()


def test_a_weight_beyond_float16_is_stored_as_it_is(
    cohort_csv: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where scores agree all the same: rounded to infinity, the bundle would be refused as one whose weights are no numbers."""
    scoring = AlphaGANTrainer.scoring_model

    def large(self: AlphaGANTrainer) -> AlphaGAN:
        model = scoring(self)
        with torch.no_grad():
            next(model.generator.parameters()).view(-1)[0] = 70_000.0
        return model

    monkeypatch.setattr(AlphaGANTrainer, "scoring_model", large)
    monkeypatch.setattr(run, "disagreement", lambda *_: 0.0)
    out = tmp_path / "m.safetensors"
    train("alpha-gan", cohort_csv(), out=out, plan=PLAN.model_copy(update={"epochs": 1}))
    assert next(load_bundle(out).model.generator.parameters()).view(-1)[0] == 70_000


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 68719476736 bytes."),
    ],
)
def test_a_device_without_memory_is_one_error_that_names_the_batch_and_the_run_can_go_on(
    cohort_csv: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: RuntimeError
) -> None:
    table, step, taken = cohort_csv(), AlphaGANTrainer.step, 0

    def full(self: AlphaGANTrainer, *arguments: object) -> object:
        nonlocal taken
        taken += 1
        if taken > 6:
            raise error
        return step(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(AlphaGANTrainer, "step", full)
    with pytest.raises(TrainingFailed, match="out of memory") as caught:
        train("alpha-gan", table, out=tmp_path / "m.safetensors", plan=PLAN)
    assert "batch under 10" in caught.value.cure
    monkeypatch.setattr(AlphaGANTrainer, "step", step)
    epochs: list[int] = []
    train("alpha-gan", table, out=tmp_path / "m.safetensors", resume=True, on_progress=lambda p: epochs.append(p.epoch))
    assert [epoch for epoch in epochs if epoch] == [3]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"epohcs": 3}, "epohcs"),
        ({"learning_rate": "-1"}, "learning_rate"),
        ({"patience": 2}, "stopping_share"),
        ({"preprocessing": "nothing"}, "no preprocessing is called 'nothing'"),
        ({"preprocessing_options": '{"grey": "purple"}'}, "grey"),
        ({"views": '[{"gray": "local"}]'}, "gray"),
    ],
)
def test_an_option_that_the_plan_does_not_take_is_named(
    cohort_csv: Make, tmp_path: Path, options: dict[str, object], words: str
) -> None:
    with pytest.raises(NormascopeError, match=words):
        train("alpha-gan", cohort_csv(), out=tmp_path / "m.safetensors", size=16, epochs=1, options=options)


def test_a_folder_in_the_bundles_place_is_told_before_anything_is_learned(cohort_csv: Make, tmp_path: Path) -> None:
    with pytest.raises(StorageUnavailable, match="this is a folder"):
        train("alpha-gan", cohort_csv(), out=tmp_path, plan=PLAN)
    assert not tmp_path.with_suffix(".run").exists()
