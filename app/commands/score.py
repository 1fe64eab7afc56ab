"""`normascope score`: studies in, results.csv out. Chooses the models; the engine does the rest."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from app.commands.saying import say, say_research_use, warn
from engine.errors import BundleRejected, NormascopeError
from engine.imaging.damage import damage_of
from engine.imaging.discovery import open_study
from engine.imaging.passed_over import PassedOver
from engine.imaging.series import Series
from engine.models.in_use import chosen_ids, readers
from engine.models.shelf import InstalledBundle, find, installed
from engine.scoring.applicability import why_not
from engine.scoring.ensemble import Ensemble, EnsembleScorer, find_ensemble, is_ensemble, unusable
from engine.scoring.queueing import reading
from engine.scoring.result import SeriesResult
from engine.scoring.results_csv import ResultsCsv

if TYPE_CHECKING:  # torch is imported once there is something to score
    from engine.models.bundle import Bundle

UNREADABLE = 3
"""Exit status when at least one row carries an error."""

Report = Callable[[NormascopeError], None]
Plan = list[tuple["InstalledBundle | Ensemble | Bundle", list[Series]]]


def run_score(paths: list[str], *, model: str | None, out: Path, device: str, batch: int) -> int:
    """Score everything in `paths`; 0, or 3 when a row carries an error.

    Raises:
        BundleRejected: no model is called `model`, and no such file is there.
    """
    console = Console(stderr=True)
    try:
        chosen = _named(model) if model is not None else None
    except BundleRejected as problem:
        if problem.where is None or not Path(problem.where).exists():
            raise
        with ResultsCsv(out) as results:
            _report(console, results, problem)
        return _ended(console, results)
    with ResultsCsv(out) as results, _progress(console) as progress:
        report = partial(_report, console, results)
        series = _find(paths, report, progress, console)
        plan: Plan = [(chosen, series)] if chosen else _sound_plan(series, report, results, console)
        for reader, its_series in plan:
            task = progress.add_task(f"scoring with {_name(reader)}", total=len(its_series))
            said = ""
            for result in _score(reader, its_series, device, batch, report):
                results.add(result)
                progress.advance(task)
                if (
                    result.error and result.error != said
                ):  # a model that cannot be used is one line, however many images
                    warn(console, result.error)
                    said = result.error
    status = _ended(console, results)
    if not series and not results.errors:
        print("normascope: there is no image in what was named. Name a file or folder of images.", file=sys.stderr)
        return UNREADABLE
    return status


def _find(paths: list[str], report: Report, progress: Progress, console: Console) -> list[Series]:
    """Every series in `paths`, and every problem, once, though it be named twice, as in: score film.dcm folder/"""
    passed_over = PassedOver()
    finding = progress.add_task("finding studies", total=None)
    series: dict[tuple[str, tuple[str, ...]], Series] = {}
    said: set[str] = set()

    def report_once(problem: NormascopeError) -> None:
        if str(problem) not in said:
            said.add(str(problem))
            report(problem)

    for path in paths:
        for found in open_study(path, on_error=report_once, on_passed_over=passed_over.add):
            series.setdefault((found.key, found.sources), found)
            progress.update(finding, completed=len(series))
    progress.update(finding, total=len(series), completed=len(series))
    if passed_over.count:
        say(console, passed_over.in_words(), "dim")
    return list(series.values())


def _ended(console: Console, results: ResultsCsv) -> int:
    """Says what was done; the exit status."""
    apart = f", {results.not_measured} with an impossible spacing" if results.not_measured else ""
    say(console, f"{results.scored} scored, {results.failed} not{apart}; {results.folder / 'results.csv'}")
    say_research_use(console)
    return UNREADABLE if results.errors else 0


def _named(model: str) -> InstalledBundle | Ensemble:
    return find_ensemble(model) if is_ensemble(model) else find(model)


def _name(reader: InstalledBundle | Ensemble | Bundle) -> str:
    return reader.id if isinstance(reader, InstalledBundle | Ensemble) else reader.card.id


def _score(
    reader: InstalledBundle | Ensemble | Bundle, series: Iterable[Series], device: str, batch: int, report: Report
) -> Iterator[SeriesResult]:
    """Results of one model, loaded or not, or ensemble; `report` is told of an ensemble's members that cannot be loaded."""
    from engine.models.bundle import load_bundle
    from engine.scoring.scorer import Scorer

    if isinstance(reader, Ensemble):
        ensemble = EnsembleScorer(reader, device, batch)
        yield from ensemble.score(series)
        for problem in ensemble.rejected.values():
            report(problem)
    elif isinstance(reader, InstalledBundle):
        try:
            bundle = load_bundle(reader.path)
        except BundleRejected as problem:  # its header was sound, its weights are not
            yield from (unusable(reader, one, problem) for one in series)
        else:
            yield from Scorer(bundle, device, batch).score(series)
    else:
        yield from Scorer(reader, device, batch).score(series)


def _sound_plan(series: list[Series], report: Report, results: ResultsCsv, console: Console) -> Plan:
    """As `_plan`; what a bundle that cannot be loaded was to score, the next one does. `report` is told of each such bundle, once."""
    from engine.models.bundle import load_bundle

    plan: Plan = []
    bundles, left = installed(), series
    while left:
        planned, left = _plan(left, bundles, results, console), []
        for bundle, its_series in planned:
            try:
                plan.append((load_bundle(bundle.path), its_series))
            except BundleRejected as problem:  # its header was sound, its weights are not
                report(problem)
                bundles = [other for other in bundles if other.hash != bundle.hash]
                left += its_series
    return plan


def _plan(
    series: list[Series], bundles: Sequence[InstalledBundle], results: ResultsCsv, console: Console
) -> list[tuple[InstalledBundle, list[Series]]]:
    """Which bundle scores which series when none is named: those in use that apply, else one trained on phantoms, said aloud, else none."""
    chosen = chosen_ids()
    plan: dict[str, tuple[InstalledBundle, list[Series]]] = {}
    for one in series:
        applying = reading(one, bundles, chosen)
        if not applying and one.format == "dicom":
            applying = readers([bundle for bundle in bundles if _phantom_model_reads(bundle, one)], chosen)
            for bundle in applying:
                warn(
                    console,
                    f"{one.path}: no installed model was trained on patients like this. {bundle.id} was trained on"
                    " synthetic phantoms: its percentile says how unlike a phantom this is, no more.",
                )
        for bundle in applying:
            plan.setdefault(bundle.id, (bundle, []))[1].append(one)
        if not applying:
            results.add(_not_scored(one, bundles))
    return list(plan.values())


def _not_scored(series: Series, bundles: Sequence[InstalledBundle]) -> SeriesResult:
    """What is wrong with the pixels, at which no model will look; of sound ones, why no model applies."""
    if (problem := damage_of(series)) is not None:
        return SeriesResult(series, "", "", error=str(problem), error_kind=problem.kind)
    reasons = "; ".join(why_not(bundle.card, series, named=False) for bundle in bundles) or "no model is installed"
    return SeriesResult(series, "", "", error=f"{series.path}: not scored: {reasons}", error_kind="NotApplicable")


def _phantom_model_reads(bundle: InstalledBundle, series: Series) -> bool:
    """Only where there is no patient model at all, and tags agree: volumes, until a site trains its own."""
    return (
        bundle.card.applicability.synthetic and series.kind == "volume" and not why_not(bundle.card, series, named=True)
    )


def _report(console: Console, results: ResultsCsv, error: NormascopeError) -> None:
    results.add_error(error)
    warn(console, error)


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
