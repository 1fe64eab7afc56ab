"""The three networks are the table's, and an image scores alone as in a batch."""

from __future__ import annotations

from pathlib import Path

import torch

from engine.models.bigan import BiGAN
from engine.models.bundle import load_bundle, save_bundle
from engine.models.card import Card, InputSpec
from tests.engine.models.shapes import parameters_of, shapes_of


def test_the_discriminator_has_the_tables_shapes_and_parameters() -> None:
    with torch.device("meta"):
        model = BiGAN()
    # Davletshina 2020, supplement, table "BiGAN"
    assert shapes_of(model.discriminator.image, (1, 128, 128))[-1] == (1024, 1, 1)
    assert shapes_of(model.discriminator.code, (200, 1, 1)) == [(512, 1, 1), (512, 1, 1)]
    assert shapes_of(model.discriminator.both, (1536, 1, 1)) == [(1024, 1, 1), (1024, 1, 1), (1, 1, 1)]
    assert parameters_of(model.discriminator.code) == 200 * 512 + 512 + 512 * 512 + 512
    assert parameters_of(model.discriminator.both) == 1536 * 1024 + 1024 + 1024 * 1024 + 1024 + 1024 + 1
    branch = parameters_of(model.discriminator.image)
    assert branch == parameters_of(model.encoder.descent) + 16 * 1024 * 1024 + 1024
    assert shapes_of(model.encoder, (1, 128, 128))[-1] == (200, 1, 1)
    assert shapes_of(model.generator, (200,))[0] == (1024, 4, 4)
    assert shapes_of(model.generator, (200,))[-1] == (1, 128, 128)


def test_an_image_scores_alone_as_in_a_batch_and_from_a_bundle(card: Card, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = BiGAN(size=32, width=4, code=8).eval()
    own = card.model_copy(
        update={
            "method": "bigan",
            "architecture": model.architecture,
            "input": InputSpec(spatial_dims=2, size=(32, 32)),
        }
    )
    save_bundle(tmp_path / "bigan.safetensors", model, own, None, None)
    loaded = load_bundle(tmp_path / "bigan.safetensors").model
    x = torch.rand(4, 1, 32, 32) * 2 - 1
    with torch.inference_mode():
        together = model.anomaly(x).scores
        alone = [loaded.anomaly(image[None]).scores for image in x]
        pairs = 1 - torch.sigmoid(model.discriminator(x, model.encoder(x)))
    torch.testing.assert_close(together["discriminator"], pairs)
    assert set(together) == {"discriminator", "mse", "mse_top200", "ssim", "local_error"}
    for name, values in together.items():
        torch.testing.assert_close(values, torch.cat([scores[name] for scores in alone]), rtol=1e-4, atol=1e-5)
