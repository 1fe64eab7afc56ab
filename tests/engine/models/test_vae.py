"""The variational autoencoder is the paper's network; its scores add sums to sums, whatever the batch."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from engine.models.bundle import load_bundle, save_bundle
from engine.models.card import Card, InputSpec
from engine.models.vae import VAE, divergence
from tests.engine.models.shapes import parameters_of, shapes_of

# Davletshina 2020, supplement, table "VAE"
ENCODER = [(8, 255, 255), (16, 126, 126), (32, 62, 62), (64, 30, 30), (128, 14, 14), (256, 6, 6), (512, 2, 2)]
DECODER = [(256, 6, 6), (128, 14, 14), (64, 30, 30), (32, 62, 62), (16, 126, 126), (8, 254, 254), (1, 512, 512)]


def _small(**changes: float) -> VAE:
    torch.manual_seed(0)
    return VAE(size=32, width=16, code=6, heatmap_sigma=0, **changes).eval()  # type: ignore[arg-type]


def test_the_network_has_the_tables_shapes_and_parameters() -> None:
    with torch.device("meta"):
        model = VAE()
    assert shapes_of(model.encoder, (1, 512, 512)) == ENCODER
    assert shapes_of(model.decoder, (2048,)) == DECODER
    assert [shapes_of(layer, (2048,)) for layer in (model.mean, model.log_variance)] == [[(1024,)], [(1024,)]]
    ladder = sum(16 * low * high for low, high in ((8, 16), (16, 32), (32, 64), (64, 128), (128, 256), (256, 512)))
    norms = 2 * sum(channels for channels, _, _ in ENCODER + DECODER[:-1])
    linear = 2 * (2048 * 1024 + 1024) + 1024 * 2048 + 2048
    assert parameters_of(model) == (16 * 8 + ladder) + (ladder + 36 * 8 + 1) + norms + linear


def test_a_smaller_size_leaves_out_the_outermost_levels() -> None:
    with torch.device("meta"):
        model = VAE(size=128)
    assert shapes_of(model.encoder, (1, 128, 128)) == [
        (32, 63, 63),
        (64, 30, 30),
        (128, 14, 14),
        (256, 6, 6),
        (512, 2, 2),
    ]
    assert shapes_of(model.decoder, (2048,))[-1] == (1, 128, 128)


@pytest.mark.parametrize("size", [0, 8, 100])
def test_a_size_that_has_no_ladder_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="power of two"):
        VAE(size=size)


def test_the_divergence_is_that_of_two_gaussians_summed_over_the_code() -> None:
    torch.manual_seed(0)
    mean, log_variance = torch.randn(3, 5), torch.randn(3, 5)
    exact = kl_divergence(Normal(mean, (0.5 * log_variance).exp()), Normal(0.0, 1.0)).sum(1)
    torch.testing.assert_close(divergence(mean, log_variance), exact)


def test_scores_are_those_of_table_1_with_sums_added_to_sums() -> None:
    model = _small(kld_weight=0.5)
    x = torch.rand(3, 1, 32, 32) * 1.9 - 0.9
    with torch.inference_mode():
        found = model.anomaly(x)
        mean, log_variance = model.encode(x)
        error = x - model.reconstruct(x)
        assert torch.equal(model.reconstruct(x), model.decode(mean))
    kld, pixels = divergence(mean, log_variance), 32 * 32
    scores = found.scores
    assert set(scores) == {
        *("kld", "l1", "l1_kld", "l1_top200", "mse", "mse_kld", "mse_top200"),
        *("ssim", "local_error"),
    }
    torch.testing.assert_close(scores["kld"], kld)
    torch.testing.assert_close(scores["l1"], error.abs().mean((1, 2, 3)))
    torch.testing.assert_close(scores["l1_kld"], (error.abs().sum((1, 2, 3)) + 0.5 * kld) / pixels)
    torch.testing.assert_close(scores["mse_kld"], (error.square().sum((1, 2, 3)) + 0.5 * kld) / pixels)
    torch.testing.assert_close(scores["l1_top200"], error.abs().flatten(1).topk(200).values.mean(1))


def test_an_image_scores_alone_as_in_a_batch_twice_and_from_a_bundle(card: Card, tmp_path: Path) -> None:
    model = _small()
    x = torch.rand(4, 1, 32, 32) * 2 - 1
    own = card.model_copy(
        update={"method": "vae", "architecture": model.architecture, "input": InputSpec(spatial_dims=2, size=(32, 32))}
    )
    save_bundle(tmp_path / "vae.safetensors", model, own, None, None)
    loaded = load_bundle(tmp_path / "vae.safetensors").model
    with torch.inference_mode():
        together, again = model.anomaly(x).scores, model.anomaly(x).scores
        alone = [loaded.anomaly(image[None]).scores for image in x]
    for name, values in together.items():
        assert torch.equal(values, again[name])
        torch.testing.assert_close(values, torch.cat([scores[name] for scores in alone]), rtol=1e-5, atol=1e-6)
