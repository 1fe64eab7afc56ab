"""A run that cannot come to a network says so in words; what it had finished is kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from engine.errors import NormascopeError, StorageUnavailable, TrainingFailed
from trainers import alpha_gan
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
