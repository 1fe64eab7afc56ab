"""Scrolling a CT with its heatmap on: frames really painted in a window, beside two bare pyqtgraph ImageItems with the same data."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.imaging.series import Series
from engine.imaging.volume import Volume, VolumeGeometry
from tests.benchmarks.measurement import Measurement

NAME = "scroll"
TARGET = "median within 1.3 x a bare pyqtgraph ImageItem pair, 99th percentile under 16 ms"
SLICES, SIDE = 300, 512
WINDOW = (1000, 900)
BLOCK = 60
MOST_RATIO, MOST_SECONDS = 1.3, 0.016

if not os.environ.get("DISPLAY"):
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


@dataclass(frozen=True)
class MadeSeries(Series):
    """A series whose volume is made, not read: the benchmark is of drawing."""

    def load_volume(self, **how: object) -> Volume:  # type: ignore[override]
        """A noisy cylinder of soft tissue with bone, in air."""
        return made_volume()


def made_volume() -> Volume:
    """[300, 512, 512] int16 HU."""
    row, column = np.indices((SIDE, SIDE)).astype(np.float32) - SIDE / 2
    distance = np.hypot(row * 1.2, column)
    plain = np.where(distance < 190, 40, np.where(distance < 210, 900, -1000)).astype(np.float32)
    random = np.random.default_rng(7)
    noise = random.normal(0, 18, (8, SIDE, SIDE)).astype(np.float32)
    voxels = np.empty((SLICES, SIDE, SIDE), np.int16)
    for index in range(SLICES):
        voxels[index] = plain + noise[index % 8] + index * 0.1
    positions = np.stack([np.zeros(SLICES), np.zeros(SLICES), np.arange(SLICES) * 1.0], axis=1)
    geometry = VolumeGeometry(positions, np.array([1.0, 0, 0]), np.array([0, 1.0, 0]), (0.7, 0.7))
    return Volume(voxels, geometry, np.ones(SLICES, np.bool_))


def made_heatmap() -> npt.NDArray[np.float16]:
    """[300, 512, 512] float16 cohort units: a spot that moves through the volume over a low background."""
    row, column = np.indices((SIDE, SIDE)).astype(np.float32)
    heatmap = np.empty((SLICES, SIDE, SIDE), np.float16)
    for index in range(SLICES):
        spot = np.hypot(row - 200 - index / 4, column - 300)
        heatmap[index] = 0.4 + 3 * np.exp(-((spot / 60) ** 2))
    return heatmap


def run() -> list[Measurement]:
    """One measurement: seconds a frame, ours and the peer's in alternating blocks; the 99th percentile is in the words."""
    from PySide6.QtWidgets import QApplication

    application = QApplication.instance() or QApplication([])
    assert isinstance(application, QApplication)
    heatmap = made_heatmap()
    ours, peer = _viewer(application, heatmap), _image_items(heatmap)
    seconds: dict[str, list[float]] = {"ours": [], "peer": []}
    for block in range(2 * SLICES // BLOCK):
        for name, (widget, step) in (("ours", ours), ("peer", peer)):
            widget.show()
            application.processEvents()
            for frame in range(BLOCK):
                seconds[name].append(_timed(application, step, (block * BLOCK + frame) % SLICES))
            widget.hide()
            application.processEvents()
    for widget, _ in (ours, peer):
        widget.close()
    mine, theirs = float(np.median(seconds["ours"])), float(np.median(seconds["peer"]))
    slow, their_slow = (float(np.percentile(seconds[name], 99)) for name in ("ours", "peer"))
    work = (
        f"scroll {SIDE} x {SIDE} x {SLICES} with overlay in a {WINDOW[0]} x {WINDOW[1]} window "
        f"(99th percentile {slow * 1e3:.1f} ms, peer {their_slow * 1e3:.1f} ms)"
    )
    met = mine / theirs <= MOST_RATIO and slow < MOST_SECONDS
    return [
        Measurement(
            work,
            mine,
            "bare pyqtgraph ImageItem pair",
            theirs,
            mine / theirs,
            "at most 1.3 x, 99th percentile under 16 ms",
            met,
        )
    ]


def _timed(application: object, step: Callable[[int], None], index: int) -> float:
    """From asking for a slice until every paint that it causes is done and sent to the screen."""
    start = time.perf_counter()
    step(index)
    application.processEvents()  # type: ignore[attr-defined]
    return time.perf_counter() - start


def _viewer(application: object, heatmap: npt.NDArray[np.float16]) -> tuple[object, Callable[[int], None]]:
    """The real viewer with its controls, at the slices' own keys' code path."""
    from app.appearance import apply_appearance
    from app.viewer.viewer import Viewer

    apply_appearance(application)  # type: ignore[arg-type]
    viewer = Viewer()
    viewer.resize(*WINDOW)
    viewer.show()
    series = MadeSeries(
        "bench", "1", "1.1", "volume", "dicom", ("made",), modality="CT", body_part="HEAD", frames=SLICES
    )
    viewer.show_series(series)
    viewer.set_result(series.key, heatmap, None)
    deadline = time.monotonic() + 60
    while not viewer.result_is_ready() and time.monotonic() < deadline:
        application.processEvents()  # type: ignore[attr-defined]
        time.sleep(0.005)
    viewer.set_overlay(viewer.view.with_overlay(on=True).overlay)
    viewer.hide()
    return viewer, viewer.go_to_slice


def _image_items(heatmap: npt.NDArray[np.float16]) -> tuple[object, Callable[[int], None]]:
    """What a few lines of pyqtgraph give: grey and a coloured overlay that was quantised beforehand, no text, no controls."""
    import pyqtgraph

    from app.state.viewing import Overlay
    from app.viewer import colour_maps

    voxels = made_volume().voxels
    levels = np.rint(np.clip(heatmap.astype(np.float32), 0, 3) * 85).astype(np.uint8)
    colours = np.empty((256, 4), np.uint8)
    colours[:, :3] = colour_maps.colours("inferno")
    colours[:, 3] = colour_maps.opacities(Overlay()) * 255
    widget = pyqtgraph.GraphicsView()
    widget.resize(*WINDOW)
    box = pyqtgraph.ViewBox(lockAspect=True, invertY=True)
    widget.setCentralItem(box)
    grey = pyqtgraph.ImageItem(voxels[0], levels=(0, 80), axisOrder="row-major")
    over = pyqtgraph.ImageItem(levels[0], levels=(0, 255), lut=colours, axisOrder="row-major")
    box.addItem(grey)
    box.addItem(over)

    def step(index: int) -> None:
        grey.setImage(voxels[index], autoLevels=False)
        over.setImage(levels[index], autoLevels=False)

    return widget, step
