"""The CT windows that have a key, read from resources/window_presets.json. A site edits that file, not this one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from engine.imaging.series import Series
from engine.imaging.windowing import Window

_REGIONS = (
    ("Brain", ("HEAD", "BRAIN", "SKULL", "NEURO")),
    ("Lung", ("CHEST", "LUNG", "THORAX")),
    ("Bone", ("SPINE", "EXTREMITY", "KNEE", "HAND", "WRIST", "ANKLE", "FOOT", "HIP")),
)


@dataclass(frozen=True)
class WindowPreset:
    """A window in HU with the key that sets it."""

    name: str
    center: float
    width: float
    key: str

    @property
    def window(self) -> Window:
        """The same as a `Window`."""
        return Window(self.center, self.width)


@cache
def window_presets() -> tuple[WindowPreset, ...]:
    """The presets in the file's order."""
    text = files("resources").joinpath("window_presets.json").read_text(encoding="utf-8")
    return tuple(WindowPreset(**entry) for entry in json.loads(text))


def preset_named(window: Window) -> str:
    """The name of the preset that `window` equals, or ""."""
    for preset in window_presets():
        if window.lut is None and (window.center, window.width) == (preset.center, preset.width):
            return preset.name
    return ""


def starting_window(series: Series) -> Window:
    """The window a CT opens with: what its body part or description names, or the abdomen's, which shows soft tissue anywhere."""
    said = f"{series.body_part} {series.description} {series.study_description}".upper()
    wanted = next((name for name, words in _REGIONS if any(word in said for word in words)), "Abdomen")
    presets = window_presets()
    return next((preset.window for preset in presets if preset.name == wanted), presets[0].window)
