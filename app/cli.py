"""The `normascope` command: its words and options. What each does lies in app/commands; Qt is imported only by those that open a window."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from app.research_use import RESEARCH_USE
from trainers.shell import run_command

cli = typer.Typer(
    name="normascope",
    help=f"Learns what normal looks like and shows radiologists what is not. {RESEARCH_USE}",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


class DeviceChoice(StrEnum):
    """Where networks run; auto is CUDA where there is one."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


class StudyRule(StrEnum):
    """How a study's images make its score."""

    max = "max"
    mean = "mean"


Device = Annotated[DeviceChoice, typer.Option(help="Where the networks run.")]
Model = Annotated[
    str, typer.Option(help="An installed model's id, a bundle file, ensemble, or ensemble:ID,ID (patterns too).")
]
Out = Annotated[Path, typer.Option(help="Folder for what is written; made when absent.")]


@cli.command()
def demo(
    headless: Annotated[bool, typer.Option(help="Write PNGs and results.csv instead of opening the window.")] = False,
    out: Annotated[Path | None, typer.Option(help="Where the sample cohort and its results are kept.")] = None,
) -> None:
    """Make a sample cohort of phantoms, score and rank it, and open it in the workstation."""
    from app.commands.demo import run_demo

    raise typer.Exit(run_demo(out, headless=headless))


@cli.command("open")
def open_paths(
    paths: Annotated[list[str] | None, typer.Argument(help="Files, folders, DICOMDIRs, zips or cohort CSVs.")] = None,
    screenshot: Annotated[Path | None, typer.Option(help="Save a picture of the window and leave.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of the workstation's store.")] = None,
) -> None:
    """Open the workstation."""
    from app.commands.open import run_open

    raise typer.Exit(run_open(paths or [], screenshot=screenshot, data=data))


@cli.command()
def score(
    paths: Annotated[list[str], typer.Argument(help="Files, folders, DICOMDIRs, zips or cohort CSVs.")],
    model: Annotated[
        str | None,
        typer.Option(
            help="An installed model's id, a bundle file, ensemble (the mean percentile of all that apply) or ensemble:ID,ID;"
            " without it, the model that reads such studies unasked."
        ),
    ] = None,
    out: Out = Path("normascope-results"),
    device: Device = DeviceChoice.auto,
    batch: Annotated[int, typer.Option(min=1, help="Images a forward pass.")] = 16,
) -> None:
    """Score studies into OUT/results.csv. Leaves with status 3 when a file or series has no score."""
    from app.commands.score import run_score

    raise typer.Exit(run_score(paths, model=model, out=out, device=device.value, batch=batch))


@cli.command()
def preprocess(
    paths: Annotated[list[str], typer.Argument(help="Files, folders, DICOMDIRs, zips or cohort CSVs.")],
    out: Out,
    model: Annotated[
        str | None, typer.Option(help="As this installed model, or bundle file, has its images prepared.")
    ] = None,
    steps: Annotated[
        str | None,
        typer.Option(
            help="By these steps, as in carrier,part,equalised: carrier, negative, markers, part (or left, right, joint),"
            " foreground, lungs-removed, lungs-only, percentile, equalised, local, stretch. Without model or steps, all that Davletshina 2020 has."
        ),
    ] = None,
    size: Annotated[int, typer.Option(min=8, help="Side of the square, where no model says it.")] = 256,
) -> None:
    """Show how studies are prepared for a model, each step a picture: one strip a series. Status 3 when one cannot be."""
    from app.commands.preprocess import run_preprocess

    if model is not None and steps is not None:
        raise typer.BadParameter("a model brings its own steps: give one of the two", param_hint="--steps")
    raise typer.Exit(run_preprocess(paths, out=out, model=model, steps=steps, size=size))


@cli.command()
def train(
    method: Annotated[str, typer.Option(help="A method's name, such as alpha-gan.")],
    normals: Annotated[str, typer.Option(help="Normal studies: a folder, zip or cohort CSV.")],
    out: Annotated[Path, typer.Option(help="The bundle to write, FILE.safetensors.")],
    mixture: Annotated[
        str | None, typer.Option(help="Unlabelled studies, for the methods that need a mixture.")
    ] = None,
    size: Annotated[int | None, typer.Option(help="Side of the network's input; the paper's when left out.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Epochs; the paper's when left out.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the split, the weights and the order.")] = 0,
    device: Device = DeviceChoice.auto,
    devices: Annotated[
        int | None,
        typer.Option(min=1, help="GPUs that learn together, or processes on the CPU; one when left out."),
    ] = None,
    resume: Annotated[bool, typer.Option(help="Go on from the last finished epoch of this OUT.")] = False,
    option: Annotated[
        list[str] | None,
        typer.Option(
            help="NAME=VALUE: any other field of the method's plan; may be repeated. stopping_share=.15 with patience=10 stops when the loss on normals held"
            " out for that has not fallen for ten epochs, and keeps the best; best_by=auroc with selection_share=.2 besides keeps the epoch that"
            " ranks labelled abnormal patients set apart for that highest."
        ),
    ] = None,
) -> None:
    """Train a model on normal studies and write its bundle with card and calibration."""
    from app.commands.train import run_train

    options = dict(_option(item) for item in option or ())
    raise typer.Exit(
        run_train(
            method,
            normals,
            mixture=mixture,
            out=out,
            size=size,
            epochs=epochs,
            seed=seed,
            device=device.value,
            devices=devices,
            resume=resume,
            options=options,
        )
    )


def _option(item: str) -> tuple[str, object]:
    name, equals, value = item.partition("=")
    if not equals:
        raise typer.BadParameter(f"{item!r} is not NAME=VALUE", param_hint="--option")
    return name.strip().replace("-", "_"), value


@cli.command()
def evaluate(
    model: Model,
    normals: Annotated[str, typer.Option(help="Normal studies: a folder, zip or cohort CSV.")],
    abnormals: Annotated[str, typer.Option(help="Abnormal studies: a folder, zip or cohort CSV.")],
    out: Out,
    against: Annotated[
        str | None, typer.Option(help="Another model, to be compared on the same images: OUT/comparison.json.")
    ] = None,
    boxes: Annotated[
        str | None, typer.Option(help="CSV of marked boxes or masks, to judge heatmaps by: OUT/localisation.json.")
    ] = None,
    study: Annotated[
        StudyRule, typer.Option(help="A study's score: the highest or the mean percentile of its images.")
    ] = StudyRule.max,
    device: Device = DeviceChoice.auto,
    batch: Annotated[int, typer.Option(min=1, help="Images a forward pass.")] = 16,
) -> None:
    """Measure a model on labelled studies: OUT/metrics.json, tables by image, finding and group, and plots."""
    from app.commands.evaluate import run_evaluate

    raise typer.Exit(
        run_evaluate(
            model,
            normals,
            abnormals,
            against=against,
            boxes=boxes,
            study=study.value,
            out=out,
            device=device.value,
            batch=batch,
        )
    )


@cli.command()
def models(
    json: Annotated[bool, typer.Option("--json", help="Print the cards as JSON.")] = False,
    use: Annotated[
        list[str] | None,
        typer.Option(help="Let this model read unasked; may be repeated; 'auto' lets the best measured one."),
    ] = None,
) -> None:
    """List the installed models with what their cards say, and choose which read unasked."""
    from app.commands.models import run_models

    raise typer.Exit(run_models(as_json=json, use=use))


@cli.command()
def bench(
    names: Annotated[list[str] | None, typer.Argument(help="Benchmarks to run; all when left out.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the measurements as JSON.")] = False,
) -> None:
    """Run the project's benchmarks, each beside its peer, as ratios in one run."""
    from app.commands.bench import run_bench

    raise typer.Exit(run_bench(names or [], as_json=json))


def main() -> None:
    """Run the command; an error that a person can cure is one line and status 1, never a traceback."""
    run_command(cli)


if __name__ == "__main__":
    main()
