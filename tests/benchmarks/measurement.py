"""What a benchmark reports: our time beside a peer's in the same run. A benchmark never fails a build: it says what was seen."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Measurement:
    """One comparison.

    Attributes:
        work: what was done, in words.
        ours_seconds, peer_seconds: the medians of alternating runs, or other like quantities, in `unit`.
        peer: what it is measured beside.
        ratio: as `target` states it, e.g. peer/ours for "2x faster", ours/peer for "within 1.3x".
        target: the bar, in words.  met: whether this run met it.
        unit: of the two quantities.
    """

    work: str
    ours_seconds: float
    peer: str
    peer_seconds: float
    ratio: float
    target: str
    met: bool
    unit: str = "seconds"


def installed_environment(compiled: Path) -> dict[str, str]:
    """For processes whose start is timed: ours, with modules kept compiled in a folder, as an installed program's are. The first start fills it.

    Where a shell forbids Python to write them (PYTHONDONTWRITEBYTECODE), each start would compile our modules anew, but not the libraries'.
    """
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(compiled), "PYTHONPATH": str(Path(__file__).parents[2])}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return environment
