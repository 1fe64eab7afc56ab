"""The fast path says what the plain network says, alone and in a batch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from engine.errors import DeviceExhausted
from engine.models.alpha_gan import AlphaGAN
from engine.models.autoencoder_3d import Autoencoder3D
from engine.models.bundle import load_bundle
from engine.models.inference import Inference, computes_bfloat16, holds_in_bfloat16, prepare_for_inference

CPU = torch.device("cpu")


def test_float32_inference_agrees_with_the_plain_network(model: AlphaGAN) -> None:
    x = torch.rand(3, 1, 32, 32) * 2 - 1
    fast = prepare_for_inference(model, CPU, torch.float32)(x)
    with torch.inference_mode():
        plain = model.anomaly(x)
    for name, values in plain.scores.items():
        torch.testing.assert_close(fast.scores[name], values, rtol=1e-5, atol=1e-6)


def test_folding_batch_normalisation_changes_nothing() -> None:
    torch.manual_seed(0)
    model = Autoencoder3D(size=(16, 32, 32), width=2, code=8)
    x = torch.rand(4, 1, 16, 32, 32) * 2 - 1
    model.train()
    model.reconstruct(x)  # so that the running statistics are not those of an untouched layer
    model.eval()
    fast = prepare_for_inference(model, CPU, torch.float32)(x)
    with torch.inference_mode():
        plain = model.anomaly(x)
    torch.testing.assert_close(fast.reconstruction, plain.reconstruction, rtol=1e-4, atol=1e-5)
    assert any(isinstance(layer, torch.nn.BatchNorm3d) for layer in model.modules())  # the original is left as it was


@pytest.mark.skipif(not computes_bfloat16(CPU), reason="this CPU does not compute in bfloat16")
def test_bfloat16_scores_alone_as_in_a_batch_within_its_precision(model: AlphaGAN) -> None:
    x = torch.rand(4, 1, 32, 32) * 2 - 1
    fast = prepare_for_inference(model, CPU, torch.bfloat16)
    together = fast(x)
    for index in range(4):
        for name, values in fast(x[index : index + 1]).scores.items():
            torch.testing.assert_close(values[0], together.scores[name][index], rtol=5e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("recipe", "holds"),
    [
        ({}, False),
        ({"bfloat16_drift": {}}, False),
        ({"bfloat16_drift": {"code_norm": 0.01, "ssim": 0.02}}, True),
        ({"bfloat16_drift": {"code_norm": 0.01, "ssim": 0.5}}, False),
    ],
)
def test_bfloat16_is_used_only_where_the_card_saw_every_score_hold(
    write: Callable[..., Path], recipe: dict, holds: bool
) -> None:
    bundle = load_bundle(write(recipe=recipe))
    assert holds_in_bfloat16(bundle) is holds
    wanted = torch.bfloat16 if holds and computes_bfloat16(CPU) else torch.float32
    assert Inference(bundle, "cpu").dtype is wanted


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is here")
def test_asking_for_a_device_that_is_not_there_names_the_cure(write: Callable[..., Path]) -> None:
    with pytest.raises(DeviceExhausted, match="cpu"):
        Inference(load_bundle(write()), "cuda")


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device is here")
def test_cuda_agrees_with_the_cpu(write: Callable[..., Path]) -> None:
    bundle = load_bundle(write())
    x = torch.rand(3, 1, 32, 32) * 2 - 1
    here, there = Inference(bundle, "cpu", "float32")(x), Inference(bundle, "cuda", "float32")(x)
    for name, values in here.scores.items():
        torch.testing.assert_close(there.scores[name], values, rtol=1e-3, atol=1e-4)
