"""alpha-GAN inference at the paper's size, beside the same network run plainly; and whether the faster way ranks patients the same."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import torch
from sklearn.metrics import roc_auc_score

from engine.models.alpha_gan import AlphaGAN
from engine.models.bundle import load_bundle
from engine.models.inference import Inference, computes_bfloat16, prepare_for_inference
from engine.models.shelf import find
from tests.benchmarks.measurement import Measurement
from trainers.cohort import decoded, read_cohort

NAME = "alpha-GAN inference"
TARGET = "256 x 256, batch 16: 3 times faster than the same network eager, float32, contiguous; AUROC unchanged to 3 decimals"
SIZE, BATCH, ROUNDS = 256, 16, 5
MODEL = "chest-paediatric-alpha-gan"
IMAGES = 200  # of each class, for the AUROC


def run() -> list[Measurement]:
    """One measurement of time; and one of AUROC where the real images are."""
    return [_time(), *_auroc()]


def _time() -> Measurement:
    torch.manual_seed(0)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = AlphaGAN(SIZE).eval().requires_grad_(False)
    dtype = torch.bfloat16 if computes_bfloat16(device) else torch.float32
    ours = prepare_for_inference(model, device, dtype)
    plain = model.to(device)
    x = torch.rand(BATCH, 1, SIZE, SIZE) * 2 - 1

    @torch.inference_mode()
    def peer() -> None:
        plain.anomaly(x.to(device))

    times: dict[str, list[float]] = {"ours": [], "peer": []}
    for turn in range(
        ROUNDS + 1
    ):  # alternating, so that other work on the machine meets both; the first round warms up
        for name, work in (("ours", lambda: ours(x)), ("peer", peer)):
            seconds = _timed(work, device)
            if turn:
                times[name].append(seconds)
    fast, slow = median(times["ours"]), median(times["peer"])
    return Measurement(
        f"scores and maps of {BATCH} images of {SIZE} x {SIZE} on {device.type} in {str(dtype).removeprefix('torch.')}",
        fast,
        "the same network eager, float32, contiguous",
        slow,
        slow / fast,
        "3 times faster",
        slow / fast >= 3,
    )


def _timed(work: Callable[[], object], device: torch.device) -> float:
    start = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def _auroc() -> list[Measurement]:
    """The largest change of any score's AUROC on real chests: the numbers stand where seconds do elsewhere."""
    shared = Path(os.environ.get("NORMASCOPE_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))
    table = shared / "chest_paediatric" / "labels.csv"
    if not table.is_file():
        return []
    bundle = load_bundle(find(MODEL).path)
    cohort = read_cohort(table)
    chosen = [
        side.series[:: max(1, len(side.series) // IMAGES)] for side in map(cohort.labelled, ("normal", "abnormal"))
    ]
    truth = [False] * len(chosen[0]) + [True] * len(chosen[1])
    found = decoded([*chosen[0], *chosen[1]], bundle.card.preprocessing, bundle.card.input.size)
    inputs = [item for item in found if isinstance(item, np.ndarray)]
    exact, fast = (_aurocs(Inference(bundle, "auto", kind), inputs, truth) for kind in ("float32", "auto"))
    worst = max(exact, key=lambda name: abs(exact[name] - fast[name]))
    change = abs(exact[worst] - fast[worst])
    return [
        Measurement(
            f"AUROC of {worst}, the score that moved most, on {len(inputs)} real chests (AUROC, not seconds)",
            fast[worst],
            "float32",
            exact[worst],
            change,
            "change below 0.0005",
            change < 0.0005,
        )
    ]


def _aurocs(inference: Inference, inputs: list[np.ndarray], truth: list[bool]) -> dict[str, float]:
    scores: dict[str, list[float]] = {}
    for first in range(0, len(inputs), BATCH):
        for name, values in inference(torch.from_numpy(np.stack(inputs[first : first + BATCH]))).scores.items():
            scores.setdefault(name, []).extend(values.tolist())
    return {name: float(roc_auc_score(truth, values)) for name, values in scores.items()}
