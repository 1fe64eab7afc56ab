"""`normascope demo`: a sample cohort of phantoms, scored by the real engine process, ranked, and opened or written as pictures.

What is already made or scored is kept: a second start goes straight to the ranked list.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

from app.commands.saying import say
from app.research_use import RESEARCH_USE
from engine.errors import NormascopeError, StorageUnavailable
from engine.imaging.discovery import open_study
from engine.imaging.series import Series
from engine.models.shelf import InstalledBundle, installed
from engine.scoring.queueing import enqueue_applicable
from engine.scoring.result import ScoreValue, SeriesResult
from engine.scoring.results_csv import ResultsCsv
from engine.store import Store
from engine.store.rows import ResultRow, WorklistRow

UNREADABLE = 3


def run_demo(out: Path | None, *, headless: bool) -> int:
    """Make, score and show the sample cohort; 0, or 3 when a phantom could not be scored."""
    folder = (out or _default_folder()).resolve()
    console = Console(stderr=True)
    with _progress(console) as progress:
        _make_cohort(folder / "cohort", progress)
        store = Store(None, folder / "store")
        try:
            # beside each image stands its normal version, which a posterior does not have
            bundles = [
                bundle
                for bundle in installed()
                if bundle.card.applicability.synthetic and "posterior" not in bundle.card.primary_score
            ]
            problems = _import(store, folder / "cohort", bundles)
            _score(folder / "store", store, progress)
            failed = _write(store, folder, progress, problems) if headless else 0
        finally:
            store.close()
    say(console, str(folder))
    say(console, f"Synthetic phantoms, not patients. {RESEARCH_USE}", "dim")
    if headless:
        return UNREADABLE if failed else 0
    from app.workstation import open_workstation

    return open_workstation([], screenshot=None, data_folder=folder / "store")


def _default_folder() -> Path:
    from platformdirs import user_data_path

    return user_data_path("normascope") / "demo"


def _make_cohort(folder: Path, progress: Progress) -> None:
    """The phantoms as DICOM; those that are already there are kept."""
    from engine.phantoms.cohort import make_cohort

    task = progress.add_task("making phantoms", total=None)
    make_cohort(folder, on_study=lambda done, total, _patient: progress.update(task, completed=done, total=total))
    progress.remove_task(task)


def _import(store: Store, cohort: Path, bundles: list[InstalledBundle]) -> list[NormascopeError]:
    """Studies into the store and jobs into the queue; what is there already stays as it is."""
    problems: list[NormascopeError] = []
    for bundle in bundles:
        store.register_bundle(bundle)
    series = list(open_study(cohort / "cohort.csv", on_error=problems.append))
    store.add_series(series)
    enqueue_applicable(store, series, bundles)
    return problems


def _score(folder: Path, store: Store, progress: Progress) -> None:
    """Run the engine process until its queue is empty."""
    waiting = store.counts().waiting
    if not waiting:
        return
    task = progress.add_task("scoring", total=waiting)
    with _engine(folder) as events:
        for event in events:
            if event.get("event") in ("done", "failed", "idle"):
                progress.update(task, completed=waiting - store.counts().waiting)
            if event.get("event") == "idle" and not store.counts().waiting:
                return
    raise StorageUnavailable(
        "the engine process ended before everything was scored",
        where=folder,
        cure="Run it by hand to see why: python -m engine.host --data FOLDER.",
    )


@contextmanager
def _engine(folder: Path) -> Iterator[Iterator[dict[str, object]]]:
    """The engine host's events, one a line; it is stopped on leaving."""
    command = [sys.executable, "-m", "engine.host", "--data", str(folder)]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    ) as host:
        assert host.stdin is not None and host.stdout is not None
        try:
            yield _events(host.stdout)
        finally:
            try:
                host.stdin.write('{"command": "stop"}\n')
                host.stdin.close()
            except BrokenPipeError:
                pass  # it has ended by itself
            host.stdout.read()  # until it has said its last, so that it never waits on a full pipe
            host.wait(timeout=30)


def _events(lines: IO[str]) -> Iterator[dict[str, object]]:
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            continue  # a library's print is not an event
        if isinstance(event, dict):
            yield event


def _write(store: Store, folder: Path, progress: Progress, problems: list[NormascopeError]) -> int:
    """results.csv and a picture a study, most abnormal first; returns the number of rows with an error."""
    rows = store.worklist(order="percentile", descending=True, limit=100_000)
    task = progress.add_task("drawing", total=len(rows))
    pictures = folder / "pictures"
    with _writing(pictures):
        pictures.mkdir(parents=True, exist_ok=True)
        for old in pictures.glob("*.png"):
            old.unlink()
    with ResultsCsv(folder) as results:
        for problem in problems:
            results.add_error(problem)
        for rank, row in enumerate(rows, 1):
            _write_study(store, row, rank, pictures, results)
            progress.advance(task)
        return results.errors


def _write_study(store: Store, row: WorklistRow, rank: int, pictures: Path, results: ResultsCsv) -> None:
    from app.commands.pictures import panes_of, study_picture

    by_key = {series.key: series for series in store.series_of(row.study_uid)}
    if not store.results_of(row.study_uid):
        for series in by_key.values():
            results.add(SeriesResult(series, "", "", error=f"{series.path}: no installed model reads this phantom"))
    for found in store.results_of(row.study_uid):
        series = by_key[found.series_key]
        result = _as_result(store, found, by_key)
        results.add(result)
        if result.error:
            continue
        image = series.load_radiograph() if series.kind == "radiograph" else series.load_volume()
        value = result.scores[result.primary]
        heading = f"{row.patient_id}   {row.body_part or row.modality}   {result.primary} {value.score:.3g}"
        notes = [
            f"{value.percentile:.0f}th percentile of the model's normal cohort"
            + ("   FLAGGED" if value.flagged else ""),
            "Synthetic phantom, not a patient. " + RESEARCH_USE,
        ]
        picture = study_picture(panes_of(image, result.heatmap, result.reconstruction), heading, notes)
        with _writing(pictures):
            picture.save(pictures / f"{rank:02d}_{row.patient_id}_{found.bundle_id}.png")


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageUnavailable(
            f"cannot write here ({error.strerror or error})",
            where=folder,
            cure="Free some space, or choose another folder.",
        ) from error


def _as_result(store: Store, found: ResultRow, by_key: dict[str, Series]) -> SeriesResult:
    """A stored result as results.csv takes it; its arrays stay on disk until they are looked at."""
    units, made = found.heatmap, found.reconstruction
    return SeriesResult(
        by_key[found.series_key],
        found.bundle_id,
        found.bundle_hash,
        {name: ScoreValue(score.score, score.percentile or 0.0, score.flagged) for name, score in found.scores.items()},
        found.primary,
        found.posterior,
        store.arrays.open(units) if units else None,
        store.arrays.open(made) if made else None,
        error=found.error,
        warnings=found.warnings,
    )


def _progress(console: Console) -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=console,
        transient=True,
    )
