"""What each command makes of the view: one entry a command, from a view to the next. Draws nothing and keeps nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from app.state.viewing import Layout, Turn, View
from app.viewer.colour_maps import SCALE_TOP
from app.viewer.commands import PRESET
from app.viewer.picture import Picture
from app.viewer.placement import place, zoomed_about
from app.viewer.window_presets import window_presets

PAGE = 10
OPACITY_STEP, THRESHOLD_STEP = 0.1, 0.25
Pane = tuple[float, float]
"""Width and height of a pane's image area in screen pixels."""


def after(name: str, view: View, picture: Picture, pane: Pane) -> View:
    """The view after the command `name` (commands.COMMANDS, or a window preset's)."""
    if name.startswith(PRESET):
        key = name.removeprefix(PRESET)
        return view.windowed(next(preset.window for preset in window_presets() if preset.key == key))
    return _STEPS[name](view, picture, pane)


def _one_to_one(view: View, picture: Picture, pane: Pane) -> View:
    """About the pane's centre."""
    factor = 1 / place(view, picture.size, *pane).zoom
    return zoomed_about(view, picture.size, pane, (pane[0] / 2, pane[1] / 2), factor)


def _reset(view: View, picture: Picture, pane: Pane) -> View:
    """As the series opened; slice, overlay and layout stay."""
    return replace(view, window=picture.window, inverted=False, turn=Turn(), zoom=None, centre=None)


def _compare(view: View, picture: Picture, pane: Pane) -> View:
    other = Layout.ORIGINAL if view.layout is Layout.COMPARE else Layout.COMPARE
    return replace(view, layout=other)


def _opacity(step: float) -> Callable[[View, Picture, Pane], View]:
    return lambda view, picture, pane: view.with_overlay(opacity=_within(view.overlay.opacity + step, 1.0))


def _threshold(step: float) -> Callable[[View, Picture, Pane], View]:
    return lambda view, picture, pane: view.with_overlay(threshold=_within(view.overlay.threshold + step, SCALE_TOP))


def _within(value: float, most: float) -> float:
    return min(max(round(value, 2), 0.0), most)


def _turn(how: Callable[[Turn], Turn]) -> Callable[[View, Picture, Pane], View]:
    return lambda view, picture, pane: replace(view, turn=how(view.turn))


def _scroll(slices: int) -> Callable[[View, Picture, Pane], View]:
    return lambda view, picture, pane: view.scrolled(slices)


_STEPS: dict[str, Callable[[View, Picture, Pane], View]] = {
    "window-reset": lambda view, picture, pane: view.windowed(picture.window_after(view.window)),
    "invert": lambda view, picture, pane: replace(view, inverted=not view.inverted),
    "rotate": _turn(Turn.rotated),
    "flip-horizontally": _turn(Turn.flipped_horizontally),
    "flip-vertically": _turn(Turn.flipped_vertically),
    "fit": lambda view, picture, pane: view.zoomed_to(None, None),
    "one-to-one": _one_to_one,
    "reset": _reset,
    "overlay": lambda view, picture, pane: view.with_overlay(on=not view.overlay.on),
    "opacity-down": _opacity(-OPACITY_STEP),
    "opacity-up": _opacity(OPACITY_STEP),
    "threshold-down": _threshold(-THRESHOLD_STEP),
    "threshold-up": _threshold(THRESHOLD_STEP),
    "compare": _compare,
    "slice-previous": _scroll(-1),
    "slice-next": _scroll(1),
    "slice-back": _scroll(-PAGE),
    "slice-on": _scroll(PAGE),
    "slice-first": lambda view, picture, pane: view.at_slice(0),
    "slice-last": lambda view, picture, pane: view.at_slice(picture.slice_count - 1),
}
