"""A step of every method that may be taken in bfloat16 can be, also with the options that its trial leaves out; nobody gets it unasked on a processor,
and nobody's scores are rounded by TF32."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric

from engine.models.inference import prepare_for_inference
from engine.models.one_class_gan import OneClassGAN
from engine.models.registry import METHODS
from trainers.batches import epoch_batches
from trainers.method import TrainingImages
from trainers.one_device import fabric_on
from trainers.planning import default_plan
from trainers.registry import trainer_class, trainer_of

ROUNDED = [method for method in METHODS if trainer_class(method).plan_class.rounds]
SMALL: dict[str, dict[str, object]] = {
    "alpha-gan": {"width": 16},
    "autoencoder-3d": {"size": (16, 32, 32)},
    "mem-dae": {"size": (64, 64)},
    "salad": {"size": (64, 64)},
    "ratio-posterior": {"size": (64, 64), "member_size": (32, 32), "margin": 0.1, "mirrored": True, "scattering": True},
}


@pytest.mark.parametrize("method", ROUNDED)
def test_a_step_in_bfloat16_has_finite_losses(method: str) -> None:
    kind = trainer_class(method)
    options = {
        **kind.plan_class.trial,
        "size": (32, 32),
        "batch": 4,
        **SMALL.get(method, {}),
        "precision": "bf16-mixed",
    }
    plan = default_plan(method, None, 1, 0, torch.device("cpu"), options)
    pixels = np.random.default_rng(0).integers(0, 255, (2, 8, *plan.size), dtype=np.uint8)
    images = TrainingImages(
        pixels[0], pixels[1] if kind.mixture == "always" else None, None, np.arange(8), np.arange(8)
    )
    trainer = trainer_of(plan, Fabric(accelerator="cpu", devices=1, precision=plan.precision))
    trainer.begin(images)
    trainer.begin_epoch(0)
    generator = torch.Generator().manual_seed(0)
    losses = trainer.step(next(epoch_batches(images, plan, torch.device("cpu"), generator)), generator)
    assert losses and not trainer.skipped
    assert all(math.isfinite(loss) or math.isnan(loss) for loss in map(float, losses.values()))


@pytest.mark.parametrize("method", METHODS)
def test_a_processor_trains_in_full_precision_unless_asked(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainers.planning.computes_bfloat16", lambda device: True)
    assert default_plan(method, None, 1, 0, torch.device("cpu")).precision == "32-true"
    on_cuda = default_plan(method, None, 1, 0, torch.device("cuda")).precision
    assert on_cuda == ("bf16-mixed" if method in ROUNDED else "32-true")


def test_cuda_scores_with_all_the_bits_of_float32_and_learns_with_those_of_tf32() -> None:
    """CUDA's own default rounds what convolutions multiply; the setting can be seen without a device."""
    for _ in range(2):  # whichever came before
        prepare_for_inference(OneClassGAN(size=32, code=4, width=2), torch.device("cpu"), torch.float32)
        assert not torch.backends.cudnn.allow_tf32
        fabric_on(torch.device("cpu"), "32-true")
        assert torch.backends.cudnn.allow_tf32
