"""`normascope train`: the trainers' work with a progress bar."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from app.commands.saying import say, say_research_use, warn


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
    devices: int | None,
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
            devices=devices,
            resume=resume,
            options=options,
            on_progress=lambda made: bar.update(task, completed=made.share, description=str(made)),
        )
    for failure in trained.failures:
        warn(console, failure)
    for limit in trained.card.limits:
        warn(console, limit)
    if not trained.card.evaluation:
        warn(console, trained.card.evaluation_note)
    say(console, str(out))
    say_research_use(console)
    return 0
