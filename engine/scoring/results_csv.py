"""results.csv: one row per series and score, or one row with the reason where a file or series has none. The columns are a contract.

Rows go to results.csv.partial as they come and become results.csv when the run is through: an interrupted run never replaces a whole one's table.
"""

from __future__ import annotations

import contextlib
import csv
from pathlib import Path
from types import TracebackType
from typing import TextIO

import numpy as np

from engine.errors import ImpossibleSpacing, NormascopeError, StorageUnavailable
from engine.scoring.result import SeriesResult

COLUMNS = (
    "path",
    "study_uid",
    "series_uid",
    "model",
    "score_name",
    "score",
    "percentile",
    "posterior",
    "flagged",
    "heatmap",
    "error",
)


class ResultsCsv:
    """Writes rows as they come, so that what is scored stays when the rest is interrupted. A context manager; leaving it well names the table.

    Args:
        folder: made when absent; holds results.csv and, per scored series, heatmaps/NAME.npy.

    Raises:
        StorageUnavailable: the folder cannot be written, or the disk is full.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.failed = 0
        self.not_measured = 0
        self.scored = 0
        try:
            (folder / "heatmaps").mkdir(parents=True, exist_ok=True)
            self._file: TextIO = (folder / "results.csv.partial").open("w", newline="", encoding="utf-8")
        except OSError as error:
            raise _unavailable(folder, error) from error
        self._rows = csv.DictWriter(self._file, COLUMNS)
        self._rows.writeheader()

    def __enter__(self) -> ResultsCsv:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._file.close()
            if error is None:
                (self.folder / "results.csv.partial").replace(self.folder / "results.csv")
        except OSError as problem:
            if error is None:  # else what is on its way says it already: a full disk fails once more on closing
                raise _unavailable(self.folder, problem) from problem

    @property
    def errors(self) -> int:
        """How many rows say what is wrong."""
        return self.failed + self.not_measured

    def add(self, result: SeriesResult) -> None:
        """One row a score, the primary one first; or one row with the reason."""
        series = result.series
        common = {
            "path": series.path,
            "study_uid": series.study_uid,
            "series_uid": series.series_uid,
            "model": result.bundle_id,
            "posterior": "" if result.posterior is None else f"{result.posterior:.6g}",
        }
        if result.error:
            self.failed += 1
            self._write({**common, "error": result.error})
            return
        self.scored += 1
        common["heatmap"] = self._save_heatmap(result)
        for name in sorted(result.scores, key=lambda name: (name != result.primary, name)):
            value = result.scores[name]
            self._write(
                {
                    **common,
                    "score_name": name,
                    "score": f"{value.score:.6g}",
                    "percentile": f"{value.percentile:.2f}",
                    "flagged": str(value.flagged).lower(),
                }
            )

    def add_error(self, error: NormascopeError, model: str = "") -> None:
        """A row for a file that never became a series, or for a film whose scores follow: it only cannot be measured."""
        if isinstance(error, ImpossibleSpacing):
            self.not_measured += 1
        else:
            self.failed += 1
        self._write({"path": error.where or "", "model": model, "error": str(error)})

    def _save_heatmap(self, result: SeriesResult) -> str:
        """The heatmap's path relative to the folder; "" when the method has none."""
        if result.heatmap is None:
            return ""
        name = f"heatmaps/{self.scored:05d}_{result.bundle_id}.npy"
        try:
            np.save(self.folder / name, result.heatmap, allow_pickle=False)
        except OSError as error:
            with contextlib.suppress(OSError):
                (self.folder / name).unlink()
            raise _unavailable(self.folder, error) from error
        return name

    def _write(self, row: dict[str, str]) -> None:
        try:
            self._rows.writerow(row)
            self._file.flush()
        except OSError as error:
            raise _unavailable(self.folder, error) from error


def _unavailable(folder: Path, error: OSError) -> StorageUnavailable:
    return StorageUnavailable(
        # an array that is cut short by a full disk is an error without a number, and counts bytes in its words
        f"cannot write here ({error.strerror or 'the disk is full'})",
        where=folder,
        cure="Free some space, or choose a folder that you may write to.",
    )
