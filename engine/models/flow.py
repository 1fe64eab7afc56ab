"""The steps of a flow on images and volumes: actnorm, invertible 1x1 convolution, affine coupling, squeezing. engine/models/glow.py puts them together.

Glow (Kingma and Dhariwal, NeurIPS 2018, arXiv:1807.03039) after OpenAI's code, with the coupling of Shibata et al. 2021, section 3.2, and for volumes after
their Appendix B. Left out is the code's indicator channel of zero padding.

    step    actnorm and 1x1 convolution -> coupling

Places are counted along d = 2 or 3 axes. Within the flow channels come first and the batch second, [C, B, *S]: a half of the channels is one piece of
memory, and every convolution is one product of matrices, weights by [C, B * places], in two and in three dimensions; a 3x3 one takes each place's
neighbourhood as its channels.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LOG_SCALE_FACTOR = 3.0
"""OpenAI's: a logarithm of a scale is learned as a third of itself, and so three times as fast."""
INITIAL_DEVIATION = 0.05


def squeezed(x: Tensor) -> Tensor:
    """[C, B, *S] -> [2^d C, B, *S / 2]: each block of 2^d places becomes one."""
    sides, dims = x.shape[2:], x.ndim - 2
    x = x.reshape(*x.shape[:2], *(n for side in sides for n in (side // 2, 2)))
    outer, inner = range(2, 2 * dims + 1, 2), range(3, 2 * dims + 2, 2)
    return x.permute(0, *inner, 1, *outer).flatten(0, dims)


def unsqueezed(x: Tensor) -> Tensor:
    """The inverse of `squeezed`."""
    sides, dims = x.shape[2:], x.ndim - 2
    x = x.unflatten(0, (-1, *[2] * dims))  # [C, 2, 2, B, H, W]
    order = [axis for pair in zip(range(dims + 2, 2 * dims + 2), range(1, dims + 1), strict=True) for axis in pair]
    return x.permute(0, dims + 1, *order).reshape(x.shape[0], -1, *(2 * side for side in sides))


def _neighbourhoods(x: Tensor) -> Tensor:
    """[C, B, *S] -> [3^d C, B, *S]: each place's 3^d neighbours, zero outside."""
    dims = x.ndim - 2
    padded = F.pad(x, [1, 1] * dims)
    channel, batch, *steps = padded.stride()
    windows = padded.as_strided((*[3] * dims, *x.shape), (*steps, channel, batch, *steps))
    return windows.reshape(-1, *x.shape[1:])


def _scattered(x: Tensor) -> Tensor:
    """[3^d C, B, *S] -> [C, B, *S]: what each place gives to its 3^d neighbours is added up there; the transpose of `_neighbourhoods`."""
    dims, sides = x.ndim - 2, x.shape[2:]
    given = x.unflatten(0, (3**dims, -1))
    padded = x.new_zeros(*given.shape[1:3], *(side + 2 for side in sides))
    for part, place in zip(given, itertools.product(range(3), repeat=dims), strict=True):
        target = padded
        for axis, (first, side) in enumerate(zip(place, sides, strict=True), start=2):
            target = target.narrow(axis, first, side)
        target += part
    for axis, side in enumerate(sides, start=2):
        padded = padded.narrow(axis, 1, side)
    return padded.contiguous()


class _Neighbourhoods(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return _neighbourhoods(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _scattered(gradient)


class _Scattered(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return _scattered(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _neighbourhoods(gradient.contiguous())


class _Hidden(torch.autograd.Function):
    """`_hidden_product` with a way back: what is between, `width` channels wide and so many times the size of x, is kept for it, piece by piece."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, first: Tensor, b: Tensor, second: Tensor, c: Tensor, third: Tensor) -> Tensor:
        y = x.new_empty(len(third), x.shape[1])
        kept: list[Tensor] = []
        for piece in _pieces(x, len(first)):
            kept += _hidden(x[:, piece], first, b, second, c)
            torch.mm(third, kept[-1], out=y[:, piece])
        ctx.save_for_backward(x, first, second, third, *kept)
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, ...]:
        x, first, second, third, *kept = ctx.saved_tensors
        found = torch.empty_like(x)
        of_first, of_second, of_third = (torch.zeros_like(each) for each in (first, second, third))
        of_b, of_c = x.new_zeros(len(first)), x.new_zeros(len(second))
        ones = x.new_ones(max(before.shape[1] for before in kept[::2]))  # a product with them is quicker than a sum
        end = 0
        for before, after in zip(
            kept[::2], kept[1::2], strict=True
        ):  # the pieces that there were, whatever torch's threads are by now
            piece = slice(end, end := end + before.shape[1])
            given = gradient[:, piece]
            of_third.addmm_(given, after.T)
            above = _rectified_backward(third.T @ given, after)
            of_second.addmm_(above, before.T)
            of_c.addmv_(above, ones[: above.shape[1]])
            above = _rectified_backward(second.T @ above, before)
            of_first.addmm_(above, x[:, piece].T)
            of_b.addmv_(above, ones[: above.shape[1]])
            torch.mm(first.T, above, out=found[:, piece])
        return found, of_first, of_b, of_second, of_c, of_third


def _hidden_product(x: Tensor, first: Tensor, b: Tensor, second: Tensor, c: Tensor, third: Tensor) -> Tensor:
    """x [I, M] -> third @ relu(second @ relu(first @ x + b) + c), [O, M], piece by piece: what is between stays in the processor's cache."""
    if torch.is_grad_enabled():
        found: Tensor = _Hidden.apply(x, first, b, second, c, third)
        return found
    y = x.new_empty(len(third), x.shape[1])
    for piece in _pieces(x, len(first)):
        torch.mm(third, _hidden(x[:, piece], first, b, second, c)[1], out=y[:, piece])
    return y


def _hidden(x: Tensor, first: Tensor, b: Tensor, second: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    before = torch.addmm(b[:, None], first, x).relu_()
    return before, torch.addmm(c[:, None], second, before).relu_()


def _rectified_backward(gradient: Tensor, rectified: Tensor) -> Tensor:
    """The gradient where ReLU's result is above 0, and 0 elsewhere; in place."""
    return torch.ops.aten.threshold_backward.grad_input(gradient, rectified, 0, grad_input=gradient)


def _pieces(x: Tensor, width: int) -> Iterator[slice]:
    """Columns to be worked on at once: on a processor as many as leave `width` rows of them within the caches of the cores that share them."""
    columns = x.shape[1]
    step = max(512, (torch.get_num_threads() << 16) // width) if x.device.type == "cpu" else max(columns, 1)
    for start in range(0, columns, step):
        yield slice(start, min(start + step, columns))


class Actnorm(nn.Module):
    """(x + bias) exp(3 log_scale) per channel; the first batch's channels come out with mean 0 and variance 1 (Glow, section 3.1)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))
        self.log_scale = nn.Parameter(torch.zeros(channels))

    def initialise(self, x: Tensor) -> None:
        """Take bias and scale from [C, B, *S]."""
        deviation, mean = torch.std_mean(x.flatten(1), dim=1, correction=0)
        self.bias.copy_(-mean)
        self.log_scale.copy_(-torch.log(deviation + 1e-6) / LOG_SCALE_FACTOR)


class NormalisedWeight(nn.Module):
    """A convolution, as a matrix, and the actnorm behind it."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) * INITIAL_DEVIATION)
        self.actnorm = Actnorm(outputs)


class CouplingNetwork(nn.Module):
    """What a coupling computes from its first half: [C / 2, B, *S] -> 3^d convolution -> [width, B, *S] -> 1x1 -> [width, B, *S] -> 3^d -> [C, B, *S].

    The last convolution is (W * x + bias) exp(3 log_scale) and all zero at first, by which a step begins as no change at all. It is written as the product
    first and the sum over neighbours second, so that few channels are moved about and not many.
    """

    def __init__(self, channels: int, width: int, dims: int) -> None:
        super().__init__()
        places = 3**dims
        self.enter = NormalisedWeight(places * (channels // 2), width)
        self.middle = NormalisedWeight(width, width)
        self.leave = nn.Parameter(torch.zeros(places * channels, width))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.log_scale = nn.Parameter(torch.zeros(channels))


class Mixing(nn.Module):
    """Actnorm and the invertible 1x1 convolution behind it: one matrix product, W diag(scale) (x + bias).

    W = P L (U + diag(s)) (Glow, equation 10): P stays as it was drawn, L and U are the triangles of one matrix, and log |s| its diagonal, so that
    log |det W| is a sum (equation 11) and W stays invertible. Starts as a random rotation.
    """

    permutation: Tensor
    sign: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.actnorm = Actnorm(channels)
        rotation = torch.linalg.qr(torch.randn(channels, channels))[0]
        permutation, lower, upper = torch.linalg.lu(rotation)
        diagonal = upper.diagonal()
        triangles = lower + upper  # L's own diagonal, of ones, need not be kept
        triangles.diagonal().copy_(diagonal.abs().log())
        self.triangles = nn.Parameter(triangles)
        self.register_buffer("permutation", permutation)
        self.register_buffer("sign", diagonal.sign())


class StepWeights(NamedTuple):
    """What the parameters of a step come to, the same for every image and every place; with it, the step itself.

    Attributes:
        kernel, offset: [C, C] and [C], the 1x1 convolution with the actnorm before it.
        first, first_bias: [width, 3^d C / 2] and [width], the coupling's first convolution with the actnorm behind it; second: [width, width].
        third, third_bias: [3^d C, width] and [C], the last one with its scale.
    """

    kernel: Tensor
    offset: Tensor
    first: Tensor
    first_bias: Tensor
    second: Tensor
    second_bias: Tensor
    third: Tensor
    third_bias: Tensor

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """[C, B, *S] -> [C, B, *S], and [B, *S] the log scale at each place, summed over channels."""
        first, second = self.mixed(x).chunk(2)
        shift, scale = self._shift_and_scale(first)
        return torch.cat([first, (second + shift) * scale]), scale.log().sum(0)

    def inverse(self, y: Tensor) -> Tensor:
        """What `forward` made `y` of; the small matrix is inverted in float64."""
        first, second = y.chunk(2)
        shift, scale = self._shift_and_scale(first)
        mixed = torch.cat([first, second / scale - shift])
        kernel, offset = torch.linalg.inv(self.kernel.double()), self.offset.double()
        return _product(kernel.to(y.dtype), mixed, -(kernel @ offset).to(y.dtype))

    def mixed(self, x: Tensor) -> Tensor:
        """The first half of the step: actnorm and 1x1 convolution."""
        return _product(self.kernel, x, self.offset)

    def _shift_and_scale(self, first: Tensor) -> tuple[Tensor, Tensor]:
        """The affine coupling's two maps; the scale is s(h - 0.1) + 0.6 (Shibata 2021, section 3.2)."""
        near: Tensor = _Neighbourhoods.apply(first)
        given = _hidden_product(near.flatten(1), self.first, self.first_bias, self.second, self.second_bias, self.third)
        scattered: Tensor = _Scattered.apply(given.unflatten(1, first.shape[1:]))
        shift, h = (scattered + self.third_bias.view(-1, *[1] * (first.ndim - 1))).chunk(2)
        return shift, torch.sigmoid(h - 0.1) + 0.6


def _product(weight: Tensor, x: Tensor, bias: Tensor) -> Tensor:
    """[O, I] by [I, B, *S] -> [O, B, *S], plus [O]."""
    return torch.addmm(bias[:, None], weight, x.flatten(1)).unflatten(1, x.shape[1:])


class FlowStep(nn.Module):
    """The parameters of one of a level's `depth` steps on [C, B, *S]."""

    def __init__(self, channels: int, width: int, dims: int) -> None:
        super().__init__()
        self.mixing = Mixing(channels)
        self.network = CouplingNetwork(channels, width, dims)

    def initialise(self, x: Tensor) -> Tensor:
        """Set every actnorm by a first batch; returns the step's output."""
        self.mixing.actnorm.initialise(x)
        near = _neighbourhoods(self._weights().mixed(x).chunk(2)[0]).flatten(1)
        self.network.enter.actnorm.initialise(self.network.enter.weight @ near)
        weights = self._weights()
        entered = torch.addmm(weights.first_bias[:, None], weights.first, near).relu_()
        self.network.middle.actnorm.initialise(self.network.middle.weight @ entered)
        return self._weights().forward(x)[0]

    def _weights(self) -> StepWeights:
        return step_weights([self])[0]


def step_weights(steps: Sequence[FlowStep]) -> list[StepWeights]:
    """Those of a level's steps. What is small is computed together: an operation on a small matrix costs the same as one on all of them."""
    mixings, networks = [step.mixing for step in steps], [step.network for step in steps]
    kernel = _kernels(mixings)
    offset = (kernel @ torch.stack([mixing.actnorm.bias for mixing in mixings])[..., None])[..., 0]
    scale = _scales(networks)
    third_bias = torch.stack([network.bias for network in networks]) * scale
    places = networks[0].leave.shape[0] // scale.shape[1]
    third = _scaled([network.leave for network in networks], scale.repeat(1, places))
    first, first_bias = _normalised([network.enter for network in networks])
    second, second_bias = _normalised([network.middle for network in networks])
    small = (each.unbind() for each in (kernel, offset, first_bias, second_bias, third_bias))
    return [
        StepWeights(kernel, offset, first, b, second, c, third, d)
        for (kernel, offset, b, c, d), first, second, third in zip(
            zip(*small, strict=True), first, second, third, strict=True
        )
    ]


def log_determinants(steps: Sequence[FlowStep]) -> Tensor:
    """[K], of each step's actnorm and 1x1 convolution at each place: Appendix B.3's log |det K| with the actnorm's."""
    diagonals = torch.stack([step.mixing.triangles.diagonal() for step in steps])
    return diagonals.sum(1) + LOG_SCALE_FACTOR * torch.stack([step.mixing.actnorm.log_scale for step in steps]).sum(1)


def _kernels(mixings: Sequence[Mixing]) -> Tensor:
    """W diag(scale) of each, [K, C, C]."""
    triangles = torch.stack([mixing.triangles for mixing in mixings])
    lower = triangles.tril(-1) + torch.eye(triangles.shape[-1], device=triangles.device)
    sign = torch.stack([mixing.sign for mixing in mixings])
    upper = triangles.triu(1) + torch.diag_embed(sign * triangles.diagonal(dim1=1, dim2=2).exp())
    rotation = torch.stack([mixing.permutation for mixing in mixings]) @ lower @ upper
    return rotation * _scales([mixing.actnorm for mixing in mixings])[:, None]


def _normalised(layers: Sequence[NormalisedWeight]) -> tuple[list[Tensor], Tensor]:
    """K times [O, I], and [K, O]: the actnorm's scale is multiplied into the weight, not into its result."""
    scale = _scales([layer.actnorm for layer in layers])
    biases = torch.stack([layer.actnorm.bias for layer in layers]) * scale
    return _scaled([layer.weight for layer in layers], scale), biases


def _scaled(weights: Sequence[Tensor], scale: Tensor) -> list[Tensor]:
    """Each [O, I] by its row of [K, O]; one by one, as wide ones are too large to be copied together."""
    return [weight * rows for weight, rows in zip(weights, scale[..., None].unbind(), strict=True)]


def _scales(scaled: Sequence[Actnorm | CouplingNetwork]) -> Tensor:
    """[K, C] > 0."""
    return torch.exp(LOG_SCALE_FACTOR * torch.stack([each.log_scale for each in scaled]))


class Retraced(torch.autograd.Function):
    """A level's steps, of which only the last one's output is kept: on the way back each step's input is computed from its output by the step's inverse.

    Memory does not grow with depth; time does, by about half.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, *weights: Tensor) -> tuple[Tensor, Tensor]:
        """[C, B, *S], and every step's `StepWeights` in order -> the last step's output, and the log scales' sum over steps."""
        log_scale = x.new_zeros(x.shape[1:])
        for step in regrouped(weights):
            x, of_step = step.forward(x)
            log_scale += of_step
        ctx.save_for_backward(x, *weights)
        return x, log_scale

    @staticmethod
    def backward(ctx: Any, of_y: Tensor, of_log_scale: Tensor) -> tuple[Tensor, ...]:
        y, *weights = ctx.saved_tensors
        # made before the large tensors that come and go: small ones left between those would keep their room from being used again
        found = [torch.empty_like(weight) for weight in weights]
        steps = regrouped([weight.detach().requires_grad_() for weight in weights])
        for step, kept in zip(reversed(steps), reversed(regrouped(found)), strict=True):
            x = step.inverse(y).requires_grad_()
            with torch.enable_grad():
                outputs = step.forward(x)
            of_y, *of_weights = torch.autograd.grad(outputs, (x, *step), (of_y, of_log_scale))
            torch._foreach_copy_(list(kept), of_weights)
            y = x.detach()
        return of_y, *found


def regrouped(weights: Sequence[Tensor]) -> list[StepWeights]:
    """The tensors of several `StepWeights`, one behind the other, as those again."""
    each = len(StepWeights._fields)
    return [StepWeights(*weights[start : start + each]) for start in range(0, len(weights), each)]
