"""Fictional images from an installed model: `python -m trainers.sampling --model ID --out PNG`. Each is marked as synthetic; none is a patient.

What a generative model takes for normal is best seen in what it draws (Shibata et al. 2021, figure 15): a model whose images are no chests has not learned
chests, whatever its scores.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
import torch
from matplotlib.figure import Figure

from engine.errors import NotApplicable, StorageUnavailable
from engine.models.bundle import load_bundle
from engine.models.inference import choose_device
from engine.models.sampling import Sampler
from engine.models.shelf import find
from trainers.report.drawing import save, show
from trainers.shell import run_command

COLUMNS = 6


def draw(
    model: str | Path, out: Path, *, count: int = 24, temperature: float = 0.7, seed: int = 0, device: str = "auto"
) -> npt.NDArray[np.float32]:
    """Draw images, and write them as one PNG; returns them, [count, *S] in [0, 1].

    Args:
        model: a bundle's id or file.
        temperature: standard deviation of the codes; below 1, images are more alike and cleaner (Kingma and Dhariwal 2018 use 0.7).
        seed: the same one draws the same images.

    Raises:
        NotApplicable: the method cannot draw images.
        StorageUnavailable: `out` cannot be written.
    """
    bundle = load_bundle(find(model).path, choose_device(device))
    network = bundle.model
    if not isinstance(network, Sampler):
        raise NotApplicable(
            f"{bundle.card.method} cannot draw images", where=model, cure="Choose a Glow or an alpha-GAN."
        )
    x = network.sample(count, temperature, torch.Generator().manual_seed(seed))
    images: npt.NDArray[np.float32] = ((x[:, 0].cpu() + 1) / 2).clamp(0, 1).numpy()
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        save(_page(images, f"drawn by {bundle.card.id} at temperature {temperature:g}"), out)
    except OSError as error:
        raise StorageUnavailable(
            f"the picture cannot be written ({error.strerror or error})", where=out, cure="Choose another folder."
        ) from error
    return images


def _page(images: npt.NDArray[np.float32], words: str) -> Figure:
    """Images in rows, a volume by its middle slice, each marked."""
    columns = min(COLUMNS, len(images))
    rows = -(-len(images) // columns)
    figure, grid = plt.subplots(
        rows, columns, figsize=(1.5 * columns, 1.5 * rows + 0.6), layout="constrained", squeeze=False
    )
    for axes in grid.flat:
        axes.axis("off")
    for axes, image in zip(grid.flat, images, strict=False):
        axes.axis("on")
        show(axes, image if image.ndim == 2 else image[len(image) // 2])
        axes.text(
            0.97, 0.03, "synthetic", transform=axes.transAxes, ha="right", va="bottom", fontsize=7, color="#f2c14e"
        )
    figure.suptitle(f"Synthetic images, of nobody: {words}", fontsize=9)
    return figure


def main() -> None:
    """Draw images from a model into a PNG."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="a bundle's id or file")
    parser.add_argument("--out", type=Path, required=True, help="the PNG to write")
    parser.add_argument("--count", type=int, default=24)
    parser.add_argument("--temperature", type=float, default=0.7, help="spread of the codes; 1 is the model's own")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    asked = parser.parse_args()
    draw(
        asked.model,
        asked.out,
        count=asked.count,
        temperature=asked.temperature,
        seed=asked.seed,
        device=asked.device,
    )


if __name__ == "__main__":
    run_command(main)
