"""Writes the manual's table of what every shipped bundle was measured to do: `python -m trainers.starters.figures --out resources/manual/results.md`.

All of ours comes from the cards, but the time of an image, which is measured here. The papers' and peers' figures are copied from their texts.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import torch

from engine.errors import StorageUnavailable
from engine.models.bundle import load_bundle
from engine.models.inference import Inference
from engine.models.shelf import SHIPPED, InstalledBundle, installed
from trainers.device_name import device_name
from trainers.shell import run_command

PAPERS: dict[tuple[str, str, str], str] = {
    ("alpha-gan", "chest", "code_norm"): ".752 (RSNA)",
    ("alpha-gan", "chest", "reconstruction_error"): ".630 (RSNA)",
    ("one-class-gan", "chest", "anomaly"): ".841 (NIH), .802 (RSNA opacity)",
    ("salad", "chest", "aggregation"): ".917 (NIH)",
    ("salad", "knee", "aggregation"): ".812 (MURA)",
    ("mem-dae", "chest", "aggregation"): ".878 (NIH)",
    ("cae", "knee", "mse"): ".570 (MURA hands)",
    ("vae", "knee", "kld"): ".533 (MURA hands)",
    ("hand-alpha-gan", "knee", "discriminator"): ".607 (MURA hands)",
    ("glow-posterior", "chest", "log_posterior"): ".783 (RSNA)",
    ("glow-posterior", "chest", "log_likelihood"): "under .5 (RSNA)",
    ("glow3d-posterior", "head", "log_posterior"): ".866 (patients' head CT)",
}
"""(method, what it reads, score) -> the paper's AUROC on its own data."""

PEERS = {
    "chest-paediatric": "Autoencoders of a public benchmark at 64 x 64, the best of their scorings: .799 (AE), .778 (AE-U), .804 (AE-SSIM).",
    "chest-adult": "Autoencoders of a public benchmark at 64 x 64, the best of their scorings: .683.",
    "knee": "Autoencoders of a public benchmark at 64 x 64, the best of their scorings: .759 (AE-U).",
}
"""Measured on other held-out images of the same sets."""

TITLES = {
    "chest-paediatric": "Paediatric chests (Guangzhou)",
    "chest-adult": "Adult chests (NIH)",
    "knee": "Knees (OAI)",
    "chest-phantom": "Synthetic chests",
    "hand-phantom": "Synthetic hands",
    "head-phantom": "Synthetic head CT",
}

HEAD = """# What was measured

Written by `python -m trainers.starters.figures` from the cards of the shipped bundles; `normascope evaluate` measures each again. AUROC on validation
patients of whom the model learned nothing, with the 95% interval over patients; the score in bold ranks the worklist. The papers' figures are for their own
images and protocols and stand here to be seen, not to be beaten. Milliseconds are for one image in batches of 16 (volumes: 2) on this
processor: {machine}.
"""


def table() -> str:
    """The whole page."""
    lines = [HEAD.format(machine=device_name(torch.device("cpu")))]
    shelf = [bundle for bundle in installed() if bundle.path.is_relative_to(SHIPPED)]
    for name, title in TITLES.items():
        members = [bundle for bundle in shelf if bundle.id == f"{name}-{bundle.card.method}"]
        if not members:
            continue
        lines.append(f"\n## {title}\n")
        if name in PEERS:
            lines.append(PEERS[name] + "\n")
        lines.append(
            "| method | input | score | the paper | ours (95% interval) | normal, abnormal | training | an image |"
        )
        lines.append("|---|---|---|---|---|---|---|---|")
        for bundle in sorted(members, key=_rank, reverse=True):
            lines.extend(_rows(bundle, name))
    return "\n".join(lines) + "\n"


def _rank(bundle: InstalledBundle) -> float:
    metric = bundle.card.evaluation.get(bundle.card.primary_score)
    return metric.auroc if metric is not None else 0.0


def _rows(bundle: InstalledBundle, name: str) -> Iterator[str]:
    """One line a score, the ranking one first; what belongs to the bundle stands in its first line."""
    card = bundle.card
    order = sorted(card.evaluation, key=lambda score: (score != card.primary_score, -card.evaluation[score].auroc))
    for place, score in enumerate(order):
        metric = card.evaluation[score]
        low, high = metric.auroc_ci95
        measured = f"{_short(metric.auroc)} ({_short(low)} to {_short(high)})"
        paper = PAPERS.get((card.method, name.partition("-")[0], score), "")
        if place:
            yield f"| | | `{score}` | {paper} | {measured} | | | |"
            continue
        size = " x ".join(map(str, card.input.size))
        trained = f"{float(card.recipe.get('seconds', 0)) / 60:.0f} min"
        if device := card.recipe.get("device_name"):  # cards of older versions have none
            trained += f" ({device})"
        yield (
            f"| {card.method} | {size} | **`{score}`** | {paper} | **{measured}** | {metric.n_normal}, {metric.n_abnormal} "
            f"| {trained} | {_milliseconds(bundle):.1f} ms |"
        )


def _milliseconds(bundle: InstalledBundle, rounds: int = 5) -> float:
    """The network's time for one image, scores and maps included, the median of some batches."""
    loaded = load_bundle(bundle.path)
    batch = 16 if loaded.model.spec.spatial_dims == 2 else 2
    anomaly, x = Inference(loaded, "cpu"), torch.rand(batch, 1, *loaded.model.spec.size) * 2 - 1
    times = []
    for _ in range(rounds + 1):
        started = time.perf_counter()
        anomaly(x)
        times.append(time.perf_counter() - started)
    return median(times[1:]) / batch * 1000


def _short(value: float) -> str:
    return f"{value:.3f}".removeprefix("0")


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    out: Path = parser.parse_args().out
    if not out.parent.is_dir():
        raise StorageUnavailable("there is no such folder", where=out.parent, cure="Make it, or choose another.")
    out.write_text(table(), encoding="utf-8")


if __name__ == "__main__":
    run_command(main)
