"""Wide 3x3 convolutions in 4/9 of the multiplications, forwards and backwards, on the CPU. For training; networks are not written in terms of it.

Two by two results at a time (Lavin A, Gray S. Fast algorithms for convolutional neural networks. CVPR 2016. arXiv:1509.09308, section 4.1). Along an
axis, with d0 ... d3 four neighbouring places, g0, g1, g2 the kernel, and two results y0, y1:

    m0 = (d0 - d2) g0                         y0 = m0 + m1 + m2
    m1 = (d1 + d2) (g0 + g1 + g2) / 2         y1 = m1 - m2 - m3
    m2 = (d2 - d1) (g0 - g1 + g2) / 2
    m3 = (d1 - d3) g2

Every step is linear, and so the gradients take the same steps backwards, products in 4/9 too. The numbers are the plain layer's to about 1e-6.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.models.rectified_convolution import RectifiedConvolution

FEWEST_CHANNELS = 64
"""That a layer must see: what is saved grows with the product of the channels, the additions with their sum."""

_KERNEL = torch.tensor([[1.0, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])
_KERNELS = torch.kron(_KERNEL, _KERNEL)  # [16 products, 9 weights]


class WinogradConvolution(nn.Module):
    """A `RectifiedConvolution` of 3x3 with the same parameters by the same names: [B, C, H, W] -> [B, D, H, W], channels last.

    Odd sizes, other devices and other types than float32 take the layer's own way.
    """

    def __init__(self, layer: RectifiedConvolution) -> None:
        super().__init__()
        assert layer.bias is not None
        self.weight, self.bias, self.slope = layer.weight, layer.bias, layer.slope

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[2] % 2 or x.shape[3] % 2 or x.device.type != "cpu" or x.dtype != torch.float32:
            return F.leaky_relu(F.conv2d(x, self.weight, self.bias, padding=1), self.slope)
        result: Tensor = _Convolution.apply(x.permute(0, 2, 3, 1).contiguous(), self.weight, self.bias, self.slope)
        return result.permute(0, 3, 1, 2)


class _Convolution(torch.autograd.Function):
    """[B, H, W, C] -> convolution -> LeakyReLU -> [B, H, W, D]."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, slope: float) -> Tensor:
        taken = _taken(_taken(x)).flatten(2, 4).flatten(0, 1)  # [16, B H/2 W/2, C]
        products = torch.bmm(taken, _kernels(weight).transpose(1, 2))
        result = _joined(_joined(products.view(4, 4, x.shape[0], x.shape[1] // 2, x.shape[2] // 2, -1)))
        result += bias
        F.leaky_relu(result, slope, inplace=True)
        ctx.save_for_backward(taken, weight, result)
        ctx.slope = slope
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        taken, weight, result = ctx.saved_tensors
        gradient = torch.ops.aten.leaky_relu_backward(gradients[0].contiguous(), result, ctx.slope, True)
        batch, height, width, _ = gradient.shape
        products = _parted(_parted(gradient)).flatten(2, 4).flatten(0, 1)  # [16, B H/2 W/2, D]
        to_kernels = torch.bmm(products.transpose(1, 2), taken)
        to_weight = (_KERNELS.T @ to_kernels.flatten(1)).T.reshape(weight.shape)
        to_taken = torch.bmm(products, _kernels(weight))
        to_x = _given(_given(to_taken.view(4, 4, batch, height // 2, width // 2, -1)))
        return to_x, to_weight, gradient.flatten(0, 2).sum(0), None


def _kernels(weight: Tensor) -> Tensor:
    """[D, C, 3, 3] -> [16, D, C]."""
    return (_KERNELS @ weight.reshape(-1, 9).T).view(16, *weight.shape[:2])


# Each of the four steps works along the third axis. What takes an axis apart puts a new one in front, and what puts it together takes one away: after the
# columns the third is the rows, and the other way round.


def _halves(x: Tensor) -> tuple[Tensor, Tensor]:
    """The even and the odd places: d1 and d2 of every two results, and d3 and d0 of the two before and behind."""
    even, odd = x.unflatten(2, (-1, 2)).unbind(3)
    return even, odd


def _taken(x: Tensor) -> Tensor:
    """[_, _, 2 T, ...] -> the differences and sums of neighbours that kernels meet, [4, _, _, T, ...]. Beyond the borders lie zeros."""
    even, odd = _halves(x)
    taken = x.new_empty(4, *even.shape)
    torch.sub(odd[:, :, :-1], odd[:, :, 1:], out=taken[0, :, :, 1:])
    torch.neg(odd[:, :, 0], out=taken[0, :, :, 0])
    torch.add(even, odd, out=taken[1])
    torch.sub(odd, even, out=taken[2])
    torch.sub(even[:, :, :-1], even[:, :, 1:], out=taken[3, :, :, :-1])
    taken[3, :, :, -1] = even[:, :, -1]
    return taken


def _given(taken: Tensor) -> Tensor:
    """`_taken`'s gradient in x from that in its result: [4, _, _, T, ...] -> [_, _, 2 T, ...]."""
    first, plus, minus, last = taken
    x = taken.new_empty(*first.shape[:3], 2, *first.shape[3:])
    even, odd = x.unbind(3)
    torch.sub(plus, minus, out=even)
    even += last
    even[:, :, 1:] -= last[:, :, :-1]
    torch.add(plus, minus, out=odd)
    odd -= first
    odd[:, :, :-1] += first[:, :, 1:]
    return x.flatten(2, 3)


def _joined(products: Tensor) -> Tensor:
    """[4, _, _, T, ...] -> the two results of each four, [_, _, 2 T, ...]."""
    first, plus, minus, last = products
    results = products.new_empty(*first.shape[:3], 2, *first.shape[3:])
    even, odd = results.unbind(3)
    torch.add(first, plus, out=even)
    even += minus
    torch.sub(plus, minus, out=odd)
    odd -= last
    return results.flatten(2, 3)


def _parted(results: Tensor) -> Tensor:
    """`_joined`'s gradient in the products from that in its results: [_, _, 2 T, ...] -> [4, _, _, T, ...]."""
    even, odd = _halves(results)
    products = results.new_empty(4, *even.shape)
    products[0] = even
    torch.add(even, odd, out=products[1])
    torch.sub(even, odd, out=products[2])
    torch.neg(odd, out=products[3])
    return products


def quicken_wide_convolutions(module: nn.Module) -> None:
    """Replace each wide 3x3 layer, in place; parameters and their names stay."""
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, RectifiedConvolution) and _is_wide(child):
                setattr(parent, name, WinogradConvolution(child))


def _is_wide(layer: RectifiedConvolution) -> bool:
    return layer.kernel_size == (3, 3) and layer.in_channels >= FEWEST_CHANNELS and layer.bias is not None
