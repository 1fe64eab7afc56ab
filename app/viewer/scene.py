"""What the panes draw: the picture, its result and the view, composed slice by slice. Changed by the viewer only; panes only read it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from app.state.viewing import Overlay, View
from app.viewer import colour_maps
from app.viewer.composition import (
    Colours,
    blended_colours,
    compose,
    grey_colours,
    grey_table,
    look_up,
    turned,
    windowed_levels,
)
from app.viewer.picture import Picture
from app.viewer.placement import Box, Placement
from app.viewer.result_layers import Layer, ResultLayers
from engine.errors import NormascopeError
from engine.imaging.windowing import Window


class Role(StrEnum):
    """What a pane shows."""

    ORIGINAL = "original"
    OVERLAY = "overlay"
    RECONSTRUCTION = "reconstruction"
    ERROR = "error"


WHITE_DIFFERENCE = 0.5
"""The difference that is drawn white in the window that a series opens with: half the step from black to white."""

SHOWS_PATIENT = (Role.ORIGINAL, Role.OVERLAY)
"""Panes whose grey is the patient's own image."""


@dataclass(frozen=True)
class Notice:
    """Words in place of the image: a heading, what it is about, and what can be done. `fraction` draws progress."""

    heading: str
    detail: str = ""
    cure: str = ""
    is_error: bool = False
    fraction: float | None = None

    @classmethod
    def of(cls, error: NormascopeError) -> Notice:
        """What went wrong, with where on a line of its own, and the cure."""
        what = error.what[:1].upper() + error.what[1:].rstrip(".") + "."
        detail = f"{what}\n{error.where}" if error.where else what
        return cls("This image cannot be shown", detail, error.cure, is_error=True)


@dataclass(frozen=True, eq=False)
class Frame:
    """Colours [rows, columns] ready to be scaled into `box` (pixels of the pane)."""

    colours: Colours
    box: Box


class Scene:
    """The one thing all panes of a viewer look at."""

    def __init__(self) -> None:
        self.view = View()
        self.picture: Picture | None = None
        self.result: ResultLayers | None = None
        self.notice = Notice("No study is open", cure="Choose one in the worklist, or drop a folder or file here.")
        self.cursor: tuple[float, float] | None = None
        self.overlay_has_its_pane = False
        self._greys: tuple[npt.NDArray[np.float32], Window, bool, npt.NDArray[np.uint16]] | None = None

    def has_heatmap(self) -> bool:
        """A heatmap of the series on screen is there."""
        return self.result is not None and self.result.heatmap is not None

    def heatmap_is_drawn(self, role: Role = Role.ORIGINAL) -> bool:
        """The pane's image is not bare: the overlay is on, in this pane, and the slice's heatmap is ready."""
        here = Role.OVERLAY if self.overlay_has_its_pane else Role.ORIGINAL
        return role is here and self.view.overlay.on and self._ready(self.heatmap)

    @property
    def heatmap(self) -> Layer | None:
        """The heatmap of the series on screen."""
        return None if self.result is None else self.result.heatmap

    def layer_of(self, role: Role) -> Layer | None:
        """The layer of the result that a pane shows; the bare original has none."""
        if self.result is None or role is Role.ORIGINAL:
            return None
        layers = {Role.RECONSTRUCTION: self.result.reconstruction, Role.ERROR: self.result.difference}
        return layers.get(role, self.result.heatmap)

    @property
    def difference_top(self) -> float:
        """The difference that is drawn white, as a share of the step from black to white: it follows the width of the window."""
        opening = self.picture.window if self.picture is not None else self.view.window
        return float(np.clip(WHITE_DIFFERENCE * _width(self.view.window) / _width(opening), 0.02, 1))

    def missing(self, role: Role) -> str:
        """Why the pane cannot draw the current slice, in words; "" when it can."""
        picture, index = self.picture, self.view.slice_index
        if picture is None:
            return self.notice.heading
        if role in SHOWS_PATIENT and not picture.loaded[index]:
            unreadable = index in picture.unreadable
            state = "cannot be read. Copy or send the series again." if unreadable else "is still loading"
            return f"Slice {index + 1} {state}"
        if role is Role.ORIGINAL:
            return ""
        # "makes no error" would praise the model
        what = {Role.RECONSTRUCTION: "normal version", Role.OVERLAY: "heatmap", Role.ERROR: "error picture"}[role]
        if self.layer_of(role) is None:
            if role is Role.ERROR and self.layer_of(Role.RECONSTRUCTION) is not None:
                return "No error is stored with this result: score it again (Ctrl+R)"
            return f"No {what} for this series" if self.result is None else f"This model makes no {what}"
        if role is Role.OVERLAY and not self.view.overlay.on:
            return "The heatmap is off (Space)"
        return "" if self._ready(self.layer_of(role)) else f"The {what} is still loading"

    def frame(self, role: Role, placement: Placement, width: float, height: float, ratio: float) -> Frame | None:
        """Compose what is visible of the current slice, at the scale that suits the screen. None when nothing is in sight."""
        picture = self.picture
        if picture is None:
            return None
        scales = picture.scales if role in SHOWS_PATIENT else self._scales_of(role)
        level = scale_for(placement.zoom * ratio, len(scales))
        step = 1 << level
        seen = placement.box_to_pixel((0, 0, width, height))
        rows, columns = scales[level].shape[1:]
        left, right = max(int(seen[0] // step) - 2, 0), min(int(seen[2] // step) + 3, columns)
        top, bottom = max(int(seen[1] // step) - 2, 0), min(int(seen[3] // step) + 3, rows)
        if left >= right or top >= bottom:
            return None
        part = (slice(top, bottom), slice(left, right))
        box = placement.box_to_screen((left * step, top * step, right * step, bottom * step))
        return Frame(self._colours(role, level, part), box)

    def _scales_of(self, role: Role) -> tuple[npt.NDArray[np.uint8], ...]:
        layer = self.layer_of(role)
        assert layer is not None  # the pane asks `missing` first
        return layer.scales

    def _colours(self, role: Role, level: int, part: tuple[slice, slice]) -> Colours:
        picture, view = self.picture, self.view
        assert picture is not None
        index, turn = view.slice_index, (view.turn.quarters, view.turn.mirrored)

        def cut(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
            return turned(array[part], *turn)

        if role is Role.RECONSTRUCTION:
            greys = windowed_levels(picture.window, view.window, negative=picture.turned_over)
            return look_up(grey_colours(turned_over=view.inverted), greys[cut(self._scales_of(role)[level][index])])
        if role is Role.ERROR:
            greys = np.clip(np.arange(256) / self.difference_top, 0, 255).astype(np.uint8)
            return look_up(grey_colours(), greys[cut(self._scales_of(role)[level][index])])
        drawn = self.heatmap_is_drawn(role)
        levels = cut(self.heatmap.scales[level][index]) if drawn and self.heatmap is not None else None
        valid = cut(picture.valid[level]) if picture.valid is not None else None
        palette = _overlay_colours(view.overlay) if drawn else _plain_greys()
        return compose(cut(picture.scales[level][index]), self._grey_table(), palette, levels, valid)

    def _grey_table(self) -> npt.NDArray[np.uint16]:
        """Kept until the window changes: scrolling uses it over and over."""
        assert self.picture is not None
        turned_over = self.view.inverted != self.picture.turned_over
        values, window, kept = self.picture.values, self.view.window, self._greys
        if kept is None or kept[0] is not values or kept[1] != window or kept[2] != turned_over:
            kept = (values, window, turned_over, grey_table(values, window, turned_over=turned_over))
            self._greys = kept
        return kept[3]

    def _ready(self, layer: Layer | None) -> bool:
        return layer is not None and bool(layer.ready[self.view.slice_index])


def scale_for(zoom: float, scales: int) -> int:
    """The coarsest scale whose pixels are no larger than a screen pixel."""
    level = 0
    while level + 1 < scales and zoom * (2 << level) <= 1:
        level += 1
    return level


def _width(window: Window) -> float:
    low, high = window.limits
    return max(high - low, 1e-6)


@lru_cache(maxsize=8)
def _overlay_colours(overlay: Overlay) -> Colours:
    return blended_colours(colour_maps.colours(overlay.colour_map), colour_maps.opacities(overlay))


@lru_cache(maxsize=1)
def _plain_greys() -> Colours:
    return grey_colours()
