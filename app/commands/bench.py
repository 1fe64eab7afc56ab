"""`normascope bench`: the project's own benchmarks, from a checkout. Prints what was seen; never judges a build."""

from __future__ import annotations

import importlib.util
import json
import sys
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

from rich.console import Console
from rich.table import Table

import app
from app.commands.saying import warn
from engine.errors import NormascopeError, UnreadableImage


def run_bench(names: list[str], *, as_json: bool) -> int:
    """Run the named benchmarks (all when empty); 0, or 2 when one could not run."""
    console = Console(stderr=True)
    found = {path.stem: path for path in _folder().glob("*.py") if "def run(" in path.read_text(encoding="utf-8")}
    unknown = sorted(set(names) - set(found))
    if unknown:
        print(
            f"normascope: no benchmark is called {unknown[0]}. There are: {', '.join(sorted(found))}.", file=sys.stderr
        )
        return 2
    rows: list[dict[str, Any]] = []
    failed = False
    for name in names or sorted(found):
        console.print(f"running {name} ...", highlight=False)
        try:
            rows += [{"benchmark": name, **asdict(measurement)} for measurement in _module(found[name]).run()]
        except (NormascopeError, ImportError, OSError, RuntimeError) as error:
            failed = True
            warn(console, f"{name} could not run: {error}")
    if as_json:
        print(json.dumps(rows, indent=2))
    else:
        Console().print(_table(rows))
    return 2 if failed else 0


def _folder() -> Path:
    folder = Path(app.__file__).parents[1] / "tests" / "benchmarks"
    if not folder.is_dir():
        raise UnreadableImage(
            "the benchmarks are not part of the installed package",
            where=folder,
            cure="Run this from a checkout of the project.",
        )
    return folder


def _module(path: Path) -> ModuleType:
    """A benchmark by file, so that tests need not be an installed package."""
    root = str(path.parents[2])
    if root not in sys.path:
        sys.path.insert(0, root)
    spec = importlib.util.spec_from_file_location(f"tests.benchmarks.{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table(title="Benchmarks, each beside its peer in this run", title_justify="left")
    for heading in ("work", "ours", "peer", "its", "ratio", "target", "met"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(
            row["work"],
            _quantity(row["ours_seconds"], row["unit"]),
            row["peer"],
            _quantity(row["peer_seconds"], row["unit"]),
            f"{row['ratio']:.2f}",
            row["target"],
            "yes" if row["met"] else "[bold red]no[/]",
        )
    return table


def _quantity(value: float, unit: str) -> str:
    if unit != "seconds":
        return f"{value:.4g} {unit}"
    return f"{value * 1000:.2f} ms" if value < 1 else f"{value:.2f} s"
