"""Wide layers of stride 2 say the same in fewer multiplications, and only they are replaced."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.models.fused_convolution import FusedConvolution, fuse_rectifiers, fuses_on
from engine.models.winograd import WinogradDoubling, WinogradHalving, quicken_wide

pytestmark = pytest.mark.skipif(not fuses_on(torch.device("cpu")), reason="this build of torch has no fused operations")


def layers(bias: bool = True) -> nn.Sequential:
    torch.manual_seed(0)
    down, up = nn.Conv2d(128, 128, 4, 2, 1, bias=bias), nn.ConvTranspose2d(128, 32, 4, 2, 1, bias=bias)
    return nn.Sequential(down, nn.LeakyReLU(0.2), up, nn.LeakyReLU(0.2)).requires_grad_(False)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(64, 8, 8), (30, 12, 16), (70, 4, 4)])
@torch.inference_mode()
def test_they_say_what_the_plain_layers_say(
    shape: tuple[int, int, int], bias: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = layers(bias)
    quick = layers(bias)
    fuse_rectifiers(quick)
    quicken_wide(quick)
    assert isinstance(quick[0], WinogradHalving) and isinstance(quick[2], WinogradDoubling)
    x = torch.randn(shape[0], 128, *shape[1:]).contiguous(memory_format=torch.channels_last)
    wide = x.repeat(2, 1, 1, 1)
    expected = plain[:2](wide)
    twice = F.leaky_relu(plain[2](x), 0.2)

    def untaken(self: FusedConvolution, x: Tensor) -> Tensor:
        raise AssertionError("the plain layer was taken")

    monkeypatch.setattr(FusedConvolution, "forward", untaken)
    torch.testing.assert_close(quick[0](wide), expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(quick[2](x), twice, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 4, 4), (40, 6, 8), (40, 8, 10), (40, 3, 5)])
@torch.inference_mode()
def test_a_single_image_and_sizes_that_make_no_tiles_take_the_plain_layers(shape: tuple[int, int, int]) -> None:
    quick = layers()
    x = torch.randn(shape[0], 128, *shape[1:]).contiguous(memory_format=torch.channels_last)
    expected = layers()(x)
    fuse_rectifiers(quick)
    quicken_wide(quick)
    torch.testing.assert_close(quick(x), expected, rtol=1e-5, atol=1e-5)


@torch.inference_mode()
def test_narrow_layers_and_other_geometries_stay() -> None:
    others = [
        nn.Conv2d(64, 128, 4, 2, 1),
        nn.Conv2d(128, 64, 4, 2, 1),
        nn.Conv2d(128, 128, 3, 2, 1),
        nn.Conv2d(128, 128, 4, 2, 1, groups=2),
        nn.ConvTranspose2d(64, 64, 4, 2, 1),
        nn.ConvTranspose2d(128, 16, 4, 2, 1),
        nn.ConvTranspose2d(128, 32, 4, 1, 0),
        nn.Conv3d(128, 128, 4, 2, 1),
    ]
    network = nn.ModuleList(nn.Sequential(layer, nn.ReLU()) for layer in others)
    fuse_rectifiers(network)
    quicken_wide(network)
    assert all(type(sequence[0]) is FusedConvolution for sequence in network)
