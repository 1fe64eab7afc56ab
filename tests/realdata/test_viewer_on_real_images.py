"""The viewer on real radiographs and CT: right way up, true to scale, and with pixels where the image is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtGui import QImage
from pytestqt.qtbot import QtBot

from app.viewer.orientation import edges
from app.viewer.viewer import Viewer
from engine.imaging.discovery import open_study

pytestmark = pytest.mark.realdata


def open_whole(qtbot: QtBot, path: Path) -> Viewer:
    viewer = Viewer()
    qtbot.addWidget(viewer)
    viewer.resize(800, 700)
    viewer.show()
    qtbot.waitExposed(viewer)
    loaded: list[float] = []
    viewer.loading.connect(loaded.append)
    with qtbot.waitSignal(viewer.shown, timeout=30_000):
        viewer.show_series(next(iter(open_study(path))))
    qtbot.waitUntil(lambda: 1.0 in loaded, timeout=60_000)
    return viewer


def greys(image: QImage) -> np.ndarray:
    grey = image.convertToFormat(QImage.Format.Format_Grayscale8)
    rows = np.frombuffer(grey.constBits(), np.uint8).reshape(grey.height(), grey.bytesPerLine())
    return rows[:, : grey.width()].copy()  # the image owns the bytes, and goes when this returns


def test_a_chest_film_fills_the_canvas_with_its_greys(qtbot: QtBot, shared_data: Path) -> None:
    film = sorted((shared_data / "chest_adult").rglob("*.png"))[0]
    viewer = open_whole(qtbot, film)
    middle = greys(viewer.grab_image())[200:500, 250:550]
    assert middle.std() > 15
    assert len(np.unique(middle)) > 100


def test_a_head_ct_stands_upright_with_its_uneven_positions(qtbot: QtBot, shared_data: Path) -> None:
    viewer = open_whole(qtbot, shared_data / "ct" / "head_ge_tilted")
    picture = viewer._scene.picture
    assert picture is not None and picture.positions is not None
    at = edges(picture.directions, viewer.view.turn)
    assert (at.left, at.right, at.top, at.bottom) == ("R", "L", "A", "P")
    gaps = np.diff(picture.positions)
    assert gaps.min() > 0.9 and gaps.max() < 7.5
    assert viewer.view.window.width == 80  # opens as a brain
    middle = greys(viewer.grab_image())[200:500, 250:550]
    assert 40 < np.median(middle) < 200


def test_a_heatmap_falls_on_the_side_of_the_patient_it_was_made_for(qtbot: QtBot, shared_data: Path) -> None:
    """A spot at the patient's right (low columns) stays there on screen, and moves with the image when that is flipped."""
    viewer = open_whole(qtbot, shared_data / "ct" / "head_ge_tilted")
    assert viewer.series is not None and viewer._scene.picture is not None
    heatmap = np.zeros(viewer._scene.picture.shape, np.float16)
    heatmap[:, 200:300, 130:200] = 2
    viewer.set_result(viewer.series.key, heatmap, None)
    qtbot.waitUntil(viewer.result_is_ready, timeout=30_000)
    viewer.action("overlay").trigger()

    def coloured_columns() -> float:
        image = viewer.grab_image().convertToFormat(QImage.Format.Format_RGB888)
        pixels = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
        rgb = pixels[200:400, : image.width() * 3].reshape(200, image.width(), 3).astype(int)
        hot = (rgb.max(axis=2) - rgb.min(axis=2)) > 60
        hot[:, -60:] = False  # the colour bar
        return float(np.flatnonzero(hot.any(axis=0)).mean()) / image.width()

    assert coloured_columns() < 0.5
    viewer.action("flip-horizontally").trigger()
    assert coloured_columns() > 0.5


@pytest.mark.slow
def test_a_chest_ct_shows_its_middle_slice_before_the_rest_is_read(qtbot: QtBot, shared_data: Path) -> None:
    viewer = Viewer()
    qtbot.addWidget(viewer)
    viewer.resize(800, 700)
    viewer.show()
    fractions: list[float] = []
    viewer.loading.connect(fractions.append)
    with qtbot.waitSignal(viewer.shown, timeout=30_000):
        viewer.show_series(next(iter(open_study(shared_data / "ct" / "chest_lidc_0314"))))
    assert fractions[-1] < 0.5
    assert viewer.view.slice_index == viewer.view.slice_count // 2
    qtbot.waitUntil(lambda: 1.0 in fractions, timeout=60_000)
