"""What a benchmark reports: our time beside a peer's in the same run. A benchmark never fails a build: it says what was seen."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Measurement:
    """One comparison.

    Attributes:
        work: what was done, in words.
        ours_seconds, peer_seconds: the medians of alternating runs (or other like quantities, named in `work`).
        peer: what it is measured beside.
        ratio: as `target` states it, e.g. peer/ours for "2x faster", ours/peer for "within 1.3x".
        target: the bar, in words.  met: whether this run met it.
    """

    work: str
    ours_seconds: float
    peer: str
    peer_seconds: float
    ratio: float
    target: str
    met: bool
