"""What a step will need is said before the first one, grows with the batch, and asking changes nothing of the run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric

from engine.errors import NormascopeError, TrainingFailed
from tests.trainers.conftest import drawn
from trainers import memory
from trainers.alpha_gan import AlphaGANPlan
from trainers.memory import check_step, machine_memory, step_memory
from trainers.method import TrainingImages
from trainers.registry import trainer_of
from trainers.run import train

IMAGES = TrainingImages(np.stack([drawn(seed, side=16) for seed in range(6)]))
CPU = torch.device("cpu")


def test_a_larger_batch_needs_more_and_weights_count_four_times() -> None:
    plan = AlphaGANPlan(size=(16, 16), width=32, code=8, batch=4)
    trainer = trainer_of(plan, Fabric(accelerator="cpu", devices=1))
    weights = sum(p.nbytes for module in trainer.modules.values() for p in module.parameters())
    small, large = (step_memory(plan.model_copy(update={"batch": n}), IMAGES, CPU) for n in (4, 40))
    assert small > 4 * weights
    assert (large - 4 * weights) > 6 * (small - 4 * weights), "ten times the images keep some ten times the activations"


def test_asking_leaves_torchs_random_numbers_where_they_were() -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    step_memory(AlphaGANPlan(size=(16, 16), width=16, code=4), IMAGES, CPU)
    assert torch.equal(torch.rand(4), expected)


def test_a_step_that_cannot_fit_is_refused_before_it_is_taken_and_one_that_may_not_is_said(
    cohort_csv: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, lines = tmp_path / "m.safetensors", list[str]()
    plan = AlphaGANPlan(size=(16, 16), epochs=1, width=16, code=4)
    needed = step_memory(plan, IMAGES, CPU)
    monkeypatch.setattr(memory, "machine_memory", lambda: needed // 5)
    with pytest.raises(TrainingFailed, match="GB at least, and this machine has") as caught:
        train("alpha-gan", cohort_csv(), out=out, plan=plan, on_progress=lambda made: lines.append(str(made)))
    assert "batch under 10" in caught.value.cure
    assert not lines and not (tmp_path / "m.run").exists(), "a cohort of thousands would be prepared in vain"
    monkeypatch.setattr(memory, "machine_memory", lambda: needed // 2)
    assert "may end the run" in check_step(needed, plan, 4)
    monkeypatch.setattr(memory, "machine_memory", lambda: needed)
    assert check_step(needed, plan, 4) == ""


def test_images_and_networks_too_large_for_the_machine_are_one_error_in_words(
    cohort_csv: Callable[..., Path], tmp_path: Path
) -> None:
    source, out = cohort_csv(), tmp_path / "m.safetensors"
    assert 1 << 28 < machine_memory() < 1 << 50
    with pytest.raises(NormascopeError, match="1048576 x 1048576 do not fit"):
        train("cae", source, out=out, size=1 << 20, epochs=1)
    with pytest.raises(TrainingFailed, match="no memory for the networks of mem-dae"):
        train("mem-dae", source, out=out, size=64, epochs=1, options={"width": 1_000_000})
    assert not (tmp_path / "m.run").exists()
