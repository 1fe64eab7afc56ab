"""One operation says what a convolution and its rectifier say, and is used only where it may be."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from engine.models import fused_convolution
from engine.models.fused_convolution import FusedConvolution, can_fuse, fuse_rectifiers, fuses_on

CPU = torch.device("cpu")
needs_onednn = pytest.mark.skipif(not fuses_on(CPU), reason="this build of torch has no fused operations")


@needs_onednn
@pytest.mark.parametrize("rectifier", [nn.LeakyReLU(0.2), nn.LeakyReLU(0.2, inplace=True), nn.ReLU()])
@pytest.mark.parametrize(
    ("convolution", "size"),
    [
        (nn.Conv2d(3, 8, 3, padding=1), (16, 16)),
        (nn.Conv2d(1, 8, 1), (16, 16)),
        (nn.Conv2d(4, 8, 4, stride=2, padding=1, bias=False), (16, 16)),
        (nn.Conv2d(4, 8, 3, dilation=2, groups=2), (16, 16)),
        (nn.ConvTranspose2d(8, 4, 4, stride=2, padding=1), (8, 8)),
        (nn.ConvTranspose2d(8, 4, 3, stride=2, padding=1, output_padding=1, bias=False), (8, 8)),
        (nn.Conv3d(2, 4, 3, stride=2, padding=1), (8, 8, 8)),
        (nn.Conv2d(4, 8, 4), (4, 4)),  # the whole image under one kernel
        (nn.Conv2d(4, 8, (4, 2), stride=2, bias=False), (4, 2)),
        (nn.Conv3d(4, 8, 2), (2, 2, 2)),
        (nn.Conv2d(4, 8, 4, padding=1), (4, 4)),  # and more than once
        (nn.ConvTranspose2d(8, 4, (4, 2)), (1, 1)),  # a single place drawn by one kernel
        (nn.ConvTranspose2d(8, 4, 4, stride=2, padding=1), (1, 1)),
    ],
)
def test_fused_layers_say_what_the_plain_ones_say(
    convolution: fused_convolution.Convolution, size: tuple[int, ...], rectifier: nn.Module
) -> None:
    torch.manual_seed(0)
    plain = nn.Sequential(convolution, nn.Identity(), rectifier).eval().requires_grad_(False)
    fused = nn.Sequential(convolution, nn.Identity(), rectifier)
    fuse_rectifiers(fused)
    assert isinstance(fused[0], FusedConvolution)
    layout = torch.channels_last if len(size) == 2 else torch.channels_last_3d
    for batch in (3, 1):  # the weights are laid out for the first; the second must be right all the same
        x = torch.randn(batch, convolution.in_channels, *size).contiguous(memory_format=layout)
        with torch.inference_mode():
            torch.testing.assert_close(fused(x), plain(x), rtol=1e-5, atol=1e-5)


def test_what_pads_otherwise_or_is_no_plain_convolution_is_left_alone() -> None:
    class Special(nn.Conv2d):
        pass

    assert can_fuse(nn.Conv2d(1, 1, 3))
    assert not can_fuse(nn.Conv2d(1, 1, 3, padding=1, padding_mode="reflect"))
    assert not can_fuse(nn.Conv2d(1, 1, 3, padding="same"))
    assert not can_fuse(Special(1, 1, 3))
    assert not can_fuse(nn.Linear(1, 1))


def test_a_convolution_without_a_rectifier_behind_it_stays() -> None:
    layers = nn.Sequential(nn.Conv2d(1, 2, 1), nn.Tanh(), nn.LeakyReLU(0.2))
    fuse_rectifiers(layers)
    assert [type(layer) for layer in layers] == [nn.Conv2d, nn.Tanh, nn.LeakyReLU]


def test_other_processors_and_builds_go_the_plain_way(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not fuses_on(torch.device("cuda"))
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert not fuses_on(CPU)
    monkeypatch.setattr("platform.machine", lambda: "AMD64")
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert not fuses_on(CPU)
