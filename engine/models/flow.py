"""Glow, a flow of images and of volumes: an exact log density, and its way back (Kingma and Dhariwal, NeurIPS 2018, arXiv:1807.03039). No scores, no training.

After OpenAI's code (github.com/openai/glow) with the changes of Shibata et al. 2021, section 3.2: every latent has mean 0 and variance 1, also those
split off between levels, and a coupling scales by s(h - 0.1) + 0.6. For volumes after their Appendix B. Left out is the code's indicator
channel of zero padding.

    image [B, 1, *S] -> squeeze [B, *S / 2, 2^d] -> `depth` steps -> half the channels are latents, the others -> squeeze -> ... -> latents
    step              actnorm and 1x1 convolution -> coupling

d is 2 or 3. Within the flow channels come first and the batch second, [C, B, *S]: a half of the channels is one piece of memory, and every
convolution is one product of matrices, weights by [C, B * places], in two and in three dimensions; a 3x3 one takes each place's neighbourhood as its
channels. Arithmetic is float32 whatever the caller runs in: bfloat16 and TF32 are no inverses.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LOG_SCALE_FACTOR = 3.0
"""OpenAI's: a logarithm of a scale is learned as a third of itself, and so three times as fast."""
INITIAL_DEVIATION = 0.05


def largest_levels(size: Sequence[int]) -> int:
    """Levels that leave at least 4 pixels along the last two axes, as the paper's 7 do of 512, and 2 along a volume's first."""
    return min(int(math.log2(side)) - (2 if axis >= len(size) - 2 else 1) for axis, side in enumerate(size))


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
    """x [I, M] -> third @ relu(second @ relu(first @ x + b) + c), [O, M], of which only x is kept for the way back: checkpointing by hand.

    What is between is `width` channels wide, many times the size of x. On a processor it is made piece by piece in memory that stays in its cache, and made
    again on the way back: that is faster than to fetch from the operating system, page by page, the memory to keep it in.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, first: Tensor, b: Tensor, second: Tensor, c: Tensor, third: Tensor) -> Tensor:
        ctx.save_for_backward(x, first, b, second, c, third)
        y = x.new_empty(len(third), x.shape[1])
        for piece in _pieces(x, len(first)):
            _, after = _hidden(x[:, piece], first, b, second, c)
            torch.mm(third, after, out=y[:, piece])
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, ...]:
        x, first, b, second, c, third = ctx.saved_tensors
        found = torch.empty_like(x)
        of_first, of_b, of_second, of_c, of_third = (torch.zeros_like(each) for each in (first, b, second, c, third))
        for piece in _pieces(x, len(first)):
            before, after = _hidden(x[:, piece], first, b, second, c)
            given = gradient[:, piece]
            of_third.addmm_(given, after.T)
            above = _rectified_backward(third.T @ given, after)
            of_second.addmm_(above, before.T)
            of_c += above.sum(1)
            above = _rectified_backward(second.T @ above, before)
            of_first.addmm_(above, x[:, piece].T)
            of_b += above.sum(1)
            torch.mm(first.T, above, out=found[:, piece])
        return found, of_first, of_b, of_second, of_c, of_third


def _hidden(x: Tensor, first: Tensor, b: Tensor, second: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    before = torch.addmm(b[:, None], first, x).relu_()
    return before, torch.addmm(c[:, None], second, before).relu_()


def _rectified_backward(gradient: Tensor, rectified: Tensor) -> Tensor:
    """The gradient where ReLU's result is above 0, and 0 elsewhere; in place."""
    return torch.ops.aten.threshold_backward.grad_input(gradient, rectified, 0, grad_input=gradient)  # type: ignore[no-any-return]


def _pieces(x: Tensor, width: int) -> Iterator[slice]:
    """Columns to be worked on at once: on a processor as many as leave `width` rows of them within its cache."""
    columns = x.shape[1]
    step = max(512, (1 << 16) // width) if x.device.type == "cpu" else max(columns, 1)
    for start in range(0, columns, step):
        yield slice(start, min(start + step, columns))


class Actnorm(nn.Module):
    """(x + bias) exp(3 log_scale) per channel; the first batch's channels come out with mean 0 and variance 1 (Glow, section 3.1)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))
        self.log_scale = nn.Parameter(torch.zeros(channels))

    def scale(self) -> Tensor:
        """[C] > 0."""
        return torch.exp(LOG_SCALE_FACTOR * self.log_scale)

    def log_determinant(self) -> Tensor:
        """0-dimensional, for each place."""
        return LOG_SCALE_FACTOR * self.log_scale.sum()

    def initialise(self, x: Tensor) -> None:
        """Take bias and scale from [C, B, *S]."""
        deviation, mean = torch.std_mean(x.flatten(1), dim=1, correction=0)
        self.bias.copy_(-mean)
        self.log_scale.copy_(-torch.log(deviation + 1e-6) / LOG_SCALE_FACTOR)


def _product(weight: Tensor, x: Tensor, bias: Tensor) -> Tensor:
    """[O, I] by [I, B, *S] -> [O, B, *S], plus [O]."""
    return torch.addmm(bias[:, None], weight, x.flatten(1)).unflatten(1, x.shape[1:])


class NormalisedWeight(nn.Module):
    """A convolution and the actnorm behind it, as a matrix and a bias: the scale is multiplied into the weight, not into its result."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) * INITIAL_DEVIATION)
        self.actnorm = Actnorm(outputs)

    def forward(self) -> tuple[Tensor, Tensor]:
        """[O, I] and [O]."""
        scale = self.actnorm.scale()
        return self.weight * scale[:, None], self.actnorm.bias * scale

    def initialise(self, x: Tensor) -> Tensor:
        """Set the actnorm by a first batch [I, M]; returns the rectified result, [O, M]."""
        self.actnorm.initialise(self.weight @ x)
        weight, bias = self()
        return torch.addmm(bias[:, None], weight, x).relu_()


class CouplingNetwork(nn.Module):
    """What a coupling computes from its first half: [C / 2, B, *S] -> 3^d convolution -> [width, B, *S] -> 1x1 -> [width, B, *S] -> 3^d -> [C, B, *S].

    The last convolution is (W * x + bias) exp(3 log_scale) and all zero at first, by which a step begins as no change at all. It is written as the product
    first and the sum over neighbours second, so that few channels are moved about and not many.
    """

    def __init__(self, channels: int, width: int, dims: int) -> None:
        super().__init__()
        self.places = 3**dims
        self.enter = NormalisedWeight(self.places * (channels // 2), width)
        self.middle = NormalisedWeight(width, width)
        self.leave = nn.Parameter(torch.zeros(self.places * channels, width))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.log_scale = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        near: Tensor = _Neighbourhoods.apply(x)
        scale = torch.exp(LOG_SCALE_FACTOR * self.log_scale)
        leave = self.leave * scale.repeat(self.places)[:, None]
        given: Tensor = _Hidden.apply(near.flatten(1), *self.enter(), *self.middle(), leave)
        scattered: Tensor = _Scattered.apply(given.unflatten(1, x.shape[1:]))
        return scattered + (self.bias * scale).view(-1, *[1] * (x.ndim - 1))

    def initialise(self, x: Tensor) -> None:
        """Set the actnorms by a first batch."""
        self.middle.initialise(self.enter.initialise(_neighbourhoods(x).flatten(1)))


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

    def kernel(self) -> Tensor:
        """W, [C, C]."""
        lower = self.triangles.tril(-1) + torch.eye(len(self.sign), device=self.sign.device)
        upper = self.triangles.triu(1) + torch.diag(self.sign * self.triangles.diagonal().exp())
        return self.permutation @ lower @ upper

    def log_determinant(self) -> Tensor:
        """0-dimensional, for each place: Appendix B.3's log |det K| with the actnorm's."""
        return self.triangles.diagonal().sum() + self.actnorm.log_determinant()

    def forward(self, x: Tensor) -> Tensor:
        kernel = self.kernel() * self.actnorm.scale()
        return _product(kernel, x, kernel @ self.actnorm.bias)

    def inverse(self, y: Tensor) -> Tensor:
        """What `forward` made `y` of; the small matrix is inverted in float64."""
        kernel = (self.kernel() * self.actnorm.scale()).double()
        return _product(torch.linalg.inv(kernel).to(y.dtype), y, -self.actnorm.bias)

    def initialise(self, x: Tensor) -> Tensor:
        """Set the actnorm by a first batch; returns what `forward` gives now."""
        self.actnorm.initialise(x)
        return self(x)


class FlowStep(nn.Module):
    """One of a level's `depth` steps on [C, B, *S]."""

    def __init__(self, channels: int, width: int, dims: int) -> None:
        super().__init__()
        self.mixing = Mixing(channels)
        self.network = CouplingNetwork(channels, width, dims)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """-> [C, B, *S], and [B, *S] the log scale at each place, summed over channels."""
        first, second = self.mixing(x).chunk(2)
        shift, scale = self._shift_and_scale(first)
        return torch.cat([first, (second + shift) * scale]), scale.log().sum(0)

    def inverse(self, y: Tensor) -> Tensor:
        """The step's input."""
        first, second = y.chunk(2)
        shift, scale = self._shift_and_scale(first)
        return self.mixing.inverse(torch.cat([first, second / scale - shift]))

    def initialise(self, x: Tensor) -> Tensor:
        """Set every actnorm by a first batch; returns the step's output."""
        self.network.initialise(self.mixing.initialise(x).chunk(2)[0])
        y, _ = self(x)
        return y

    def _shift_and_scale(self, first: Tensor) -> tuple[Tensor, Tensor]:
        """The affine coupling's two maps; the scale is s(h - 0.1) + 0.6 (Shibata 2021, section 3.2)."""
        shift, h = self.network(first).chunk(2)
        return shift, torch.sigmoid(h - 0.1) + 0.6


class Encoded(NamedTuple):
    """Where a flow takes a batch, and what that says of its density.

    Attributes:
        latents: [C_l, B, *S / 2^l] of each level l = 1, 2, ...; standard Gaussian under the model.
        log_scales: [B, *S / 2^l], the couplings' log scales summed over steps and channels.
        constant: 0-dimensional, the log determinant of all that is the same for every image.
    """

    latents: tuple[Tensor, ...]
    log_scales: tuple[Tensor, ...]
    constant: Tensor

    def log_density(self) -> Tensor:
        """[B] float64 in nats, equation 2 of Shibata 2021. The sum is in float64: differences of two such numbers matter."""
        return self.constant.double() + sum(level.flatten(1).sum(1, dtype=torch.float64) for level in self._levels())

    def log_density_map(self, size: Sequence[int]) -> Tensor:
        """[B, 1, *S]: the log density by place; it adds up to `log_density`. A coarse level's place is spread evenly over the pixels it stands for."""
        total = self.constant / math.prod(size)
        for level in self._levels():
            share = math.prod(level.shape[1:]) / math.prod(size)
            total = total + share * F.interpolate(level[:, None], size=tuple(size), mode="nearest")
        return total

    def _levels(self) -> list[Tensor]:
        """[B, *S / 2^l]: log density of the latents at each place, with the log scales there."""
        return [
            log_scale - 0.5 * (z.square() + math.log(2 * math.pi)).sum(0)
            for z, log_scale in zip(self.latents, self.log_scales, strict=True)
        ]


class Glow(nn.Module):
    """The multi-scale flow (Glow, figure 2) of [B, 1, *S] in [-0.5, 0.5).

    Args:
        size: [*S], each a multiple of 2^levels.
        levels, depth: L and K.
        width: channels within the coupling networks.
    """

    initialised: Tensor

    def __init__(self, size: Sequence[int], levels: int, depth: int, width: int) -> None:
        super().__init__()
        if levels < 1 or any(side < 2**levels or side % 2**levels for side in size):
            raise ValueError(f"each side must be a multiple of {2**levels} for {levels} levels, not {tuple(size)}")
        self.size, self.dims = tuple(size), len(size)
        self.channels = [
            2**self.dims * 2 ** ((self.dims - 1) * level) for level in range(levels)
        ]  # 4, 8, 16; 8, 32, 128
        self.levels = nn.ModuleList(
            nn.ModuleList(FlowStep(channels, width, self.dims) for _ in range(depth)) for channels in self.channels
        )
        self.register_buffer("initialised", torch.tensor(0.0))

    def forward(self, x: Tensor) -> Encoded:
        """[B, 1, *S] -> its latents and log density."""
        latents: list[Tensor] = []
        log_scales: list[Tensor] = []
        with torch.autocast(x.device.type, enabled=False):
            h = x.transpose(0, 1).float()
            for level in self.levels:
                h = squeezed(h)
                log_scale = h.new_zeros(h.shape[1:])
                for step in level:  # type: ignore[attr-defined]
                    h, of_step = step(h)
                    log_scale = log_scale + of_step
                if level is not self.levels[-1]:
                    h, z = h.chunk(2)
                    latents.append(z)
                log_scales.append(log_scale)
            return Encoded((*latents, h), tuple(log_scales), self._constant())

    def inverse(self, latents: Sequence[Tensor]) -> Tensor:
        """[C_l, B, *S / 2^l] of each level -> [B, 1, *S]: what `forward` made them of."""
        h = latents[-1]
        for index in reversed(range(len(self.levels))):
            for step in reversed(self.levels[index]):  # type: ignore[call-overload]
                h = step.inverse(h)
            h = unsqueezed(h)
            if index:
                h = torch.cat([h, latents[index - 1]])
        return h.transpose(0, 1)

    def drawn_latents(self, count: int, temperature: float, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Gaussian latents of `count` images with `temperature` as their standard deviation; `generator` lives on the CPU."""
        kept = [channels // 2 for channels in self.channels[:-1]] + self.channels[-1:]
        return tuple(
            temperature
            * torch.randn(channels, count, *(side >> level for side in self.size), generator=generator).to(
                self.initialised.device
            )
            for level, channels in enumerate(kept, start=1)
        )

    @torch.no_grad()
    def initialise(self, x: Tensor) -> None:
        """Set every actnorm by a first batch [B, 1, *S] of good size, once: later calls change nothing (Glow, section 3.1)."""
        if self.initialised:
            return
        h = x.transpose(0, 1)
        for level in self.levels:
            h = squeezed(h)
            for step in level:  # type: ignore[attr-defined]
                h = step.initialise(h)
            h = h.chunk(2)[0]
        self.initialised.fill_(1)

    def _constant(self) -> Tensor:
        """Equation B.3: what actnorms and 1x1 convolutions add, times the places they are at."""
        total = self.initialised.new_zeros(())
        for index, level in enumerate(self.levels):
            places = math.prod(side >> (index + 1) for side in self.size)
            total = total + places * torch.stack([step.mixing.log_determinant() for step in level]).sum()  # type: ignore[attr-defined]
        return total
