"""The networks are the paper's, scores are equation 3, repeat, and do not depend on a batch; a map adds up to its score."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from engine.models.bundle import load_bundle, save_bundle
from engine.models.card import Calibration, Card, InputSpec
from engine.models.glow3d_posterior import Glow3DPosterior
from engine.models.glow_posterior import GlowPosterior, dequantised, quantised


def _taught(size: tuple[int, ...] = (16, 16), bits: int = 5, heatmap_sigma: float = 0.0) -> GlowPosterior:
    """Two flows of small width that are not the same."""
    torch.manual_seed(0)
    kind = GlowPosterior if len(size) == 2 else Glow3DPosterior
    model = kind(size, levels=2, depth=2, width=8, bits=bits, heatmap_sigma=heatmap_sigma)
    for flow in (model.normal, model.mixture):
        flow.initialise(torch.rand(16, 1, *size) - 0.5)
        with torch.no_grad():
            for parameter in flow.parameters():
                parameter += 0.03 * torch.randn_like(parameter)
    return model.eval()


def _step_parameters(channels: int, width: int, dims: int) -> int:
    """Of one step: actnorm and 1x1 kernel; 3^d convolution, 1x1 convolution, each with an actnorm; 3^d convolution with bias and scale."""
    mixing = 2 * channels + channels**2
    network = 3**dims * (channels // 2) * width + 2 * width + width**2 + 2 * width + 3**dims * width * channels
    return mixing + network + 2 * channels


@pytest.mark.parametrize(
    ("kind", "channels", "depth", "places"),
    [
        (GlowPosterior, [4, 8, 16, 32, 64, 128, 256], 32, [256**2, 128**2, 64**2, 32**2, 16**2, 8**2, 4**2]),
        (Glow3DPosterior, [8, 32, 128, 512], 32, [16 * 64**2, 8 * 32**2, 4 * 16**2, 2 * 8**2]),
    ],
)
def test_the_networks_have_the_papers_levels_steps_and_widths(
    kind: type[GlowPosterior], channels: list[int], depth: int, places: list[int]
) -> None:
    with torch.device("meta"):
        model = kind()
        flow = model.normal
    assert [len(level) for level in flow.levels] == [depth] * len(channels)  # type: ignore[arg-type]
    expected = sum(depth * _step_parameters(c, 512, model.spec.spatial_dims) for c in channels)
    assert sum(p.numel() for p in flow.parameters()) == expected
    assert sum(p.numel() for p in model.parameters()) == 2 * expected
    # half of each level's channels is latent, and all of the last one's: as many numbers as pixels
    latent = [c // 2 for c in channels[:-1]] + channels[-1:]
    assert sum(c * p for c, p in zip(latent, places, strict=True)) == math.prod(model.spec.size)
    for level, c in zip(flow.levels, channels, strict=True):
        step = level[0]  # type: ignore[index]
        dims = model.spec.spatial_dims
        assert step.mixing.triangles.shape == (c, c)
        assert step.network.enter.weight.shape == (512, 3**dims * c // 2)
        assert step.network.middle.weight.shape == (512, 512)
        assert step.network.leave.shape == (3**dims * c, 512)


def test_a_small_flow_meets_the_papers_shapes_when_run() -> None:
    with torch.no_grad():
        found = _taught((4, 8, 8)).normal(torch.zeros(3, 1, 4, 8, 8))
    assert [tuple(z.shape) for z in found.latents] == [(4, 3, 2, 4, 4), (32, 3, 1, 2, 2)]


def test_greys_are_counted_in_the_papers_bits() -> None:
    greys = torch.arange(256.0).view(1, 1, 16, 16)
    x = greys / 127.5 - 1
    assert torch.equal(quantised(x, 8), greys)
    assert torch.equal(quantised(x, 5), (greys / 8).floor())
    window = torch.arange(128.0).view(1, 1, 8, 16) / 127 * 2 - 1  # clip(HU + 14, 0, 127), equation 4
    assert torch.equal(quantised(window, 7), torch.arange(128.0).view(1, 1, 8, 16))
    y = dequantised(x, torch.rand(1, 1, 16, 16), 5)
    assert y.min() >= -0.5 and y.max() < 0.5
    assert torch.equal(((y + 0.5) * 32).floor(), quantised(x, 5))


@pytest.mark.parametrize("size", [(16, 16), (4, 8, 8)])
def test_scores_are_the_papers_and_the_map_adds_up_to_the_posterior(size: tuple[int, ...]) -> None:
    model = _taught(size)
    x = torch.rand(3, 1, *size) * 2 - 1
    with torch.inference_mode():
        found = model.anomaly(x)
        y = dequantised(x, model.noise, model.bits)
        normal, mixture = (flow(y).log_density() for flow in (model.normal, model.mixture))
    assert found.posterior is not None and found.heatmap is not None
    torch.testing.assert_close(found.posterior, (normal - mixture).float())
    assert torch.equal(found.scores["log_posterior"], -found.posterior)
    pixels = math.prod(size)
    nats = (model.bits * math.log(2) * pixels - normal).float()  # of the cell, not of the point in it
    torch.testing.assert_close(found.scores["log_likelihood"], nats)
    torch.testing.assert_close(found.scores["bits_per_dim"], nats / (pixels * math.log(2)))
    assert found.heatmap.shape == x.shape
    torch.testing.assert_close(found.heatmap.flatten(1).sum(1), found.scores["log_posterior"], rtol=1e-4, atol=1e-2)


def test_a_spot_that_only_the_mixture_knows_stands_out_in_a_volume_s_local_score() -> None:
    model = _taught((8, 16, 16), heatmap_sigma=1 / 16)
    x = torch.rand(2, 1, 8, 16, 16) * 2 - 1
    with torch.inference_mode():
        found = model.anomaly(x)
    assert found.heatmap is not None
    highest = found.heatmap.flatten(1).sort(descending=True).values[:, : round(0.01 * 8 * 16 * 16)]
    torch.testing.assert_close(found.scores["local_posterior"], highest.mean(1))


def test_a_flow_that_knows_nothing_needs_all_bits() -> None:
    """A uniform density on the cube is `bits` bits a pixel: the scale of bits_per_dim is absolute."""
    model = _taught()
    with torch.no_grad():
        found = model.normal(torch.zeros(1, 1, 16, 16))
        uniform = model.bits_per_dimension(found) + found.log_density() / (256 * math.log(2))
    torch.testing.assert_close(uniform, torch.full_like(uniform, model.bits))


def test_an_image_scores_the_same_twice_and_alone_as_in_a_batch() -> None:
    model, again = _taught(), _taught()
    x = torch.rand(5, 1, 16, 16) * 2 - 1
    with torch.inference_mode():
        together = model.anomaly(x).scores
        torch.manual_seed(1)
        assert all(torch.equal(value, together[name]) for name, value in again.anomaly(x).scores.items())
        alone = [model.anomaly(image[None]).scores for image in x]
    for name, values in together.items():
        torch.testing.assert_close(values, torch.cat([s[name] for s in alone]), rtol=1e-5, atol=2e-3)


def test_a_bundle_scores_as_the_networks_it_was_saved_from(card: Card, tmp_path: Path) -> None:
    model = _taught(heatmap_sigma=1 / 32)
    changed = card.model_copy(
        update={
            "method": "glow-posterior",
            "architecture": model.architecture,
            "input": InputSpec(spatial_dims=2, size=(16, 16)),
            "primary_score": "log_posterior",
            "calibration": Calibration(scores={"log_posterior": card.calibration.scores[card.primary_score]}),
        }
    )
    save_bundle(tmp_path / "flow.safetensors", model, changed, None, None)
    loaded = load_bundle(tmp_path / "flow.safetensors").model
    x = torch.rand(2, 1, 16, 16) * 2 - 1
    with torch.inference_mode():
        saved, read = model.anomaly(x), loaded.anomaly(x)
    assert all(torch.equal(value, read.scores[name]) for name, value in saved.scores.items())
    assert saved.heatmap is not None and torch.equal(saved.heatmap, read.heatmap)


def test_fictional_images_are_images_and_come_again_with_their_seed() -> None:
    model = _taught()
    drawn = [model.sample(3, 0.7, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert drawn[0].shape == (3, 1, 16, 16) and drawn[0].abs().max() <= 1
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])
    cold = model.sample(2, 0.0, torch.Generator())
    assert torch.equal(cold[0], cold[1]), "without temperature only the mode is left"


@pytest.mark.parametrize("size", [(16, 16), (30, 32, 32)])
def test_sizes_that_cannot_be_halved_are_refused(size: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"slices, rows and columns|multiple of"):
        Glow3DPosterior(size)
    with pytest.raises(ValueError, match="bits"):
        GlowPosterior((16, 16), 2, 1, 4, bits=9)
