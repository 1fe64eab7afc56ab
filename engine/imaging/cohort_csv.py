"""A cohort as a CSV: `path`, and optionally `patient_id`, `label` and what `stated` reads. Reads the table; opens none of the files it names."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from engine.errors import CohortRejected
from engine.imaging import sources

LABELS = ("normal", "abnormal")


@dataclass(frozen=True)
class CohortRow:
    """One line: where the image is (absolute, or relative made so by the CSV's folder), whose it is, and what is known of it.

    `others` are the line's further cells that are not empty, by column name in lower case; `called` is the cell `label` as it was written.
    """

    path: str
    patient_id: str
    label: str
    others: Mapping[str, str] = field(default_factory=dict)
    called: str = ""


def read_cohort_csv(path: str | Path) -> list[CohortRow]:
    """The rows with a path, in order. A label that is neither "normal" nor "abnormal" (uncertain, say) is "".

    Raises:
        CohortRejected: no column `path`, no rows, or not a text table.
        UnreadableImage: the file is missing or may not be read.
    """
    try:
        reader = read_table(path)
        names = {(name or "").strip().lower(): name for name in reader.fieldnames or ()}
        if "path" not in names:
            raise CohortRejected(
                "the table has no column `path`",
                where=path,
                cure="Name the column with the files `path` in its first line",
            )
        lines = list(reader)
    except csv.Error as problem:
        raise CohortRejected(
            f"the table cannot be read ({problem})", where=path, cure="Save it as CSV (comma separated, UTF-8)"
        ) from problem
    rows = [_row(Path(path).parent, line, names) for line in lines if (line.get(names["path"]) or "").strip()]
    if not rows:
        raise CohortRejected("the table names no file", where=path, cure="Write one image a line in the column `path`")
    return rows


def read_table(path: str | Path) -> csv.DictReader[str]:
    """The lines of a table of text, whatever it is separated by: UTF-8, UTF-16 where a mark at its beginning says so (Excel's "Unicode text"), or Latin-1.

    Raises:
        CohortRejected: it is no text.
        UnreadableImage: the file is missing or may not be read.
    """
    data = sources.read_bytes(path)
    marked = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = data.decode("utf-16" if marked else "utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    if "\x00" in text:
        raise CohortRejected("this is not a text table", where=path, cure="Save it as CSV (comma separated, UTF-8)")
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    return csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)


def _row(folder: Path, line: dict[str, str], names: dict[str, str]) -> CohortRow:
    def cell(column: str) -> str:
        return (line.get(names.get(column, "")) or "").strip() if column in names else ""

    named = cell("path")
    place = folder / named
    if "\\" in named and not place.exists():  # written on Windows
        place = folder / named.replace("\\", "/")
    label = cell("label").lower()
    others = {column: cell(column) for column in names if column not in ("path", "patient_id", "label", "")}
    others = {column: value for column, value in others.items() if value}
    return CohortRow(str(place), cell("patient_id"), label if label in LABELS else "", others, cell("label"))
