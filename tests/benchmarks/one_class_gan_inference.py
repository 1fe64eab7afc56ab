"""one-class-gan inference at the paper's size, in milliseconds an image beside the paper's, and beside the same network run plainly."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import torch

from engine.models.inference import prepare_for_inference
from engine.models.one_class_gan import OneClassGAN
from tests.benchmarks.measurement import Measurement

NAME = "one-class-gan inference"
TARGET = "64 x 64 in batches: under 0.48 ms an image on two processor cores, the paper's figure on a TITAN Xp"
SIZE, BATCH, ROUNDS, CORES = 64, 64, 7, 2
PAPER = 0.48e-3  # seconds an image, Tang et al. 2019, section 3
WIDTHS = (64, 32, 16)  # the paper leaves it open; 64 is the network's own


def run() -> list[Measurement]:
    """Two measurements a width: against the paper's seconds, and against the plain network's."""
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

    @torch.inference_mode()
    def peer() -> None:
        model.anomaly(x)

    times: dict[str, list[float]] = {"ours": [], "peer": []}
    for turn in range(ROUNDS + 1):  # alternating; the first round warms up
        for name, work in (("ours", lambda: ours(x)), ("peer", peer)):
            seconds = _timed(work)
            if turn:
                times[name].append(seconds / BATCH)
    fast, slow = median(times["ours"]), median(times["peer"])
    work = f"an image of {SIZE} x {SIZE} in batches of {BATCH}, {width} channels after the first level, {CORES} cores, float32"
    return [
        Measurement(work, fast, "the paper on a TITAN Xp", PAPER, PAPER / fast, "under 0.48 ms", fast < PAPER),
        Measurement(
            work, fast, "the same network eager, float32, contiguous", slow, slow / fast, "faster", slow > fast
        ),
    ]


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
