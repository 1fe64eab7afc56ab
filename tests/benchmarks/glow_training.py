"""A training step of Glow beside the same network written plainly, and the memory of a step as the flow gets deeper."""

from __future__ import annotations

import math
import multiprocessing
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Adam

from engine.models.freed_memory import keep_freed_memory
from engine.models.glow import Glow
from tests.benchmarks.alternating import Work, alternating
from tests.benchmarks.measurement import Measurement

NAME = "Glow training"
TARGET = "64 x 64, 3 levels x 16: a step at least 1.5 times faster than plain eager with slogdet; memory flat in depth"
SIZE, LEVELS, DEPTH, ROUNDS = (64, 64), 3, 16, 7
CASES = ((64, 32), (512, 4))
"""Width and images of a step: those of the bundles that ship, and OpenAI's width, at which both are bound by the same products of matrices."""
MEMORY_WIDTH, MEMORY_BATCH, DEPTHS = 32, 64, (8, 32)


def run() -> list[Measurement]:
    """Time at two widths, on one core and on all, and memory at two depths."""
    every = torch.get_num_threads()
    return [*(_time(width, batch, threads) for width, batch in CASES for threads in sorted({1, every})), *_memory()]


class PlainStep(nn.Module):
    """One step as a textbook has it: an operation a line, the determinant by slogdet, [B, C, H, W]."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.bias, self.log_scale = _pair(channels)
        self.kernel = nn.Parameter(torch.linalg.qr(torch.randn(channels, channels))[0])
        self.enter = nn.Conv2d(channels // 2, width, 3, padding=1, bias=False)
        self.enter_bias, self.enter_log_scale = _pair(width)
        self.middle = nn.Conv2d(width, width, 1, bias=False)
        self.middle_bias, self.middle_log_scale = _pair(width)
        self.leave = nn.Conv2d(width, channels, 3, padding=1)
        self.leave_log_scale = nn.Parameter(torch.zeros(channels, 1, 1))
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        places = x.shape[2] * x.shape[3]
        x = (x + self.bias) * torch.exp(3 * self.log_scale)
        determinant = places * 3 * self.log_scale.sum()
        x = F.conv2d(x, self.kernel[..., None, None])
        determinant = determinant + places * torch.linalg.slogdet(self.kernel).logabsdet
        first, second = x.chunk(2, dim=1)
        h = F.relu((self.enter(first) + self.enter_bias) * torch.exp(3 * self.enter_log_scale))
        h = F.relu((self.middle(h) + self.middle_bias) * torch.exp(3 * self.middle_log_scale))
        shift, h = (self.leave(h) * torch.exp(3 * self.leave_log_scale)).chunk(2, dim=1)
        scale = torch.sigmoid(h - 0.1) + 0.6
        y = torch.cat([first, (second + shift) * scale], dim=1)
        return y, determinant + scale.log().flatten(1).sum(1)


class PlainGlow(nn.Module):
    """The multi-scale flow of `PlainStep`s; [B, 1, H, W] -> [B] log density."""

    def __init__(self, levels: int, depth: int, width: int) -> None:
        super().__init__()
        self.levels = nn.ModuleList(
            nn.ModuleList(PlainStep(4 << level, width) for _ in range(depth)) for level in range(levels)
        )

    def forward(self, x: Tensor) -> Tensor:
        total = x.new_zeros(len(x))
        for level in self.levels:
            x = F.pixel_unshuffle(x, 2)
            for step in level:
                x, determinant = step(x)
                total = total + determinant
            if level is not self.levels[-1]:
                x, z = x.chunk(2, dim=1)
                total = total + _gaussian(z)
        return total + _gaussian(x)


def _pair(channels: int) -> tuple[nn.Parameter, nn.Parameter]:
    return nn.Parameter(torch.zeros(channels, 1, 1)), nn.Parameter(torch.zeros(channels, 1, 1))


def _gaussian(z: Tensor) -> Tensor:
    return -0.5 * (z.square() + math.log(2 * math.pi)).flatten(1).sum(1)


def _time(width: int, batch: int, threads: int) -> Measurement:
    fast, slow = alternating(_step, ("ours", width, batch, threads), ("plain", width, batch, threads), ROUNDS)
    return Measurement(
        f"a training step of {batch} images of 64 x 64, 3 levels x 16, width {width}, cpu, {threads} threads",
        fast,
        "the same network and Adam eager, an operation a line, determinant by slogdet",
        slow,
        slow / fast,
        "1.5 times faster",
        slow / fast >= 1.5,
    )


def _step(kind: str, width: int, batch: int, threads: int) -> Work:
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    x = torch.rand(batch, 1, *SIZE) - 0.5
    if kind == "plain":
        plain = PlainGlow(LEVELS, DEPTH, width)
        return _update(plain, lambda: plain(x), fused=False)
    keep_freed_memory()  # as every training run does
    ours = Glow(SIZE, LEVELS, DEPTH, width)
    assert sum(p.numel() for p in ours.parameters()) == sum(
        p.numel() for p in PlainGlow(LEVELS, DEPTH, width).parameters()
    )
    return _update(ours, lambda: ours(x).log_density(), fused=True)


def _update(network: nn.Module, density: Callable[[], Tensor], *, fused: bool) -> Work:
    adam = Adam(network.parameters(), 1e-4, fused=fused)

    def work() -> None:
        adam.zero_grad(set_to_none=True)
        (-density().mean()).backward()
        adam.step()

    return work


def _memory() -> list[Measurement]:
    shallow, deep = (_grown("ours", depth) for depth in DEPTHS)
    kept = _grown("plain", DEPTHS[1])
    work = f"memory that a step of {MEMORY_BATCH} images of 64 x 64, width {MEMORY_WIDTH}, adds at depth {DEPTHS[1]}"
    return [
        Measurement(
            work,
            deep,
            f"the same at depth {DEPTHS[0]}",
            shallow,
            deep / shallow,
            "at most 1.5",
            deep / shallow <= 1.5,
            "MB",
        ),
        Measurement(work, deep, "the plain network", kept, kept / deep, "5 times less", kept / deep >= 5, "MB"),
    ]


def _grown(kind: str, depth: int) -> float:
    """Megabytes by which a process's largest resident size grows in one step, in a process of its own."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_growth, (kind, depth))


def _growth(kind: str, depth: int) -> float:
    torch.set_num_threads(1)
    if kind == "ours":
        keep_freed_memory()  # as every training run does
    network = (
        PlainGlow(LEVELS, depth, MEMORY_WIDTH)
        if kind == "plain"
        else Glow(SIZE, LEVELS, depth, MEMORY_WIDTH, retracing=True)
    )
    adam = Adam(network.parameters(), 1e-4)
    before = 0
    for batch in (
        1,
        MEMORY_BATCH,
    ):  # the first step makes gradients and moments, as large as the weights whatever the batch
        before = _megabytes("VmRSS")
        found = network(torch.rand(batch, 1, *SIZE) - 0.5)
        density = found if isinstance(found, Tensor) else found.log_density()
        (-density.mean()).backward()
        adam.step()
    return _megabytes("VmHWM") - before


def _megabytes(name: str) -> float:
    """This process's resident size now (VmRSS), or at its largest (VmHWM). `getrusage` would count the parent's, too."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1024
