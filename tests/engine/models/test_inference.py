"""The fast path says what the plain network says, alone and in a batch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from statistics import NormalDist
from typing import Any, ClassVar

import pytest
import torch
from torch import nn

from engine.errors import DeviceExhausted
from engine.models import inference
from engine.models.alpha_gan import AlphaGAN
from engine.models.autoencoder_3d import Autoencoder3D
from engine.models.base import Anomaly, AnomalyModel, ModelSpec
from engine.models.bundle import load_bundle
from engine.models.fused_convolution import FusedConvolution, fuses_on
from engine.models.inference import (
    MOST_DRIFT,
    Inference,
    computes_bfloat16,
    holds_in_bfloat16,
    prepare_for_inference,
    ready_network,
)

CPU = torch.device("cpu")


def agree(fast: Anomaly, plain: Anomaly) -> None:
    for name, values in plain.scores.items():
        torch.testing.assert_close(fast.scores[name], values, rtol=1e-5, atol=1e-6)
    for one, other in ((fast.heatmap, plain.heatmap), (fast.reconstruction, plain.reconstruction)):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("images_a_piece", [1, 2, 100])
def test_float32_inference_says_what_the_plain_network_says(
    model: AlphaGAN, images_a_piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inference, "PIECE", images_a_piece * 32 * 32)
    x = torch.rand(5, 1, 32, 32) * 2 - 1
    fast = prepare_for_inference(model, CPU, torch.float32)
    with torch.inference_mode():
        plain = model.anomaly(x)
    agree(fast(x), plain)
    agree(fast(x), plain)  # the second time with weights that are laid out already


@pytest.mark.parametrize(("threads", "images"), [(2, 5), (2, 1), (4, 2), (3, 7)])
def test_pieces_run_at_once_on_several_threads_and_the_answers_keep_their_order(
    model: AlphaGAN, threads: int, images: int
) -> None:
    x = torch.rand(images, 1, 32, 32) * 2 - 1
    fast = prepare_for_inference(model, CPU, torch.float32)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        found = fast(x)
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    with torch.inference_mode():
        agree(found, model.anomaly(x))


def test_float32_scores_alone_as_in_a_batch(model: AlphaGAN) -> None:
    x = torch.rand(4, 1, 32, 32) * 2 - 1
    fast = prepare_for_inference(model, CPU, torch.float32)
    together = fast(x).scores
    for index in range(4):
        for name, values in fast(x[index : index + 1]).scores.items():
            torch.testing.assert_close(values[0], together[name][index], rtol=1e-5, atol=1e-6)


@pytest.mark.skipif(not fuses_on(CPU), reason="this build of torch has no fused operations")
def test_every_convolution_with_a_rectifier_is_fused_and_the_network_itself_left_alone(model: AlphaGAN) -> None:
    names = list(model.state_dict())
    ready = ready_network(model, CPU, torch.float32)
    fused = [layer for layer in ready.modules() if isinstance(layer, FusedConvolution)]
    assert len(fused) == 1 + 3 + 3  # from the image, and a rung each at 32, 16 and 8 on either side
    assert list(model.state_dict()) == names
    assert not any(isinstance(layer, FusedConvolution) for layer in model.modules())
    assert not any(isinstance(layer, FusedConvolution) for layer in ready_network(model, CPU, torch.bfloat16).modules())


def test_preparing_draws_no_random_numbers(model: AlphaGAN) -> None:
    before = torch.get_rng_state()
    ready_network(model, CPU, torch.float32)
    assert torch.equal(torch.get_rng_state(), before)  # or calibrating would change what a training draws next


class Sequences(AnomalyModel):
    """Every kind of layer that is folded or fused, as the published methods write them."""

    method = "sequences"
    primary_score = "error"
    architecture: ClassVar[dict[str, Any]] = {}

    def __init__(self) -> None:
        super().__init__()
        self.spec = ModelSpec(spatial_dims=2, size=(16, 16))
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 4, 4, stride=2, padding=1, bias=False), nn.BatchNorm2d(4), nn.LeakyReLU(0.2),
            nn.Flatten(), nn.Linear(4 * 64, 8), nn.BatchNorm1d(8), nn.ReLU(),
        )  # fmt: skip
        self.decoder = nn.Sequential(
            nn.Unflatten(1, (8, 1, 1)), nn.ConvTranspose2d(8, 6, 4), nn.BatchNorm2d(6), nn.ReLU(inplace=True),
            nn.Sequential(nn.ConvTranspose2d(6, 4, 4, stride=4), nn.BatchNorm2d(4), nn.LeakyReLU(0.1)),
            nn.Conv2d(4, 1, 3, padding=1), nn.Tanh(),
        )  # fmt: skip

    def anomaly(self, x: torch.Tensor) -> Anomaly:
        reconstruction = self.decoder(self.encoder(x))
        error = (x - reconstruction).abs()
        return Anomaly({"error": error.flatten(1).mean(1)}, heatmap=error, reconstruction=reconstruction)


def test_folding_and_fusing_the_layers_of_any_sequence_changes_nothing() -> None:
    torch.manual_seed(0)
    model = Sequences()
    x = torch.rand(6, 1, 16, 16) * 2 - 1
    model.train()
    model.anomaly(x * 3)  # so that the running statistics are not those of an untouched layer
    model.eval()
    ready = ready_network(model, CPU, torch.float32)
    assert not any(isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d) for layer in ready.modules())
    with torch.inference_mode():
        agree(prepare_for_inference(model, CPU, torch.float32)(x), model.anomaly(x))


def test_folding_batch_normalisation_of_volumes_changes_nothing() -> None:
    torch.manual_seed(0)
    model = Autoencoder3D(size=(16, 32, 32), width=2)
    x = torch.rand(4, 1, 16, 32, 32) * 2 - 1
    torch.nn.init.normal_(model.last.weight)
    model.train()
    model.excess(x)
    model.eval()
    fast = prepare_for_inference(model, CPU, torch.float32)(x)
    with torch.inference_mode():
        agree(fast, model.anomaly(x))
    assert any(isinstance(layer, nn.BatchNorm3d) for layer in model.modules())  # the original is left as it was


@pytest.mark.skipif(not computes_bfloat16(CPU), reason="this CPU does not compute in bfloat16")
def test_bfloat16_scores_alone_as_in_a_batch_within_its_precision(model: AlphaGAN) -> None:
    x = torch.rand(4, 1, 32, 32) * 2 - 1
    fast = prepare_for_inference(model, CPU, torch.bfloat16)
    together = fast(x)
    for index in range(4):
        for name, values in fast(x[index : index + 1]).scores.items():
            torch.testing.assert_close(values[0], together.scores[name][index], rtol=5e-3, atol=1e-3)


def test_bfloat16_may_move_no_auroc_in_its_third_decimal() -> None:
    normals, abnormals = NormalDist(0, 1), NormalDist(1, 1)
    difference = abnormals - normals
    for shift in (
        MOST_DRIFT,
        -MOST_DRIFT,
    ):  # the worst that can be: all normals moved one way and all abnormals the other
        moved = NormalDist(difference.mean + 2 * shift, difference.stdev)
        assert abs(moved.cdf(0) - difference.cdf(0)) < 0.0005


@pytest.mark.parametrize(
    ("recipe", "holds"),
    [
        ({}, False),
        ({"bfloat16_drift": {}}, False),
        ({"bfloat16_drift": {"code_norm": 0.0008, "ssim": 0.0001}}, True),
        ({"bfloat16_drift": {"code_norm": 0.0001, "ssim": 0.0010}}, False),
        ({"bfloat16_drift": {"code_norm": 0.0001, "ssim": float("nan")}}, False),  # which JSON writes as null
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
