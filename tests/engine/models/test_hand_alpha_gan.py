"""The four networks are the table's, and an image scores alone as in a batch, minibatch discrimination or not."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
import torch

from engine.models.bundle import load_bundle, save_bundle
from engine.models.card import Card, InputSpec
from engine.models.hand_alpha_gan import Encoder, HandAlphaGAN
from engine.models.inference import prepare_for_inference
from tests.engine.models.shapes import parameters_of, shapes_of

# Davletshina 2020, supplement, table "alpha-GAN"; the 1x1 convolutions of self-attention stand apart
DESCENT = [(64, 64, 64), (128, 32, 32), (256, 16, 16), (512, 8, 8), (1024, 4, 4)]
GENERATOR = [(1024, 4, 4), (512, 8, 8), (256, 16, 16), (128, 32, 32), (64, 64, 64), (1, 128, 128)]


def _ladder(*channels: int) -> int:
    return sum(16 * low * high for low, high in pairwise(channels))


def _attention(channels: int) -> int:
    narrow = channels // 8
    return 2 * (channels * narrow + narrow) + channels * channels + channels + 1


@pytest.fixture
def small() -> HandAlphaGAN:
    torch.manual_seed(0)
    model = HandAlphaGAN(size=32, width=4, code=8, heatmap_sigma=0).eval()
    with torch.no_grad():
        model.discriminator.remember(torch.randn(5, 1, 32, 32))
    return model


def test_the_networks_have_the_tables_shapes() -> None:
    with torch.device("meta"):
        model = HandAlphaGAN()
    plain = [shape for shape in shapes_of(model.encoder, (1, 128, 128)) if shape not in ((64, 8, 8), (128, 4, 4))]
    attended = [(512, 8, 8), (1024, 4, 4)]  # the value's convolution has the shape of what it attends to
    assert plain == [*DESCENT[:4], attended[0], DESCENT[4], attended[1], (200, 1, 1), (200, 1, 1)]
    assert shapes_of(model.discriminator.descent, (1, 128, 128))[-1] == DESCENT[-1]
    assert shapes_of(model.discriminator.judgement, (1028, 4, 4)) == [(1, 1, 1)]
    drawn = [shape for shape in shapes_of(model.generator, (200,)) if shape not in ((16, 32, 32), (8, 64, 64))]
    assert drawn == [*GENERATOR[:4], (128, 32, 32), GENERATOR[4], (64, 64, 64), GENERATOR[5]]
    assert shapes_of(model.code_discriminator, (200,)) == [(100,), (50,), (25,), (1,)]


def test_the_networks_have_the_tables_parameter_counts() -> None:
    with torch.device("meta"):
        model = HandAlphaGAN()
    widths = (64, 128, 256, 512, 1024)
    descent = _ladder(1, *widths) + sum(widths) + _attention(512) + _attention(1024)
    heads = 2 * (1024 * 16 * 200 + 200)
    generator = 200 * 1024 * 16 + _ladder(*widths) + 2 * sum(widths) + _attention(128) + _attention(64) + 64 * 16 + 1
    judgement = 16384 * 4 * 16 + 1028 * 16 + 1
    assert parameters_of(model.encoder) == descent + heads
    assert parameters_of(model.generator) == generator
    assert parameters_of(model.discriminator) == descent + judgement
    assert parameters_of(model.code_discriminator) == 200 * 100 + 100 + 100 * 50 + 50 + 50 * 25 + 25 + 25 + 1


@pytest.mark.parametrize("size", [0, 16, 100])
def test_a_size_that_has_no_ladder_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="power of two"):
        HandAlphaGAN(size=size)


def test_scores_are_those_of_table_1(small: HandAlphaGAN) -> None:
    x = torch.rand(3, 1, 32, 32) * 1.8 - 0.9
    with torch.inference_mode():
        found = small.anomaly(x)
        mean, _ = small.encoder(x)
        unreal = 1 - torch.sigmoid(small.discriminator(x))
        unlikely = 1 - torch.sigmoid(small.code_discriminator(mean)[:, 0])
        error = (x - small.generator(mean)).square().mean((1, 2, 3))
    expected = {
        "discriminator": unreal,
        "code_discriminator": unlikely,
        "code_and_discriminator": (unreal + unlikely) / 2,
        "mse": error,
    }
    for name, values in expected.items():
        torch.testing.assert_close(found.scores[name], values)
    assert set(found.scores) == {*expected, "mse_top200", "ssim", "local_error"}


def test_an_image_scores_alone_as_in_a_batch_and_from_a_bundle(small: HandAlphaGAN, card: Card, tmp_path: Path) -> None:
    own = card.model_copy(
        update={
            "method": "hand-alpha-gan",
            "architecture": small.architecture,
            "input": InputSpec(spatial_dims=2, size=(32, 32)),
        }
    )
    save_bundle(tmp_path / "hand.safetensors", small, own, None, None)
    loaded = prepare_for_inference(load_bundle(tmp_path / "hand.safetensors").model, torch.device("cpu"), torch.float32)
    x = torch.rand(4, 1, 32, 32) * 2 - 1
    with torch.inference_mode():
        together = small.anomaly(x).scores
        alone = [loaded(image[None]).scores for image in x]
    for name, values in together.items():
        torch.testing.assert_close(values, torch.cat([scores[name] for scores in alone]), rtol=1e-4, atol=1e-5)


def test_an_image_reaches_the_code_before_anything_is_learned() -> None:
    torch.manual_seed(0)
    encoder = Encoder(64, 32, width=8)
    with torch.inference_mode():
        features = encoder.descent(torch.randn(16, 1, 64, 64))
        mean, _ = encoder(torch.randn(16, 1, 64, 64))
    assert 0.3 < features.square().mean().sqrt() < 3
    assert mean.std(dim=0).mean() > 0.1  # of an image's own, not of the biases alone
