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
from matplotlib.figure import Figure

from engine.errors import StorageUnavailable
from engine.models.fictional_images import fictional_images, load_sampler, middle_slices
from engine.models.shelf import find
from trainers.report.drawing import save, show
from trainers.shell import run_command

COLUMNS = 6


def draw(
    model: str | Path, out: Path, *, count: int = 24, temperature: float = 0.7, seed: int = 0, device: str = "auto"
) -> npt.NDArray[np.float32]:
    """Draw images as `fictional_images` does, and write them as one PNG; returns them, [count, *S] in [0, 1].

    Args:
        model: a bundle's id or file.

    Raises:
        NotApplicable, BundleRejected, DeviceExhausted: the model cannot draw.
        StorageUnavailable: `out` cannot be written.
    """
    bundle, network = load_sampler(find(model).path, device)
    images = fictional_images(bundle, network, count=count, temperature=temperature, seed=seed)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        save(_page(middle_slices(images), f"drawn by {bundle.card.id} at temperature {temperature:g}"), out)
    except OSError as error:
        raise StorageUnavailable(
            f"the picture cannot be written ({error.strerror or error})", where=out, cure="Choose another folder."
        ) from error
    return images


def _page(pictures: npt.NDArray[np.float32], words: str) -> Figure:
    """[N, rows, columns] in rows, each marked."""
    columns = min(COLUMNS, len(pictures))
    rows = -(-len(pictures) // columns)
    figure, grid = plt.subplots(
        rows, columns, figsize=(1.5 * columns, 1.5 * rows + 0.6), layout="constrained", squeeze=False
    )
    for axes in grid.flat:
        axes.axis("off")
    for axes, picture in zip(grid.flat, pictures, strict=False):
        axes.axis("on")
        show(axes, picture)
        axes.text(
            0.97, 0.03, "synthetic", transform=axes.transAxes, ha="right", va="bottom", fontsize=7, color="#f2c14e"
        ).set_bbox({"facecolor": "black", "alpha": 0.7, "linewidth": 0, "pad": 1.5})
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
