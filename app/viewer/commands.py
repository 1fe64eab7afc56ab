"""Every command of the viewer as an action: its words, key, icon and menu. What a command does is the viewer's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QWidget

from app.icons import give_icon
from app.state.viewing import Tool
from app.viewer.window_presets import window_presets


@dataclass(frozen=True)
class Command:
    """One row of the table below. `nearby` keys work only while the viewer has the focus: lists need them too."""

    name: str
    text: str
    keys: tuple[str, ...]
    icon: str
    group: str
    checkable: bool = False
    nearby: bool = False


COMMANDS: tuple[Command, ...] = (
    Command("tool-window", "Window with the left button", ("W",), "ph.circle-half", "tool", True),
    Command("tool-pan", "Pan with the left button", ("P",), "ph.hand", "tool", True),
    Command("tool-zoom", "Zoom with the left button", ("Z",), "ph.magnifying-glass", "tool", True),
    Command("window-reset", "Window of the file, then the next", ("0",), "ph.arrow-counter-clockwise", "window"),
    Command("invert", "Invert grey", ("I",), "ph.drop-half", "image", True),
    Command("rotate", "Rotate clockwise", ("R",), "ph.arrow-clockwise", "image"),
    Command("flip-horizontally", "Flip left and right", ("H",), "ph.arrows-left-right", "image"),
    Command("flip-vertically", "Flip top and bottom", ("V",), "ph.arrows-down-up", "image"),
    Command("fit", "Fit to window", ("F",), "ph.corners-out", "image"),
    Command("one-to-one", "One to one", ("O",), "ph.frame-corners", "image"),
    Command("reset", "Reset the view", ("Shift+R",), "ph.arrows-counter-clockwise", "image"),
    Command("overlay", "Heatmap", ("Space",), "ph.stack", "overlay", True),
    Command("opacity-down", "Heatmap fainter", ("[",), "ph.minus-circle", "overlay"),
    Command("opacity-up", "Heatmap stronger", ("]",), "ph.plus-circle", "overlay"),
    Command("threshold-down", "Threshold lower", ("{",), "ph.caret-down", "overlay"),
    Command("threshold-up", "Threshold higher", ("}",), "ph.caret-up", "overlay"),
    Command("compare", "Compare with the normal version", ("C",), "ph.columns", "layout", True),
    Command("slice-previous", "Previous slice", ("Up", "Left"), "ph.arrow-up", "slice", nearby=True),
    Command("slice-next", "Next slice", ("Down", "Right"), "ph.arrow-down", "slice", nearby=True),
    Command("slice-back", "Ten slices back", ("PgUp",), "ph.caret-double-up", "slice", nearby=True),
    Command("slice-on", "Ten slices on", ("PgDown",), "ph.caret-double-down", "slice", nearby=True),
    Command("slice-first", "First slice", ("Home",), "ph.arrow-line-up", "slice", nearby=True),
    Command("slice-last", "Last slice", ("End",), "ph.arrow-line-down", "slice", nearby=True),
)

PRESET = "preset-"


def preset_commands() -> tuple[Command, ...]:
    """One command for each CT window of the presets' file."""
    return tuple(
        Command(
            f"{PRESET}{preset.key}",
            f"{preset.name}  W {preset.width:g} L {preset.center:g}",
            (preset.key,),
            "ph.sun",
            "window",
        )
        for preset in window_presets()
    )


def make_actions(owner: QWidget, run: Callable[[str], None]) -> dict[str, QAction]:
    """Actions by name, added to `owner` so that their keys work there; each calls `run(name)`."""
    tools = QActionGroup(owner)
    made: dict[str, QAction] = {}
    for command in (*COMMANDS, *preset_commands()):
        action = QAction(command.text, owner)
        action.setObjectName(command.name)
        action.setProperty("group", command.group)
        action.setShortcuts([QKeySequence(key) for key in command.keys])
        action.setCheckable(command.checkable)
        action.setToolTip(f"{command.text}  ({' or '.join(command.keys)})")
        if command.nearby:
            action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        if command.group == "tool":
            tools.addAction(action)
        give_icon(action, command.icon)
        action.triggered.connect(lambda _checked=False, name=command.name: run(name))
        owner.addAction(action)
        made[command.name] = action
    made[f"tool-{Tool.WINDOW}"].setChecked(True)
    return made
