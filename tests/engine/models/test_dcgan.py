"""Both networks are the table's, and an image scores alone as in a batch, minibatch discrimination or not."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
import torch

from engine.models.bundle import load_bundle, save_bundle
from engine.models.card import Card, InputSpec
from engine.models.dcgan import DCGAN
from tests.engine.models.shapes import parameters_of, shapes_of

# Davletshina 2020, supplement, table "DCGAN"
GENERATOR = [
    (1024, 4, 4),
    (512, 8, 8),
    (256, 16, 16),
    (128, 32, 32),
    (64, 64, 64),
    (32, 128, 128),
    (16, 256, 256),
    (1, 512, 512),
]
DISCRIMINATOR = [
    (4, 256, 256),
    (8, 128, 128),
    (16, 64, 64),
    (32, 32, 32),
    (64, 16, 16),
    (128, 8, 8),
    (256, 4, 4),
    (512, 1, 1),
]


def _convolutions(*channels: int) -> int:
    return sum(16 * a * b + b for a, b in pairwise(channels))


def test_the_networks_have_the_tables_shapes_and_parameters() -> None:
    with torch.device("meta"):
        model = DCGAN()
    assert shapes_of(model.generator, (2048,)) == GENERATOR
    assert shapes_of(model.discriminator.descent, (1, 512, 512)) == DISCRIMINATOR
    assert model.discriminator.judgement.in_features == 528
    assert parameters_of(model.generator) == _convolutions(2048, *(c for c, _, _ in GENERATOR))
    descent = _convolutions(1, *(c for c, _, _ in DISCRIMINATOR))
    assert parameters_of(model.discriminator) == descent + 512 * 16 * 16 + 528 + 1


@pytest.mark.parametrize("size", [0, 8, 100])
def test_a_size_that_has_no_ladder_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="power of two"):
        DCGAN(size=size)


def test_an_image_scores_alone_as_in_a_batch_and_from_a_bundle(card: Card, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = DCGAN(size=32, width=32, noise=8).eval()
    with torch.no_grad():
        model.discriminator.remember(torch.randn(5, 1, 32, 32))
    own = card.model_copy(
        update={
            "method": "dcgan",
            "architecture": model.architecture,
            "input": InputSpec(spatial_dims=2, size=(32, 32)),
        }
    )
    save_bundle(tmp_path / "dcgan.safetensors", model, own, None, None)
    loaded = load_bundle(tmp_path / "dcgan.safetensors").model
    x = torch.rand(4, 1, 32, 32) * 2 - 1
    with torch.inference_mode():
        found = model.anomaly(x)
        alone = torch.cat([loaded.anomaly(image[None]).scores["discriminator"] for image in x])
        unreal = 1 - torch.sigmoid(model.discriminator(x))
    torch.testing.assert_close(found.scores["discriminator"], unreal)
    torch.testing.assert_close(found.scores["discriminator"], alone)
    assert list(found.scores) == ["discriminator"] and found.heatmap is None and found.reconstruction is None
