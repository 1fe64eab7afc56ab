"""`normascope bench`: a table in which a time reads as a time, and an AUROC or megabytes do not."""

from __future__ import annotations

from dataclasses import asdict

from app.commands.bench import _table
from tests.benchmarks.measurement import Measurement


def test_what_is_no_time_is_not_shown_as_one() -> None:
    seen = [
        Measurement("score", 0.25, "the plain network", 2.5, 10, "3 times faster", True),
        Measurement("rank", 0.6245, "the plain network", 0.6245, 0, "no change", True, "AUROC"),
        Measurement("learn", 75.0, "the plain network", 1797.6, 24, "5 times less", True, "MB"),
    ]
    table = _table([{"benchmark": "x", **asdict(measurement)} for measurement in seen])
    assert list(table.columns[1].cells) == ["250.00 ms", "0.6245 AUROC", "75 MB"]
    assert list(table.columns[3].cells) == ["2.50 s", "0.6245 AUROC", "1798 MB"]
