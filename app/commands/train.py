"""`normascope train` and `normascope evaluate`: the trainers' work with a progress bar."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from app.cli import RESEARCH_USE


def run_train(
    method: str,
    normals: str,
    *,
    mixture: str | None,
    out: Path,
    size: int | None,
    epochs: int | None,
    seed: int,
    device: str,
    resume: bool,
    options: dict[str, object],
) -> int:
    """Train and write the bundle; 0."""
    from trainers.run import train

    console = Console(stderr=True)
    with Progress(TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=console) as bar:
        task = bar.add_task("reading the cohort", total=1.0)
        trained = train(
            method,
            normals,
            mixture=mixture,
            out=out,
            size=size,
            epochs=epochs,
            seed=seed,
            device=device,
            resume=resume,
            options=options,
            on_progress=lambda made: bar.update(task, completed=made.share, description=str(made)),
        )
    for failure in trained.failures:
        console.print(f"[yellow]{failure}[/]", highlight=False, soft_wrap=True)
    console.print(f"{out}\n[dim]{RESEARCH_USE}[/]")
    return 0


def run_evaluate(model: str, normals: str, abnormals: str, *, out: Path, device: str) -> int:
    """Measure and write metrics, scores and plots; 0."""
    from engine.models.shelf import find
    from trainers.evaluate import evaluate

    console = Console(stderr=True)
    metrics = evaluate(find(model).path, normals, abnormals, out=out, device=device, on_note=console.print)
    for name, metric in metrics.items():
        low, high = metric.auroc_ci95
        console.print(
            f"{name}: AUROC {metric.auroc:.3f} ({low:.3f} to {high:.3f}), {metric.n_normal} normal, {metric.n_abnormal} abnormal",
            highlight=False,
        )
    console.print(f"{out / 'metrics.json'}\n[dim]{RESEARCH_USE}[/]")
    return 0
