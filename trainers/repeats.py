"""How much of a figure is luck: trains and judges a method several times, over random splits or seeds, and over values of an option.

    python -m trainers.repeats --method NAME --normals CSV --out FOLDER [--mixture CSV] [--runs 10] [--vary split|seed] [--size N] [--epochs N]
        [--option NAME=VALUE ...] [--ablate NAME=VALUE,VALUE,...] [--device auto|cpu|cuda] [--devices N]

`--vary split` is Monte Carlo cross-validation (Nakao 2021: ten random splits): each run draws its patients anew. `--vary seed` keeps the split and
changes the weights and the order (Davletshina 2020, Bozorgtabar 2020: four seeds). `--ablate` does so for each value: an ablation table (Tang 2019).
Finished runs are kept in the folder and not done again. Their bundles are not kept: to pick the best of them by these figures would undo them.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student

from engine.errors import CohortRejected
from engine.models.bundle import load_bundle
from trainers.cohort import read_cohort, write_table, write_whole
from trainers.judging import check_abnormals, judge, read_sides, without_learned
from trainers.kept_run import is_interrupted
from trainers.model_card import CardText
from trainers.report.curves import several_runs
from trainers.report.drawing import save
from trainers.run import train
from trainers.shell import run_command

Vary = Literal["split", "seed"]
GRID = np.linspace(0, 1, 101)
"""False-positive rates at which the runs' curves are averaged."""
OnRun = Callable[[str], None]


@dataclass(frozen=True)
class Asked:
    """What every run has in common."""

    method: str
    normals: Path
    out: Path
    mixture: Path | None = None
    vary: Vary = "split"
    size: int | None = None
    epochs: int | None = None
    options: Mapping[str, object] = field(default_factory=dict)
    device: str = "auto"
    devices: int | None = None


@dataclass(frozen=True)
class Run:
    """One finished run: of each score the area and the sensitivities at `GRID`; how many normals it learned from and was judged on."""

    number: int
    n_train: int
    n_normal: int
    n_abnormal: int
    aurocs: dict[str, float]
    curves: dict[str, list[float]]


@dataclass(frozen=True)
class Spread:
    """One score over the runs. `deviation` is that of the single runs; `mean_ci95` is for their mean."""

    mean: float
    deviation: float
    mean_ci95: tuple[float, float]
    aurocs: tuple[float, ...]


def repeat(asked: Asked, runs: int, on_run: OnRun = lambda words: None) -> list[Run]:
    """Train and judge `runs` times, or as often as is still to do.

    Raises:
        CohortRejected: under two runs, runs kept in the folder that were asked for otherwise, or a cohort that cannot be learned from or judged on;
            a CSV with a label column is needed.
    """
    if runs < 2:
        raise CohortRejected("one run has no spread", where=asked.normals, cure="Ask for at least two runs.")
    asked.out.mkdir(parents=True, exist_ok=True)
    _check_same(asked)
    kept_runs = [asked.out / f"run-{number:02d}.json" for number in range(runs)]
    if not all(kept.exists() for kept in kept_runs):
        # a cohort that cannot be judged on is refused before anything is learned
        check_abnormals(read_cohort(asked.normals).labelled("abnormal"))
    done = []
    for number, kept in enumerate(kept_runs):
        if kept.exists():
            done.append(Run(**json.loads(kept.read_text())))
            continue
        one = _run(asked, number, on_run)
        write_whole(kept, json.dumps(asdict(one)))
        done.append(one)
        on_run(f"run {number + 1} of {runs}: " + ", ".join(f"{name} {area:.3f}" for name, area in one.aurocs.items()))
    return done


def _check_same(asked: Asked) -> None:
    """Raises CohortRejected where the folder keeps runs of another method, cohort, size, option or number of devices: they would pass for these."""
    file = asked.out / "asked.json"
    named = {"normals": asked.normals.name, "mixture": asked.mixture and asked.mixture.name}
    values = {**asdict(asked), **named, "out": None, "device": None}
    if asked.devices in (None, 1):
        # one, said or not, is left out, as it is in what was asked for before there could be several
        del values["devices"]
    what = json.dumps(values, sort_keys=True)
    if file.exists() and file.read_text() != what:
        raise CohortRejected(
            "the runs kept here were asked for otherwise",
            where=asked.out,
            cure="Choose another folder, or ask as before.",
        )
    write_whole(file, what)


def _run(asked: Asked, number: int, on_run: OnRun) -> Run:
    bundle = asked.out / f"run-{number:02d}.safetensors"
    trained = train(
        asked.method,
        asked.normals,
        mixture=asked.mixture,
        out=bundle,
        size=asked.size,
        epochs=asked.epochs,
        seed=number,
        options={**asked.options, "split_seed": number if asked.vary == "split" else 0},
        device=asked.device,
        devices=asked.devices,
        resume=is_interrupted(bundle),  # killed after its training and before it was judged, a run is begun anew
        text=CardText(
            public_patients=True
        ),  # the split must name its patients, so that those learned from are not judged on
        on_progress=lambda progress: on_run(f"run {number + 1}: {progress}"),
    )
    good, bad, _ = without_learned(*read_sides(asked.normals, asked.normals, [trained.card]), [trained.card])
    found = judge(load_bundle(bundle), good, bad, device=asked.device)
    bundle.unlink()
    curves = {name: np.interp(GRID, c.false_positive_rate, c.sensitivity).tolist() for name, c in found.curves.items()}
    first = next(iter(found.metrics.values()))
    return Run(
        number,
        trained.card.training.n_train,
        first.n_normal,
        first.n_abnormal,
        {name: metric.auroc for name, metric in found.metrics.items()},
        curves,
    )


def spread(runs: Sequence[Run], score: str, vary: Vary) -> Spread:
    """Mean, deviation of the runs, and Student's interval of the mean.

    Runs over random splits share most of their training patients, so that their mean varies more than independent runs' would: the variance is
    multiplied by 1/runs + tested/trained normals (Nadeau and Bengio, Machine Learning 2003;52:239-281) instead of 1/runs.
    """
    areas = np.array([run.aurocs[score] for run in runs])
    deviation = float(areas.std(ddof=1))
    shared = np.mean([run.n_normal / run.n_train for run in runs]) if vary == "split" else 0.0
    reach = float(student.ppf(0.975, len(runs) - 1)) * deviation * float(np.sqrt(1 / len(runs) + shared))
    mean = float(areas.mean())
    return Spread(mean, deviation, (max(0.0, mean - reach), min(1.0, mean + reach)), tuple(areas.tolist()))


def write_report(out: Path, variants: Mapping[str, Sequence[Run]], vary: Vary) -> dict[str, dict[str, Spread]]:
    """repeats.json, repeats.csv (a row a variant and score) and a mean ROC curve a variant; returns the spreads."""
    found = {name: {score: spread(runs, score, vary) for score in runs[0].aurocs} for name, runs in variants.items()}
    over = "random splits" if vary == "split" else "seeds on one split"
    note = (
        f"AUROC over {over}: mean, standard deviation of the single runs, and Student's 95% interval of the mean"
        + (
            ", corrected for the training patients that splits share (Nadeau and Bengio 2003)."
            if vary == "split"
            else "."
        )
        + " The abnormal patients are the same in every run: the interval does not cover them. "
        + ("" if vary == "split" else "It covers the luck of training alone, not that of patients.")
    ).strip()
    values = {variant: {score: asdict(each) for score, each in scores.items()} for variant, scores in found.items()}
    (out / "repeats.json").write_text(json.dumps({"note": note, "variants": values}, indent=2))
    rows: list[dict[str, object]] = []
    for variant, runs in variants.items():
        for score, each in found[variant].items():
            low, high = each.mean_ci95
            rows.append(
                {
                    "variant": variant,
                    "score": score,
                    "runs": len(runs),
                    "mean": f"{each.mean:.4f}",
                    "deviation": f"{each.deviation:.4f}",
                    "mean_ci95": f"{low:.4f} to {high:.4f}",
                }
            )
        best = max(found[variant], key=lambda score: found[variant][score].mean)
        save(_mean_roc(variant, best, runs, found[variant][best], over), out / f"roc_{variant}.png")
    write_table(out / "repeats.csv", ["variant", "score", "runs", "mean", "deviation", "mean_ci95"], rows)
    return found


def _mean_roc(variant: str, score: str, runs: Sequence[Run], each: Spread, over: str) -> Any:
    curves: npt.NDArray[np.float64] = np.array([run.curves[score] for run in runs])
    low, high = each.mean_ci95
    label = f"{score}: mean {each.mean:.3f} ({low:.3f} to {high:.3f}), deviation {each.deviation:.3f}"
    return several_runs(f"{variant}: {len(runs)} {over}", label, GRID, curves)


def main() -> None:
    """Run what is asked for and print the table."""
    words, _, usage = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        description=words, epilog=usage, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--method", required=True)
    parser.add_argument("--normals", type=Path, required=True, help="a CSV with a label column")
    parser.add_argument("--mixture", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--vary", choices=("split", "seed"), default="split")
    parser.add_argument("--size", type=int)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--option", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--ablate", metavar="NAME=VALUE,VALUE,...")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--devices", type=int, help="GPUs or processes that learn together; one if left out")
    given = parser.parse_args()
    options = dict(each.partition("=")[::2] for each in given.option)
    variants = {given.method: options}
    if given.ablate:
        name, _, listed = given.ablate.partition("=")
        variants = {f"{given.method} {name} {value}": {**options, name: value} for value in listed.split(",")}
    finished = {}
    for variant, chosen in variants.items():
        asked = Asked(
            given.method,
            given.normals,
            given.out / variant.replace(" ", "_"),
            given.mixture,
            given.vary,
            given.size,
            given.epochs,
            chosen,
            given.device,
            given.devices,
        )
        finished[variant.replace(" ", "_")] = repeat(asked, given.runs, lambda words: print(words, flush=True))
    for variant, scores in write_report(given.out, finished, given.vary).items():
        for score, each in scores.items():
            low, high = each.mean_ci95
            print(f"{variant} {score}: {each.mean:.3f} +- {each.deviation:.3f} (mean {low:.3f} to {high:.3f})")


if __name__ == "__main__":
    run_command(main)
