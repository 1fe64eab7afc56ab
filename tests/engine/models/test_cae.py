"""The convolutional autoencoder is the paper's network, and its errors are those of the patient alone, whatever the batch."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from engine.models.bundle import load_bundle, save_bundle
from engine.models.cae import CAE
from engine.models.card import Card, InputSpec
from tests.engine.models.shapes import shapes_of

# Davletshina 2020: pairs of convolutions down to the text's bottleneck of 16 x 16 places and 512 channels, and transposed ones back
ENCODER = [
    (16, 512, 512),
    (32, 256, 256),
    (32, 256, 256),
    (64, 128, 128),
    (64, 128, 128),
    (128, 64, 64),
    (128, 64, 64),
    (256, 32, 32),
    (256, 32, 32),
    (512, 16, 16),
]
DECODER = [(256, 32, 32), (128, 64, 64), (64, 128, 128), (32, 256, 256), (16, 512, 512), (1, 512, 512)]


def _small() -> CAE:
    torch.manual_seed(0)
    return CAE(size=32, width=4, bottleneck=8, heatmap_sigma=0).eval()


def test_the_network_has_the_papers_shapes_and_parameters() -> None:
    with torch.device("meta"):
        model = CAE()
    assert shapes_of(model.encoder, (1, 512, 512)) == ENCODER
    assert shapes_of(model.decoder, (512, 16, 16)) == DECODER
    kept = sum(
        channels * (9 * (1 if channels == 16 else channels) + 16 * 2 * channels) for channels in (16, 32, 64, 128, 256)
    )
    back = sum(16 * 2 * channels * channels for channels in (256, 128, 64, 32, 16)) + 9 * 16 + 1
    encoder_norms = 2 * sum(channels for channels, _, _ in ENCODER)
    decoder_norms = 2 * (256 + 128 + 64 + 32 + 16)
    assert sum(p.numel() for p in model.parameters()) == kept + back + encoder_norms + decoder_norms


@pytest.mark.parametrize("size", [0, 16, 48, 100])
def test_a_size_that_cannot_be_halved_five_times_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="multiple of 32"):
        CAE(size=size)


def test_scores_are_masked_means_of_the_squared_error() -> None:
    model = _small()
    x = torch.rand(3, 1, 32, 32) * 1.5 - 0.9
    x[0, :, :16] = -1  # nothing was there: of the other half alone is the error to be a mean
    with torch.inference_mode():
        found, drawn = model.anomaly(x), model.reconstruct(x)
    error = (x - drawn).square()
    torch.testing.assert_close(found.scores["mse"][1:], error[1:].mean((1, 2, 3)))
    torch.testing.assert_close(found.scores["mse"][0], error[0, :, 15:].mean())  # the mask reaches a pixel further
    torch.testing.assert_close(found.scores["mse_top200"][1], error[1].flatten().topk(200).values.mean())
    assert found.heatmap is not None and found.reconstruction is not None
    torch.testing.assert_close(found.heatmap[1:], error[1:])
    assert found.heatmap[0, :, :15].max() == 0 and torch.equal(found.reconstruction[0, :, :15], x[0, :, :15])
    assert set(found.scores) == {"mse", "mse_top200", "ssim", "local_error"}


def test_an_image_scores_alone_as_in_a_batch() -> None:
    model = _small()
    x = torch.rand(5, 1, 32, 32) * 2 - 1
    with torch.inference_mode():
        together = model.anomaly(x).scores
        alone = [model.anomaly(image[None]).scores for image in x]
    for name, values in together.items():
        torch.testing.assert_close(values, torch.cat([scores[name] for scores in alone]), rtol=1e-5, atol=1e-6)


def test_a_bundle_brings_back_the_network(card: Card, tmp_path: Path) -> None:
    model = _small()
    own = card.model_copy(
        update={"method": "cae", "architecture": model.architecture, "input": InputSpec(spatial_dims=2, size=(32, 32))}
    )
    save_bundle(tmp_path / "cae.safetensors", model, own, None, None)
    x = torch.rand(2, 1, 32, 32) * 2 - 1
    with torch.inference_mode():
        expected, found = model.anomaly(x), load_bundle(tmp_path / "cae.safetensors").model.anomaly(x)
    assert all(torch.equal(found.scores[name], values) for name, values in expected.scores.items())


def test_normalisation_stands_between_each_convolution_and_its_activation() -> None:
    blocks = [block for block in _small().encoder if isinstance(block, nn.Sequential)]
    assert all([type(layer) for layer in block] == [nn.Conv2d, nn.BatchNorm2d, nn.ReLU] for block in blocks)
