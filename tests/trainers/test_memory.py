"""What a step will need is said before the first one, grows with the batch, and asking changes nothing of the run."""

from __future__ import annotations

import numpy as np
import torch
from lightning_fabric import Fabric

from tests.trainers.conftest import drawn
from trainers.alpha_gan import AlphaGANPlan
from trainers.memory import step_memory
from trainers.method import TrainingImages
from trainers.registry import trainer_of

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
