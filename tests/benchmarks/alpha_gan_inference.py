"""alpha-GAN inference at the paper's size, beside the same network run plainly; and whether the faster way ranks patients the same."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from statistics import median

import numpy as np
import torch
from sklearn.metrics import roc_auc_score

from engine.imaging.series import Series
from engine.models.alpha_gan import AlphaGAN
from engine.models.bundle import load_bundle
from engine.models.card import Card
from engine.models.inference import MOST_CHANGE_OF_AUROC, Inference, prepare_for_inference
from engine.models.shelf import find
from tests.benchmarks.measurement import Measurement
from tests.trainers.textbook_alpha_gan import without_short_cuts
from trainers.cohort import decoded, read_cohort

NAME = "alpha-GAN inference"
TARGET = "256 x 256, batch 16: 3 times faster than the same network eager, float32, contiguous; AUROC unchanged to 3 decimals"
SIZE, BATCH, ROUNDS = 256, 16, 7
MODEL = "chest-paediatric-alpha-gan"


def run() -> list[Measurement]:
    """One measurement of time; and one of each score's AUROC where the real images are."""
    return [_time(), *_auroc()]


def _time() -> Measurement:
    torch.manual_seed(0)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = AlphaGAN(SIZE).eval().requires_grad_(False)
    ours = prepare_for_inference(model, device, torch.float32)  # what a bundle runs in unless bfloat16 moves no AUROC
    plain = without_short_cuts(model.to(device))
    x = torch.rand(BATCH, 1, SIZE, SIZE) * 2 - 1

    @torch.inference_mode()
    def peer() -> None:
        plain.anomaly(x.to(device))

    times: dict[str, list[float]] = {"ours": [], "peer": []}
    # alternating, so that other work on the machine meets both; the first round warms up
    for turn in range(ROUNDS + 1):
        for name, work in (("ours", lambda: ours(x)), ("peer", peer)):
            seconds = _timed(work, device)
            if turn:
                times[name].append(seconds)
    fast, slow = median(times["ours"]), median(times["peer"])
    return Measurement(
        f"scores and maps of {BATCH} images of {SIZE} x {SIZE} on {device.type} in float32, {torch.get_num_threads()} threads",
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
    """Each score's AUROC on the validation patients of the shipped model's card: the numbers stand where seconds do elsewhere."""
    shared = Path(os.environ.get("NORMASCOPE_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))
    table = shared / "chest_paediatric" / "labels.csv"
    if not table.is_file():
        return []
    bundle = load_bundle(find(MODEL).path)
    ours = Inference(bundle)
    validation = set(bundle.card.training.split["validation"])
    series = [one for one in read_cohort(table).labelled("normal", "abnormal").series if one.patient_id in validation]
    plain = without_short_cuts(bundle.model.to(ours.device)).eval()
    scores: dict[str, list[tuple[float, float]]] = {}
    truth: list[bool] = []
    with torch.inference_mode():
        for x, abnormal in _batches(series, bundle.card):
            fast, exact = ours(x).scores, plain.anomaly(x.to(ours.device)).scores
            truth += abnormal
            for name in exact:
                scores.setdefault(name, []).extend(zip(fast[name].tolist(), exact[name].tolist(), strict=True))
    return [_parity(name, pairs, truth, str(ours.dtype).removeprefix("torch.")) for name, pairs in scores.items()]


def _batches(series: list[Series], card: Card) -> Iterator[tuple[torch.Tensor, list[bool]]]:
    """Inputs and truths of what can be read."""
    found = decoded(series, card.preprocessing, card.input.size)
    readable = ((x, one.label == "abnormal") for x, one in zip(found, series, strict=True) if isinstance(x, np.ndarray))
    while batch := list(islice(readable, BATCH)):
        yield torch.from_numpy(np.stack([x for x, _ in batch])), [abnormal for _, abnormal in batch]


def _parity(name: str, pairs: list[tuple[float, float]], truth: list[bool], precision: str) -> Measurement:
    fast, exact = (float(roc_auc_score(truth, values)) for values in zip(*pairs, strict=True))
    return Measurement(
        f"AUROC of {name} in {precision} on {len(truth)} chests of {MODEL}'s validation patients",
        fast,
        "the same network eager, float32, contiguous",
        exact,
        abs(fast - exact),
        f"change below {MOST_CHANGE_OF_AUROC}",
        abs(fast - exact) < MOST_CHANGE_OF_AUROC,
        "AUROC",
    )
