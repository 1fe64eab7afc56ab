"""A strip shows what was done: a pane for the original, each step, the model's view and the way back, in colour where it did not look."""

from __future__ import annotations

import numpy as np

from app.commands.preprocess import STEPS, options_of
from app.commands.strips import MARGIN, PANE, strip
from engine.imaging.radiograph import Radiograph
from engine.imaging.volume import Volume, VolumeGeometry
from engine.imaging.windowing import Window
from engine.models.card import Preprocessing
from engine.preprocess import PlanarOptions, Steps, prepare


def test_what_the_model_does_not_see_is_red_on_the_way_back() -> None:
    rows, columns = np.mgrid[:120, :90]
    arm = 0.12 + 0.6 * np.clip(1 - ((columns - 45) / (15 + rows / 20)) ** 2, 0, None) ** 0.5
    film = Radiograph((arm * 4000).astype(np.uint16), None, Window(2000, 4000))
    steps: Steps = []
    prepared = prepare(film, Preprocessing(name="chest", options={"foreground": "segment"}), (64, 64), steps)
    sheet = np.asarray(strip(prepared, steps, "arm"), int)
    panes = len(steps) + 2
    assert sheet.shape[1] == panes * (PANE + MARGIN) + MARGIN
    last = sheet[52:332, MARGIN + (panes - 1) * (PANE + MARGIN) :]
    red = (last[..., 0] - last[..., 1]) > 40
    assert red[140, 8] and not red[140, 105]
    assert not ((sheet[52:332, : PANE + MARGIN, 0] - sheet[52:332, : PANE + MARGIN, 1]) > 40).any(), "the original"


def test_a_volume_is_shown_as_a_square_of_slices() -> None:
    side, slices = 60, 24
    z, y, x = np.mgrid[:slices, :side, :side]
    radius = np.sqrt(((z - 12) * 7) ** 2 + ((y - 30) * 3.5) ** 2 + ((x - 30) * 3.5) ** 2)
    voxels = np.where(radius < 85, np.where(radius < 76, 35, 900), -1000).astype(np.int16)
    origins = np.stack([np.full(slices, -105.0), np.full(slices, -105.0), np.arange(slices) * 7.0], 1)
    geometry = VolumeGeometry(origins, np.array([1.0, 0, 0]), np.array([0, 1.0, 0]), (3.5, 3.5))
    steps: Steps = []
    volume = Volume(voxels, geometry, np.ones(slices, bool))
    prepared = prepare(volume, Preprocessing(name="head-ct"), (16, 32, 32), steps)
    sheet = strip(prepared, steps, "head")
    assert sheet.width == 4 * (2 * PANE + MARGIN) + MARGIN
    assert sheet.height > 2 * PANE


def test_every_word_that_the_command_takes_turns_a_switch_that_there_is() -> None:
    for word in STEPS:
        PlanarOptions.model_validate(options_of(word))
    assert options_of("carrier, equalised") == {"carrier": "crop", "grey": "equalised"}
