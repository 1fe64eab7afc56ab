"""`normascope score`: studies in, results.csv out. Chooses the models; the engine does the rest."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from app.research_use import RESEARCH_USE
from engine.errors import NormascopeError
from engine.imaging.discovery import open_study
from engine.imaging.series import Series
from engine.models.in_use import chosen_ids, readers
from engine.models.shelf import InstalledBundle, find, installed
from engine.scoring.applicability import why_not
from engine.scoring.ensemble import Ensemble, EnsembleScorer, find_ensemble, is_ensemble
from engine.scoring.queueing import reading
from engine.scoring.result import SeriesResult
from engine.scoring.results_csv import ResultsCsv

UNREADABLE = 3
"""Exit status when at least one file or series has no score."""

Plan = list[tuple[InstalledBundle | Ensemble, list[Series]]]


def run_score(paths: list[str], *, model: str | None, out: Path, device: str, batch: int) -> int:
    """Score everything in `paths`; 0, or 3 when a row carries an error."""
    console = Console(stderr=True)
    chosen = _named(model) if model is not None else None
    with ResultsCsv(out) as results, _progress(console) as progress:
        finding = progress.add_task("finding studies", total=None)
        series: list[Series] = []
        seen: set[tuple[str, tuple[str, ...]]] = set()
        for path in paths:
            for found in open_study(path, on_error=lambda error: _report(console, results, error)):
                if (found.key, found.sources) in seen:
                    continue  # named twice, as in: score film.dcm folder/
                seen.add((found.key, found.sources))
                series.append(found)
                progress.update(finding, completed=len(series))
        progress.update(finding, total=len(series), completed=len(series))
        plan: Plan = [(chosen, series)] if chosen else [*_plan(series, results, console)]
        for bundle, its_series in plan:
            task = progress.add_task(f"scoring with {bundle.id}", total=len(its_series))
            for result in _score(bundle, its_series, device, batch):
                results.add(result)
                progress.advance(task)
                if result.error:
                    console.print(f"[yellow]{result.error}[/]", highlight=False, soft_wrap=True)
    console.print(
        f"{results.scored} scored, {results.failed} not; {out / 'results.csv'}", highlight=False, soft_wrap=True
    )
    console.print(f"[dim]{RESEARCH_USE}[/]")
    if not series and not results.failed:
        print("normascope: there is no image in what was named. Name a file or folder of images.", file=sys.stderr)
        return UNREADABLE
    return UNREADABLE if results.failed else 0


def _named(model: str) -> InstalledBundle | Ensemble:
    return find_ensemble(model) if is_ensemble(model) else find(model)


def _score(
    bundle: InstalledBundle | Ensemble, series: Iterable[Series], device: str, batch: int
) -> Iterator[SeriesResult]:
    from engine.models.bundle import load_bundle
    from engine.scoring.scorer import Scorer

    if isinstance(bundle, Ensemble):
        yield from EnsembleScorer(bundle, device, batch).score(series)
        return
    yield from Scorer(load_bundle(bundle.path), device, batch).score(series)


def _plan(series: list[Series], results: ResultsCsv, console: Console) -> list[tuple[InstalledBundle, list[Series]]]:
    """Which bundle scores which series when none is named: those in use that apply, else one trained on phantoms, said aloud, else none."""
    bundles, chosen = installed(), chosen_ids()
    plan: dict[str, tuple[InstalledBundle, list[Series]]] = {}
    for one in series:
        applying = reading(one, bundles, chosen)
        if not applying and one.format == "dicom":
            applying = readers([bundle for bundle in bundles if _phantom_model_reads(bundle, one)], chosen)
            for bundle in applying:
                console.print(
                    f"[yellow]{one.path}: no installed model was trained on patients like this. {bundle.id} was trained on"
                    " synthetic phantoms: its percentile says how unlike a phantom this is, no more.[/]",
                    highlight=False,
                    soft_wrap=True,
                )
        for bundle in applying:
            plan.setdefault(bundle.id, (bundle, []))[1].append(one)
        if not applying:
            reasons = "; ".join(why_not(bundle.card, one, named=False) for bundle in bundles) or "no model is installed"
            results.add(
                SeriesResult(one, "", "", error=f"{one.path}: not scored: {reasons}", error_kind="NotApplicable")
            )
    return list(plan.values())


def _phantom_model_reads(bundle: InstalledBundle, series: Series) -> bool:
    """Only where there is no patient model at all, and tags agree: volumes, until a site trains its own."""
    return (
        bundle.card.applicability.synthetic and series.kind == "volume" and not why_not(bundle.card, series, named=True)
    )


def _report(console: Console, results: ResultsCsv, error: NormascopeError) -> None:
    results.add_error(error)
    console.print(f"[yellow]{error}[/]", highlight=False, soft_wrap=True)


def _progress(console: Console) -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )
