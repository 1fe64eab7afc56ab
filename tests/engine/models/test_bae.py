"""The bottleneck autoencoder ends in one place of 256 channels at every size, and an image scores alone as in a batch."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from engine.models.bae import BAE
from engine.models.bundle import load_bundle, save_bundle
from engine.models.card import Card, InputSpec
from tests.engine.models.shapes import parameters_of, shapes_of

# each convolution's output; the max-pooling or upsampling (the table's *) halves or doubles what the next one sees
ENCODER = [(16, 512, 512), (32, 128, 128), (64, 32, 32), (128, 8, 8), (256, 2, 2), (256, 1, 1)]
DECODER = [(256, 1, 1), (128, 4, 4), (64, 16, 16), (32, 64, 64), (16, 256, 256), (1, 512, 512)]


def test_the_network_has_the_papers_shapes_and_parameters() -> None:
    with torch.device("meta"):
        model = BAE()
    assert shapes_of(model.encoder, (1, 512, 512)) == ENCODER
    assert shapes_of(model.decoder, (256, 1, 1)) == DECODER
    halving = sum(16 * low * high for low, high in ((16, 32), (32, 64), (64, 128), (128, 256)))
    norms = 2 * sum(channels for channels, _, _ in ENCODER + DECODER[:-1])
    assert parameters_of(model) == 2 * (9 * 16 + halving + 256 * 256) + 1 + norms


@pytest.mark.parametrize("size", [32, 64, 128, 256])
def test_a_smaller_image_has_a_code_of_one_place_too(size: int) -> None:
    with torch.device("meta"):
        model = BAE(size=size)
    assert shapes_of(model.encoder, (1, size, size))[-1] == (256, 1, 1)
    assert shapes_of(model.decoder, (256, 1, 1))[-1] == (1, size, size)


@pytest.mark.parametrize("size", [0, 16, 100, 1024])
def test_a_size_that_does_not_end_in_one_place_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="power of two"):
        BAE(size=size)


def test_an_image_scores_alone_as_in_a_batch_and_from_a_bundle(card: Card, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = BAE(size=32, width=4).eval()
    x = torch.rand(4, 1, 32, 32) * 2 - 1
    own = card.model_copy(
        update={"method": "bae", "architecture": model.architecture, "input": InputSpec(spatial_dims=2, size=(32, 32))}
    )
    save_bundle(tmp_path / "bae.safetensors", model, own, None, None)
    loaded = load_bundle(tmp_path / "bae.safetensors").model
    with torch.inference_mode():
        together = model.anomaly(x).scores
        alone = [loaded.anomaly(image[None]).scores for image in x]
    assert set(together) == {"mse", "mse_top200", "ssim", "local_error"}
    for name, values in together.items():
        torch.testing.assert_close(values, torch.cat([scores[name] for scores in alone]), rtol=1e-5, atol=1e-6)
