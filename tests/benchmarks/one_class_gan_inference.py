"""one-class-gan inference at the paper's size, in milliseconds an image beside the paper's, beside the same network run plainly, and beside what the
processor's fastest products would take for as many multiplications.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import torch
from torch.utils.flop_counter import FlopCounterMode

from engine.models.freed_memory import keep_freed_memory
from engine.models.inference import prepare_for_inference
from engine.models.one_class_gan import OneClassGAN
from tests.benchmarks.measurement import Measurement

NAME = "one-class-gan inference"
TARGET = "64 x 64 in batches: under 0.48 ms an image on two processor cores, the paper's figure on a TITAN Xp"
SIZE, BATCH, ROUNDS, CORES = 64, 128, 7, 2
PAPER = 0.48e-3  # seconds an image, Tang et al. 2019, section 3
WIDTHS = (8, 16, 64)  # the paper leaves it open; 8 is that of the bundle that ships, 64 the network's own
SQUARE = 1024  # side of the matrices by whose product the processor's speed is measured


def run() -> list[Measurement]:
    """Three measurements a width: against the paper's seconds, the plain network's, and the bare products'."""
    keep_freed_memory()  # as every process that scores does
    threads = torch.get_num_threads()
    torch.set_num_threads(CORES)
    try:
        return [measurement for width in WIDTHS for measurement in _at(width)]
    finally:
        torch.set_num_threads(threads)


def _at(width: int) -> list[Measurement]:
    torch.manual_seed(0)
    model = OneClassGAN(SIZE, width=width).eval().requires_grad_(False)
    ours = prepare_for_inference(model, torch.device("cpu"), torch.float32)
    x = torch.rand(BATCH, 1, SIZE, SIZE) * 2 - 1
    square = torch.rand(SQUARE, SQUARE)

    @torch.inference_mode()
    def peer() -> None:
        model.anomaly(x)

    works: dict[str, Callable[[], object]] = {
        "ours": lambda: ours(x),
        "peer": peer,
        "products": lambda: square @ square,
    }
    times: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(ROUNDS + 1):  # alternating; the first round warms up
        for name, once in works.items():
            seconds = _timed(once)
            if turn:
                times[name].append(seconds)
    fast, slow = median(times["ours"]) / BATCH, median(times["peer"]) / BATCH
    least = median(times["products"]) * _multiplications(model) / SQUARE**3
    work = f"an image of {SIZE} x {SIZE} in batches of {BATCH}, {width} channels after the first level, {CORES} cores, float32"
    return [
        Measurement(work, fast, "the paper on a TITAN Xp", PAPER, PAPER / fast, "under 0.48 ms", fast < PAPER),
        Measurement(
            work, fast, "the same network eager, float32, contiguous", slow, slow / fast, "faster", slow > fast
        ),
        Measurement(
            work, fast, "as many multiplications in large matrices", least, least / fast, "over 0.5", least > fast / 2
        ),
    ]


def _multiplications(model: OneClassGAN) -> float:
    """Of an image, as the layers are written."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.anomaly(torch.zeros(1, 1, SIZE, SIZE))
    return float(counter.get_total_flops()) / 2


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
