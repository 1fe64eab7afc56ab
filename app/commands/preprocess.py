"""`normascope preprocess`: how each series is prepared for a model, as a strip of pictures. Runs no network."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from rich.console import Console

from app.commands.saying import say, say_research_use, warn
from app.commands.strips import strip
from engine.errors import ImpossibleSpacing, NormascopeError, StorageUnavailable
from engine.imaging.discovery import open_study
from engine.imaging.series import Series
from engine.models.card import Preprocessing
from engine.models.shelf import find
from engine.preprocess import Steps, prepare

UNREADABLE = 3
"""Exit status when something is wrong with at least one file or series."""
VOLUME_SIZE = (32, 128, 128)

STEPS: dict[str, dict[str, str]] = {
    "carrier": {"carrier": "crop"},
    "negative": {"negative": "turn"},
    "markers": {"markers": "paint"},
    "part": {"part": "largest"},
    "left": {"part": "left"},
    "right": {"part": "right"},
    "joint": {"part": "joint"},
    "foreground": {"foreground": "segment"},
    "lungs-removed": {"lungs": "remove"},
    "lungs-only": {"lungs": "only"},
    "percentile": {"grey": "percentile"},
    "equalised": {"grey": "equalised"},
    "local": {"grey": "local"},
    "stretch": {"fit": "stretch"},
}
"""What `--steps` may name, and the switch it turns."""


def run_preprocess(paths: list[str], *, out: Path, model: str | None, steps: str | None, size: int) -> int:
    """One PNG a series in `out`; 0, or 3 when a file could not be prepared.

    Raises:
        NormascopeError: an unknown model or step, or `out` cannot be written.
    """
    films, volumes = Preprocessing(name="hand"), Preprocessing(name="head-ct")
    film_size: tuple[int, ...] = (size, size)
    volume_size: tuple[int, ...] = VOLUME_SIZE
    if model is not None:
        card = find(model).card
        films = volumes = card.preprocessing
        film_size = volume_size = card.input.size
    elif steps is not None:
        films = Preprocessing(name="chest", options={"fit": "pad", **options_of(steps)})
    console = Console(stderr=True)
    made, failures, not_measured = 0, 0, 0

    def report(error: NormascopeError) -> None:
        nonlocal failures, not_measured
        if isinstance(error, ImpossibleSpacing):
            not_measured += 1
        else:
            failures += 1
        warn(console, error)

    _make(out)
    for path in paths:
        for series in open_study(path, on_error=report):
            is_film = series.kind == "radiograph"
            try:
                _draw(series, films if is_film else volumes, film_size if is_film else volume_size, out, made)
                made += 1
            except StorageUnavailable:
                raise
            except NormascopeError as error:
                error.where = error.where or series.path
                report(error)
    apart = f", {not_measured} with an impossible spacing" if not_measured else ""
    say(console, f"{made} prepared, {failures} not{apart}; {out}")
    say_research_use(console)
    if not made and not failures:
        print("normascope: there is no image in what was named. Name a file or folder of images.", file=sys.stderr)
        return UNREADABLE
    return UNREADABLE if failures or not_measured else 0


def options_of(words: str) -> dict[str, str]:
    """The switches that "carrier,part,equalised" turns. Raises NormascopeError for a step that there is not."""
    options: dict[str, str] = {}
    for word in filter(None, (word.strip() for word in words.split(","))):
        if word not in STEPS:
            raise NormascopeError(f"no step is called {word!r}", cure=f"Choose among {', '.join(STEPS)}.")
        options |= STEPS[word]
    return options


def _draw(series: Series, preprocessing: Preprocessing, size: tuple[int, ...], out: Path, number: int) -> None:
    """Prepare one series and write its strip."""
    image = series.load_radiograph() if series.kind == "radiograph" else series.load_volume(workers=1)
    steps: Steps = []
    prepared = prepare(image, preprocessing, size, steps)
    stem = re.sub(r"[^\w.-]+", "_", Path(series.path).stem) or "series"
    picture = strip(prepared, steps, f"{Path(series.path).name}: prepared as {preprocessing.name}")
    try:
        picture.save(out / f"{number:04d}-{stem}.png")
    except OSError as error:
        raise _unwritable(out, error) from error


def _make(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(out, error) from error


def _unwritable(out: Path, error: OSError) -> StorageUnavailable:
    return StorageUnavailable(
        f"cannot write here ({error.strerror or error})", where=out, cure="Free some space, or choose another folder."
    )
