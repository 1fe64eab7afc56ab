"""The alpha-GAN is the paper's network, and its scores are the paper's equations, whatever the batch."""

from __future__ import annotations

import pytest
import torch

from engine.models.alpha_gan import AlphaGAN, CodeDiscriminator, Downward, Generator
from engine.models.local_error import local_error
from engine.models.structural_similarity import structural_dissimilarity

# Nakao 2021, Table 3: (layer, output shape) of the encoder, top to bottom, as channels x height x width
ENCODER = [
    ("from_image", (8, 256, 256)),
    ("convolution.256", (16, 256, 256)),
    ("convolution.128", (32, 128, 128)),
    ("convolution.64", (64, 64, 64)),
    ("convolution.32", (128, 32, 32)),
    ("convolution.16", (256, 16, 16)),
    ("convolution.8", (512, 8, 8)),
    ("linear", (128,)),
]
GENERATOR = [
    ("linear", (512 * 4 * 4,)),
    ("convolution.8", (256, 8, 8)),
    ("convolution.16", (128, 16, 16)),
    ("convolution.32", (64, 32, 32)),
    ("convolution.64", (32, 64, 64)),
    ("convolution.128", (16, 128, 128)),
    ("convolution.256", (8, 256, 256)),
    ("to_image", (1, 256, 256)),
]


def _shapes(network: torch.nn.Module, x: torch.Tensor) -> list[tuple[str, tuple[int, ...]]]:
    seen: list[tuple[str, tuple[int, ...]]] = []
    for name, layer in network.named_modules():
        if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear):
            label = name.split(".")[0] if name.startswith(("from_image", "to_image")) else name
            layer.register_forward_hook(lambda _m, _i, out, label=label: seen.append((label, tuple(out.shape[1:]))))
    with torch.inference_mode():
        network(x)
    return seen


def _parameters(rows: list[tuple[int, int, int]]) -> int:
    """Of convolutions and linear layers given as (inputs, outputs, kernel area)."""
    return sum(inputs * outputs * area + outputs for inputs, outputs, area in rows)


def test_networks_have_table_3s_shapes() -> None:
    assert _shapes(Downward(256, 128), torch.zeros(1, 1, 256, 256)) == ENCODER
    assert _shapes(Generator(256, 128), torch.zeros(1, 128)) == GENERATOR
    assert _shapes(Downward(256, 1), torch.zeros(1, 1, 256, 256)) == [*ENCODER[:-1], ("linear", (1,))]
    assert _shapes(CodeDiscriminator(128), torch.zeros(1, 128)) == [("0", (1500,)), ("2", (1,))]


def test_networks_have_table_3s_parameter_counts() -> None:
    ladder = [(8, 16, 9), (16, 32, 9), (32, 64, 9), (64, 128, 9), (128, 256, 9), (256, 512, 9)]
    encoder = _parameters([(1, 8, 1), *ladder, (512 * 16, 128, 1)])
    generator = _parameters([(128, 512 * 16, 1), *((b, a, k) for a, b, k in ladder), (8, 1, 1)])
    code = _parameters([(128, 1500, 1), (1500, 1, 1)])
    counted = [
        sum(p.numel() for p in network.parameters())
        for network in (Downward(256, 128), Generator(256, 128), CodeDiscriminator(128))
    ]
    assert counted == [encoder, generator, code]


def test_smaller_size_leaves_out_the_outermost_rungs_only() -> None:
    assert _shapes(Downward(128, 128), torch.zeros(1, 1, 128, 128)) == [("from_image", (16, 128, 128)), *ENCODER[2:]]


@pytest.mark.parametrize("size", [0, 4, 100, 257])
def test_a_size_that_is_no_power_of_two_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="power of two"):
        AlphaGAN(size=size)


def test_scores_are_the_papers_equations() -> None:
    torch.manual_seed(0)
    model = AlphaGAN(size=32, code=16, width=64, heatmap_sigma=0).eval()
    x = torch.rand(3, 1, 32, 32) * 2 - 1
    with torch.inference_mode():
        found = model.anomaly(x)
        z = model.encoder(x)
        reconstruction = model.generator(z)
    torch.testing.assert_close(found.scores["code_norm"], z.square().sum(1).sqrt())
    torch.testing.assert_close(found.scores["reconstruction_error"], (x - reconstruction).abs().mean((1, 2, 3)))
    torch.testing.assert_close(found.scores["local_error"], local_error((x - reconstruction).abs()))
    torch.testing.assert_close(found.heatmap, (x - reconstruction).abs())
    assert found.reconstruction is not None and found.reconstruction.abs().max() <= 1


def test_a_smoothed_heatmap_keeps_the_error_it_spreads() -> None:
    torch.manual_seed(0)
    x = torch.rand(3, 1, 32, 32) * 2 - 1
    bare, smooth = (AlphaGAN(size=32, code=16, width=64, heatmap_sigma=sigma).eval() for sigma in (0.0, 1 / 16))
    smooth.load_state_dict(bare.state_dict())
    with torch.inference_mode():
        first, second = bare.anomaly(x), smooth.anomaly(x)
    assert second.heatmap is not None and first.heatmap is not None
    torch.testing.assert_close(second.heatmap.mean(), first.heatmap.mean(), rtol=0.02, atol=0)
    assert second.heatmap.std() < 0.6 * first.heatmap.std()
    torch.testing.assert_close(first.scores, second.scores)


def test_an_image_scores_alone_as_in_a_batch() -> None:
    torch.manual_seed(0)
    model = AlphaGAN(size=32, code=16, width=64).eval()
    x = torch.rand(5, 1, 32, 32) * 2 - 1
    with torch.inference_mode():
        together = model.anomaly(x).scores
        alone = [model.anomaly(image[None]).scores for image in x]
    for name, values in together.items():
        torch.testing.assert_close(values, torch.cat([scores[name] for scores in alone]), rtol=1e-5, atol=1e-6)


def test_fading_goes_from_the_rung_below_to_the_new_one() -> None:
    torch.manual_seed(0)
    encoder, generator = Downward(16, 8, 32, "growing"), Generator(16, 8, 32, "growing")
    x, z = torch.rand(2, 1, 16, 16), torch.rand(2, 8)
    with torch.inference_mode():
        small = torch.nn.functional.avg_pool2d(x, 2)
        torch.testing.assert_close(encoder(x, fade=0.0), encoder(small))
        doubled = torch.nn.functional.interpolate(generator(z, 8), scale_factor=2)
        torch.testing.assert_close(generator(z, 16, fade=0.0), doubled)
        torch.testing.assert_close(generator(z, 16, fade=0.999999), generator(z, 16), rtol=0, atol=1e-4)


def test_structural_dissimilarity_is_zero_for_equals_and_sees_lost_structure_more_than_a_shift_of_grey() -> None:
    rows = torch.linspace(0, 12, 64)
    x = (torch.sin(rows)[:, None] * torch.cos(rows)[None]).view(1, 1, 64, 64) * 0.5
    flat = x.mean().expand_as(x)
    assert float(structural_dissimilarity(x, x)) == pytest.approx(0, abs=1e-5)
    assert float(structural_dissimilarity(x, x + 0.05)) < 0.1 < 0.5 < float(structural_dissimilarity(x, flat))


def test_structural_dissimilarity_hardly_depends_on_the_size_of_the_same_picture() -> None:
    def picture(size: int) -> tuple[torch.Tensor, torch.Tensor]:
        t = (torch.arange(size) + 0.5) / size * 6
        x = (torch.sin(t)[:, None] * torch.cos(2 * t)[None]).view(1, 1, size, size) * 0.6
        return x, x * 0.5 + 0.1

    small, large = (float(structural_dissimilarity(*picture(size))) for size in (64, 256))
    assert small == pytest.approx(large, abs=0.01)


def test_structural_dissimilarity_of_black_images_is_a_number() -> None:
    black = torch.full((1, 1, 32, 32), -1.0)
    assert float(structural_dissimilarity(black, black)) == pytest.approx(0, abs=1e-6)
