"""Wide 4x4 convolutions of stride 2, down and up, in 9/16 of the multiplications. For inference; networks are not written in terms of it.

Every second row and column of a 4x4 kernel make a 2x2 kernel, and along one axis two neighbouring places of a two-tap filter need three products
instead of four (Winograd 1980; for networks: Lavin A, Gray S. Fast algorithms for convolutional neural networks. CVPR 2016. arXiv:1509.09308).
What is saved grows with the product of the channels, the additions before and after with their sum: it pays in wide layers alone.
The factors are 0, 1 and -1, so the numbers stay the plain layers' to a few units in the last place.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.models.fused_convolution import Convolution, FusedConvolution

FEWEST_SEEN, FEWEST_DRAWN = 128, 32
"""Channels that a layer must see, and one on the way up must have as its result (on the way down as many as it sees): from there on measured
faster than oneDNN's convolution."""
FEWEST_ROWS = 64
"""Of each of the nine products, two by two places each: with fewer, reading nine sets of weights takes longer than sixteen products."""

_SUMS = torch.tensor([[1.0, 0], [1, 1], [0, 1]], dtype=torch.float64)  # [product, tap]


class _Winograd(FusedConvolution):
    """What both have: the plain layer for images that do not divide into tiles, and the sums of weights, made at the first call."""

    def __init__(self, convolution: Convolution, slope: float) -> None:
        super().__init__(convolution, slope)
        self._sums: Tensor | None = None


class WinogradHalving(_Winograd):
    """[B, C, H, W] float32 channels last -> 4x4 convolution, stride 2, padding 1 -> LeakyReLU -> [B, D, H / 2, W / 2] channels last.

    Along an axis, with d0, d1, d2 three neighbouring pairs of padded places and g0, g1 the kernel's two pairs:
    d0 g0 + d1 g1 = (d0 - d1) g0 + d1 (g0 + g1) and d1 g0 + d2 g1 = d1 (g0 + g1) - (d1 - d2) g1.
    """

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        if height % 4 or width % 4 or x.numel() // (16 * channels) < FEWEST_ROWS:
            return super().forward(x)
        if self._sums is None:
            # [D, C, pair, row of the pair, pair, column of the pair]
            weight = self.convolution.weight.double().unflatten(2, (2, 2)).unflatten(4, (2, 2))
            products = torch.einsum("at,bs,dctpsq->abpqcd", _SUMS, _SUMS, weight)
            self._sums = products.flatten(0, 1).flatten(1, 3).float()  # [9, 4 C, D]
        # in pairs of columns: [3, B, H / 4, 2, W / 2 + 1, 2 C]
        taken = _row_differences(x.permute(0, 2, 3, 1)).unflatten(4, (-1, 2)).flatten(5)
        left, middle, right = taken[..., :-1:2, :], taken[..., 1::2, :], taken[..., 2::2, :]
        tiles = x.new_empty(3, 3, batch, height // 4, width // 4, 2, 2 * channels)
        target = tiles.transpose(4, 5)
        torch.sub(left, middle, out=target[:, 0])
        target[:, 1].copy_(middle)
        torch.sub(middle, right, out=target[:, 2])
        products = torch.bmm(tiles.flatten(0, 1).flatten(1, 3).flatten(2), self._sums)
        if self.convolution.bias is not None:
            products[4] += self.convolution.bias  # the middle one is in every sum once
        places = _added(products.view(3, 3, batch * height // 4, width // 4, -1))
        places = places.view(batch, height // 2, width // 2, -1)
        return F.leaky_relu(places, self.slope, inplace=True).permute(0, 3, 1, 2)


def _row_differences(x: Tensor) -> Tensor:
    """[B, H, W, C] -> d0 - d1, d1 and d1 - d2 of the padded image's pairs of rows, [3, B, H / 4, 2, W + 2, C]."""
    batch, height, width, channels = x.shape
    padded = x.new_empty(3, batch, height // 4, 2, width + 2, channels)
    padded[..., 0, :] = 0
    padded[..., -1, :] = 0
    first, middle, last = padded[..., 1:-1, :]
    row = x.unflatten(1, (-1, 4)).unbind(2)  # a tile's pairs of rows are -1 and 0, 1 and 2, 3 and 4
    torch.sub(row[3][:, :-1], row[1][:, 1:], out=first[:, 1:, 0])
    torch.neg(row[1][:, 0], out=first[:, 0, 0])
    torch.sub(row[0], row[2], out=first[:, :, 1])
    middle[:, :, 0], middle[:, :, 1] = row[1], row[2]
    torch.sub(row[1], row[3], out=last[:, :, 0])
    torch.sub(row[2][:, :-1], row[0][:, 1:], out=last[:, :-1, 1])
    last[:, -1, 1] = row[2][:, -1]
    return padded


def _added(products: Tensor) -> Tensor:
    """[3, 3, tiles down, tiles across, D] -> [tiles down, 2, tiles across, 2, D]: first plus middle, and middle minus last, along both axes."""
    _, _, down, across, channels = products.shape
    rows = products.new_empty(3, down, 2, across, channels)
    torch.add(products[0], products[1], out=rows[:, :, 0])
    torch.sub(products[1], products[2], out=rows[:, :, 1])
    places = products.new_empty(down, 2, across, 2, channels)
    torch.add(rows[0], rows[1], out=places[:, :, :, 0])
    torch.sub(rows[1], rows[2], out=places[:, :, :, 1])
    return places


class WinogradDoubling(_Winograd):
    """[B, C, H, W] float32 channels last -> transposed 4x4 convolution, stride 2, padding 1 -> LeakyReLU -> [B, D, 2H, 2W] channels last.

    Along an axis, with x0, x1 two places and g0, g1 two taps, what the places say to the three after the taps is
    x0 g0, (x0 + x1) (g0 + g1) - x0 g0 - x1 g1 and x1 g1; a tile's last is added to the first of the next.
    """

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        if height % 2 or width % 2 or x.numel() // (4 * channels) < FEWEST_ROWS:
            return super().forward(x)
        if self._sums is None:
            # [C, D, tap, row of the pair, tap, column of the pair]
            weight = self.convolution.weight.double().unflatten(2, (2, 2)).unflatten(4, (2, 2))
            products = torch.einsum("at,bs,cdtpsq->abcpqd", _SUMS, _SUMS, weight)
            self._sums = products.flatten(0, 1).flatten(2).float()  # [9, C, 4 D]
        tiles = x.new_empty(3, 3, batch, height // 2, width // 2, channels)
        tiles[::2, ::2] = x.permute(0, 2, 3, 1).unflatten(1, (-1, 2)).unflatten(3, (-1, 2)).permute(2, 4, 0, 1, 3, 5)
        torch.add(tiles[::2, 0], tiles[::2, 2], out=tiles[::2, 1])
        torch.add(tiles[0], tiles[2], out=tiles[1])
        products = torch.bmm(tiles.flatten(0, 1).flatten(1, 3), self._sums)
        products = products.view(3, 3, batch, height // 2, width // 2, 2, 2, -1)
        rows = products.new_empty(3, batch, height + 1, *products.shape[4:])
        _overlap(products.unbind(0), rows)
        # the first row and column that a kernel reaches, and the last, are the padding's
        reached = products.new_empty(batch, height + 1, 2, width + 1, 2, products.shape[-1])
        _overlap(rows.unbind(0), reached.permute(0, 1, 3, 2, 4, 5))
        places = reached.flatten(3, 4).flatten(1, 2)[:, 1:-1, 1:-1]
        bias = self.convolution.bias
        places = places.contiguous() if bias is None else places + bias
        return F.leaky_relu(places, self.slope, inplace=True).permute(0, 3, 1, 2)


def _overlap(products: tuple[Tensor, ...], result: Tensor) -> None:
    """Add up the three products of T tiles along the third axis to its 2 T + 1 places."""
    first, middle, last = products
    odd = result[:, :, 1::2]
    torch.sub(middle, first, out=odd)
    odd -= last
    torch.add(first[:, :, 1:], last[:, :, :-1], out=result[:, :, 2:-1:2])
    result[:, :, 0], result[:, :, -1] = first[:, :, 0], last[:, :, -1]


def quicken_wide(module: nn.Module) -> None:
    """Replace each fused convolution that is wide and of these geometries, in place."""
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is FusedConvolution and _is_wide(child.convolution):
                down = isinstance(child.convolution, nn.Conv2d)
                quick = WinogradHalving if down else WinogradDoubling
                setattr(parent, name, quick(child.convolution, child.slope))


def _is_wide(layer: Convolution) -> bool:
    return (
        isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)
        and layer.in_channels >= FEWEST_SEEN
        and layer.out_channels >= (FEWEST_DRAWN if isinstance(layer, nn.ConvTranspose2d) else FEWEST_SEEN)
        and (layer.kernel_size, layer.stride, layer.padding) == ((4, 4), (2, 2), (1, 1))
        and (layer.groups, layer.dilation, layer.output_padding) == (1, (1, 1), (0, 0))
    )
