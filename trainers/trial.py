"""One epoch of every method on 64 normal phantoms, and scores from what came of it: `python -m trainers.trial --out FOLDER [METHOD ...]`.

Whether all of it works on a machine, in minutes. The networks are small (`TrainingPlan.trial`) and learn next to nothing: no figure of theirs means
anything, and none is shown.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from engine.errors import TrainingFailed
from engine.models.bundle import load_bundle
from engine.models.inference import choose_device
from engine.models.registry import METHODS
from engine.scoring.scorer import Scorer
from trainers.cohort import read_cohort
from trainers.planning import default_plan
from trainers.registry import trainer_class
from trainers.run import train
from trainers.shell import run_command
from trainers.trial_cohort import trial_cohort


@dataclass(frozen=True)
class Tried:
    """What one method did. `scores` are the names of those it gave, `images` how many images got them."""

    method: str
    bundle: Path
    training_seconds: float
    milliseconds_an_image: float
    scores: tuple[str, ...]
    images: int


def try_methods(methods: Sequence[str], out: Path, device: str = "auto") -> Iterable[Tried]:
    """Train each method for one epoch into `out` and score the whole cohort with it.

    Raises:
        TrainingFailed: an image got no score, or one that is not a number.
    """
    for method in methods:
        kind = trainer_class(method)
        volumes = len(kind.plan_class.trial.get("size", kind.plan_class.model_fields["size"].default)) == 3
        table = trial_cohort(out / ("heads" if volumes else "chests"), volumes=volumes)
        plan = default_plan(method, None, 1, 0, choose_device(device), {**kind.plan_class.trial, "mixture_rate": 0.5})
        mixture = table if kind.mixture == "always" else None
        started = time.monotonic()
        trained = train(method, table, mixture=mixture, out=out / f"{method}.safetensors", device=device, plan=plan)
        training = time.monotonic() - started
        series = read_cohort(table).series
        started = time.monotonic()
        results = list(Scorer(load_bundle(trained.path), device, 8, named=True).score(series))
        scoring = time.monotonic() - started
        for result in results:
            values = [value.score for value in result.scores.values()]
            if result.error or not values or not np.isfinite(values).all():
                raise TrainingFailed(
                    f"{method} gives no finite score ({result.error.rstrip('.') or values})",
                    where=result.series.path,
                    cure="Report this with the machine's processor and torch's version.",
                )
        yield Tried(
            method, trained.path, training, scoring / len(series) * 1000, tuple(results[0].scores), len(results)
        )


def main() -> None:
    """Try the methods named, or all, and print a line each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("methods", nargs="*", metavar="METHOD", help=f"of {', '.join(METHODS)}; all when left out")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", default="auto")
    asked = parser.parse_args()
    if unknown := set(asked.methods) - set(METHODS):
        parser.error(f"no method is called {', '.join(sorted(unknown))}; choose from {', '.join(METHODS)}")
    print(f"torch {torch.__version__} on {choose_device(asked.device)}")
    for tried in try_methods(asked.methods or list(METHODS), asked.out, asked.device):
        print(
            f"{tried.method}: trained, calibrated and judged in {tried.training_seconds:.0f} s; {tried.images} images scored,"
            f" {tried.milliseconds_an_image:.0f} ms each, by {', '.join(tried.scores)}",
            flush=True,
        )


if __name__ == "__main__":
    run_command(main)
