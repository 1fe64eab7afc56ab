"""The one-class GAN is the network that Tang et al. 2019 describe, scores as they write, and its ablations leave out what they say."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from torch import nn

from engine.models.bundle import load_bundle, save_bundle
from engine.models.card import Card, InputSpec
from engine.models.inference import prepare_for_inference
from engine.models.one_class_gan import CodeDistance, Networks, OneClassGAN
from tests.engine.models.shapes import parameters_of, shapes_of

# five levels of 4x4 kernels and a code of 100 at 64 x 64 (section 3.1)
ENCODER = [(64, 32, 32), (128, 16, 16), (256, 8, 8), (512, 4, 4), (100, 1, 1)]
DECODER = [(512, 4, 4), (256, 8, 8), (128, 16, 16), (64, 32, 32), (1, 64, 64)]


def _small(networks: Networks = "U+D+E", **options: Any) -> OneClassGAN:
    torch.manual_seed(0)
    model = OneClassGAN(size=32, code=6, width=4, networks=networks, heatmap_sigma=0, **options).eval()
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.normal_()
            layer.running_var.uniform_(0.5, 2)
    return model


def test_the_network_has_the_papers_levels_kernels_and_parameters() -> None:
    with torch.device("meta"):
        model = OneClassGAN()
    assert shapes_of(model.autoencoder, (1, 64, 64)) == ENCODER + DECODER
    assert model.second_encoder is not None and shapes_of(model.second_encoder, (1, 64, 64)) == ENCODER
    assert model.discriminator is not None
    assert shapes_of(model.discriminator, (1, 64, 64)) == [*ENCODER[:-1], (1, 1, 1)]
    convolutions = [m for m in model.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    assert all(layer.kernel_size == (4, 4) for layer in convolutions) and len(convolutions) == 20

    down = 16 * (1 * 64 + 64 * 128 + 128 * 256 + 256 * 512)
    norms = 2 * (128 + 256 + 512)
    encoder = down + 64 + norms + 16 * 512 * 100 + 2 * 100
    discriminator = down + 64 + norms + 16 * 512 + 1
    # each level of the decoder but the first sees the encoder's map of its size too
    up = 16 * (100 * 512 + 1024 * 256 + 512 * 128 + 256 * 64 + 128 * 1)
    decoder = up + 1 + 2 * (512 + 256 + 128 + 64)
    assert parameters_of(model) == 2 * encoder + decoder + discriminator


def test_normalisation_and_leaky_relu_follow_each_layer_but_the_first() -> None:
    model = _small()
    normalised = [nn.Conv2d, nn.BatchNorm2d, nn.LeakyReLU]
    first, *others = model.autoencoder.encoder.levels
    assert [type(layer) for layer in first] == [nn.Conv2d, nn.LeakyReLU]
    assert all([type(layer) for layer in level] == normalised for level in others)
    *levels, image = model.autoencoder.decoder.levels
    assert all([type(layer) for layer in level] == [nn.ConvTranspose2d, *normalised[1:]] for level in levels)
    assert [type(layer) for layer in image] == [nn.ConvTranspose2d, nn.Tanh]


def test_the_reconstruction_sees_every_level_through_its_skip() -> None:
    model = _small()
    maps = [level.clone() for level in model.autoencoder.encoder(torch.rand(1, 1, 32, 32))]
    drawn = model.autoencoder.decoder(maps)
    for place in range(len(maps)):
        changed = [level + 1 if index == place else level for index, level in enumerate(maps)]
        assert not torch.allclose(model.autoencoder.decoder(changed), drawn)


@pytest.mark.parametrize("size", [0, 4, 48, 100])
def test_a_size_without_a_ladder_of_halvings_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="power of two"):
        OneClassGAN(size=size)


@pytest.mark.parametrize("reading", get_args(CodeDistance))
def test_the_anomaly_score_is_the_papers_sum_of_three_terms(reading: CodeDistance) -> None:
    model = _small(code_distance=reading)
    x = torch.rand(3, 1, 32, 32) * 2 - 1
    with torch.inference_mode():
        found = model.anomaly(x)
        drawn, maps = model.autoencoder(x)
        error = (x - drawn).abs()
        assert model.discriminator is not None and model.second_encoder is not None
        real = torch.sigmoid(model.discriminator(drawn)).flatten()
        difference = (maps[-1] - model.second_encoder(drawn)[-1]).flatten(1)
    distance = difference.norm(dim=1) if reading == "norm" else difference.square().mean(1)
    expected = 20 * error.mean((1, 2, 3)) + 4 * (1 - real) + 8 * distance
    torch.testing.assert_close(found.scores["anomaly"], expected)
    torch.testing.assert_close(found.scores["reconstruction_error"], error.mean((1, 2, 3)))
    torch.testing.assert_close(found.scores["discriminator"], 1 - real)
    torch.testing.assert_close(found.scores["code_distance"], distance)
    assert found.heatmap is not None and found.reconstruction is not None
    torch.testing.assert_close(found.heatmap, error)
    torch.testing.assert_close(found.reconstruction, drawn)


@pytest.mark.parametrize("networks", get_args(Networks))
def test_an_ablation_has_neither_the_networks_nor_the_terms_that_it_leaves_out(networks: Networks) -> None:
    model = _small(networks)
    with torch.inference_mode():
        scores = model.anomaly(torch.rand(2, 1, 32, 32)).scores
    parts = {name.partition(".")[0] for name in model.state_dict()}
    assert ("discriminator" in parts, "second_encoder" in parts) == ("D" in networks, "E" in networks)
    terms = {"reconstruction_error": 20, "discriminator": 4, "code_distance": 8}
    assert ("discriminator" in scores, "code_distance" in scores) == ("D" in networks, "E" in networks)
    expected = sum(weight * scores[name] for name, weight in terms.items() if name in scores)
    torch.testing.assert_close(scores["anomaly"], expected)


def test_networks_that_no_ablation_has_are_refused() -> None:
    with pytest.raises(ValueError, match="networks must be one of U, U"):
        OneClassGAN(networks="D")  # type: ignore[arg-type]


def test_an_image_scores_alone_as_in_a_batch() -> None:
    model = _small()
    x = torch.rand(5, 1, 32, 32) * 2 - 1
    with torch.inference_mode():
        together = model.anomaly(x).scores
        alone = [model.anomaly(image[None]).scores for image in x]
    for name, values in together.items():
        torch.testing.assert_close(values, torch.cat([scores[name] for scores in alone]), rtol=1e-5, atol=1e-6)


def test_folded_for_inference_it_says_the_same() -> None:
    model = _small()
    x = torch.rand(3, 1, 32, 32) * 2 - 1
    with torch.inference_mode():
        expected = model.anomaly(x)
    found = prepare_for_inference(model, torch.device("cpu"), torch.float32)(x)
    for name, values in expected.scores.items():
        torch.testing.assert_close(found.scores[name], values, rtol=1e-4, atol=1e-5)


def test_a_bundle_whose_card_names_no_reading_of_the_code_distance_scores_as_it_was_calibrated() -> None:
    model = _small(code_distance="norm")
    architecture = {name: value for name, value in model.architecture.items() if name != "code_distance"}
    assert OneClassGAN(**model.architecture).code_distance == "norm"
    assert OneClassGAN(**architecture).code_distance == "mean square"  # the only one when such bundles were made


def test_a_reading_of_the_code_distance_that_is_not_known_is_refused_and_not_taken_for_another() -> None:
    with pytest.raises(ValueError, match="code_distance must be one of norm, mean square, not median"):
        _small(code_distance="median")


@pytest.mark.parametrize("networks", get_args(Networks))
def test_a_bundle_brings_back_the_network(networks: Networks, card: Card, tmp_path: Path) -> None:
    model = _small(networks)
    spec = InputSpec(spatial_dims=2, size=(32, 32))
    own = card.model_copy(update={"method": "one-class-gan", "architecture": model.architecture, "input": spec})
    save_bundle(tmp_path / "tang.safetensors", model, own, None, None)
    x = torch.rand(2, 1, 32, 32) * 2 - 1
    with torch.inference_mode():
        expected, found = model.anomaly(x), load_bundle(tmp_path / "tang.safetensors").model.anomaly(x)
    assert all(torch.equal(found.scores[name], values) for name, values in expected.scores.items())
