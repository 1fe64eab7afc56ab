"""`normascope evaluate`: how well a model does on labelled studies, with a progress bar and in words."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from app.commands.saying import say, say_research_use


def run_evaluate(
    model: str,
    normals: str,
    abnormals: str,
    *,
    against: str | None,
    boxes: str | None,
    study: Literal["max", "mean"],
    out: Path,
    device: str,
    batch: int,
) -> int:
    """Measure and write metrics, tables and plots; 0."""
    from trainers.evaluate import evaluate, in_words

    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=console, transient=True
    ) as bar:
        task = bar.add_task(f"scoring with {model}", total=1.0)
        metrics = evaluate(
            model,
            normals,
            abnormals,
            out,
            against=against,
            boxes=boxes,
            study=study,
            device=device,
            batch=batch,
            on_share=lambda share: bar.update(task, completed=share),
            on_note=partial(say, console),
        )
    for name, metric in metrics.items():
        say(console, in_words(name, metric))
    say(console, str(out / "metrics.json"))
    say_research_use(console)
    return 0
