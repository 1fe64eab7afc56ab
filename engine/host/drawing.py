"""The process that draws a model's fictional images for the window: `python -m engine.host.drawing BUNDLE [--device auto|cpu|cuda]`.

It keeps the model warm and answers one command after another until standard input closes. It opens no store and scores nothing.

**Commands**, one JSON object a line: `{"command": "draw", "count": 24, "temperature": 0.7, "seed": 0, "out": FILE}`.

**Events**, likewise, each with `event` and `time`:

| event | further fields | when |
|---|---|---|
| `progress` | `done`, `of` (images) | an image is drawn |
| `drawn` | `out` | `out` holds them: uint8 [count, rows, columns] as .npy, a volume by its middle slice |
| `failed` | `kind`, `where`, `what`, `cure` | they cannot be drawn, in words; the next command is awaited |
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import NormascopeError, StorageUnavailable
from engine.host.events import Events
from engine.models.bundle import Bundle
from engine.models.fictional_images import fictional_images, load_sampler, middle_slices
from engine.models.sampling import Sampler


class Drawer:
    """One model, loaded at the first command, and its answers."""

    def __init__(self, path: Path, device: str, events: Events) -> None:
        self._path, self._device, self._events = path, device, events
        self._loaded: tuple[Bundle, Sampler] | None = None

    def obey(self, command: dict[str, Any]) -> None:
        """Draw what is asked for and say so, or why not."""
        try:
            self._draw(int(command["count"]), float(command["temperature"]), int(command["seed"]), Path(command["out"]))
        except NormascopeError as error:
            self._events.emit("failed", kind=error.kind, where=error.where or "", what=error.what, cure=error.cure)
        else:
            self._events.emit("drawn", out=command["out"])

    def _draw(self, count: int, temperature: float, seed: int, out: Path) -> None:
        bundle, network = self._loaded = self._loaded or load_sampler(self._path, self._device)
        images = fictional_images(
            bundle,
            network,
            count=count,
            temperature=temperature,
            seed=seed,
            on_image=lambda done: self._events.emit("progress", done=done, of=count),
        )
        try:
            np.save(out, np.rint(255 * middle_slices(images)).astype(np.uint8))
        except OSError as error:
            raise StorageUnavailable(
                f"the images cannot be written ({error.strerror or error})", where=out, cure="Free some space."
            ) from error


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw until standard input closes; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m engine.host.drawing", description="Draw a model's images.")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # the window's own end is no fault of this process
    drawer = Drawer(options.bundle, options.device, Events.on_standard_output())
    for line in sys.stdin:
        drawer.obey(json.loads(line))
    return 0


if __name__ == "__main__":
    sys.exit(main())
