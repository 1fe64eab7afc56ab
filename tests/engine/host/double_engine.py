"""A host whose model is a few lines of arithmetic: run as a script, it is the real process with the real store, lock, queue and pipes.

What a series does to it is in its description: "crash" kills the process as a broken decoder would, "hang" never ends, "fault" raises out of
the scorer, "busy" fails in a way that may pass, "unreadable" in a way that does not, "memory" runs out of memory unless scored alone.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from engine.errors import BundleRejected
from engine.host.__main__ import main
from engine.imaging.series import Series
from engine.scoring.result import ScoreValue, SeriesResult

SECONDS_A_SERIES = float(os.environ.get("DOUBLE_SECONDS", "0.01"))


class DoubleModel:
    """Scores an image by its mean grey."""

    title = "Mean grey"
    bundle_id = "double"

    def __init__(self, path: str, device: str, batch: int) -> None:
        if "rejected" in path:
            raise BundleRejected("the file is truncated", where=path, cure="Fetch the model again.")
        if "huge" in path and device != "cpu":
            raise MemoryError
        self.device = "cpu"
        self.batch = 4
        self.hash = Path(path).stem

    def why_not(self, series: Series, *, named: bool) -> str:
        return "" if named or series.format == "dicom" else "the file has no DICOM tags; name the model to score it"

    def score(self, series: Iterable[Series], *, cancelled: Callable[[], bool]) -> Iterator[SeriesResult]:
        upcoming = iter(series)
        while not cancelled() and (group := list(islice(upcoming, self.batch))):
            if len(group) > 1 and any(item.description == "memory" for item in group):
                raise MemoryError
            for item in group:
                time.sleep(SECONDS_A_SERIES)
                yield self._one(item)

    def _one(self, series: Series) -> SeriesResult:
        def failed(error: str, kind: str) -> SeriesResult:
            return SeriesResult(series, self.bundle_id, self.hash, error=error, error_kind=kind)

        match series.description:
            case "crash":
                os.kill(os.getpid(), signal.SIGSEGV)
            case "hang":
                time.sleep(3600)
            case "fault":
                raise ZeroDivisionError("division by zero")
            case "busy":
                return failed("the network folder does not answer", "Unexpected")
            case "unreadable":
                return failed(f"{series.path}: truncated. Fetch it again.", "UnreadableImage")
        print("a library that prints")  # must not end up among the events
        pixels = np.asarray(Image.open(series.sources[0]).convert("L"), np.float32)
        mean = float(pixels.mean())
        scores = {"grey": ScoreValue(mean, mean / 2.55, mean > 240)}
        heatmap = (pixels / 255).astype(np.float16)
        return SeriesResult(series, self.bundle_id, self.hash, scores, "grey", None, heatmap, pixels / 255)


if __name__ == "__main__":
    sys.exit(main(open_model=DoubleModel))
