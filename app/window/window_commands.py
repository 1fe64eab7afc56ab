"""Every command of the window, declared once: words, keys, icon, menu. The image's own commands come from the viewer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMainWindow

from app.icons import give_icon


@dataclass(frozen=True)
class Command:
    """One command.

    Attributes:
        name: what the window binds its function to.  menu: the menu it stands in.
        keys: shortcuts; all work, the first is shown.  also: a key that the table or the image handles itself, shown on the key sheet only.
        checkable: it switches something on and off.
    """

    name: str
    menu: str
    words: str
    keys: tuple[str, ...]
    icon: str
    tip: str
    also: str = ""
    checkable: bool = False
    separated: bool = False


COMMANDS: tuple[Command, ...] = (
    Command("open_folder", "File", "Open folder…", ("Ctrl+O",), "ph.folder-open", "Open every study in a folder and below"),
    Command("open_files", "File", "Open files…", ("Ctrl+Shift+O",), "ph.file-plus", "Open DICOM, PNG, JPEG, NIfTI, zip or a cohort CSV"),
    Command("open_demo", "File", "Open the demo", ("Ctrl+D",), "ph.flask", "Make a sample cohort of phantoms and score it"),
    Command("stop_opening", "File", "Stop opening", ("Ctrl+.",), "ph.stop", "Stop looking for images; what was found stays"),
    Command("open_evaluation", "File", "Open an evaluation…", ("Ctrl+E",), "ph.chart-line", "Show the figures and pictures of an evaluation"),
    Command("quit", "File", "Quit", ("Ctrl+Q",), "ph.sign-out", "Close the window", separated=True),
    Command("next", "Study", "Next study", ("J",), "ph.arrow-down", "Select the study below", also="Down"),
    Command("previous", "Study", "Previous study", ("K",), "ph.arrow-up", "Select the study above", also="Up"),
    Command("next_unread", "Study", "Next unread", ("N",), "ph.skip-forward", "Open the next study that nobody has read"),
    Command("to_image", "Study", "Go to the image", ("Return", "Enter"), "ph.image", "Give the keys to the image"),
    Command("to_worklist", "Study", "Go to the worklist", ("Backspace",), "ph.list", "Give the keys to the worklist"),
    Command("next_series", "Study", "Next series", (".",), "ph.caret-right", "The next series of this study", separated=True),
    Command("previous_series", "Study", "Previous series", (",",), "ph.caret-left", "The previous series of this study"),
    Command("next_model", "Study", "Next model's overlay", ("M",), "ph.stack", "Draw the overlay of the next model that scored this series"),
    Command("retry", "Study", "Score again", ("Ctrl+R",), "ph.arrow-clockwise", "Score this study anew with every model asked before", separated=True),
    Command("score_list", "Study", "Score the list with…", ("L",), "ph.list-numbers", "Queue all studies of the filtered list for a model that you name"),
    Command("restart_engine", "Study", "Restart engine", (), "ph.power", "Start the scoring process anew; nothing is lost"),
    Command("read_abnormal", "Reading", "Abnormal", ("A",), "ph.warning", "Read this study as abnormal and go on to the next unread"),
    Command("read_unsure", "Reading", "Unsure", ("S",), "ph.question", "Read this study as unsure and go on"),
    Command("read_normal", "Reading", "Normal", ("D",), "ph.check", "Read this study as normal and go on"),
    Command("note", "Reading", "Note", ("T",), "ph.note-pencil", "Type words that are kept with the reading", separated=True),
    Command("undo", "Reading", "Take back", ("U",), "ph.arrow-u-up-left", "Take back the last reading and return to its study"),
    Command("filter", "View", "Filter the worklist", ("/", "Ctrl+F"), "ph.funnel", "Type to filter; Esc empties the box"),
    Command("worklist", "View", "Worklist", ("F2",), "ph.list-dashes", "Show or hide the worklist", checkable=True, separated=True),
    Command("results", "View", "Results", ("F3",), "ph.chart-bar", "Show or hide the results", checkable=True),
    Command("image_only", "View", "Image only", ("F4",), "ph.arrows-out", "Hide both panels, or bring them back"),
    Command("problems", "View", "Problems", ("F6",), "ph.warning-circle", "Show or hide what could not be opened", checkable=True),
    Command("full_screen", "View", "Full screen", ("F11",), "ph.corners-out", "Fill the screen", checkable=True),
    Command("keys", "Help", "Keys", ("?", "F1"), "ph.keyboard", "Every key of this window"),
    Command("about", "Help", "About Normascope", (), "ph.info", "Version, licence and what it is for"),
)  # fmt: skip

MENUS = ("File", "Study", "Reading", "Image", "View", "Help")
IMAGE_GROUPS = ("tool", "window", "image", "overlay", "layout", "slice")


def make_actions(window: QMainWindow, functions: Mapping[str, Callable[[], object]]) -> dict[str, QAction]:
    """An action for each command, bound to the function of its name and live in the whole window."""
    actions: dict[str, QAction] = {}
    for command in COMMANDS:
        action = QAction(command.words, window)
        action.setShortcuts([QKeySequence(key) for key in command.keys])
        action.setShortcutContext(Qt.ShortcutContext.WindowShortcut)
        action.setCheckable(command.checkable)
        shown = f"  ({key_words(command)})" if key_words(command) else ""
        action.setToolTip(f"{command.tip}{shown}")
        give_icon(action, command.icon)
        action.triggered.connect(lambda _=False, run=functions[command.name]: run())
        window.addAction(action)
        actions[command.name] = action
    return actions


def key_words(command: Command) -> str:
    """The keys as printed on the keyboard: "J or Down"."""
    keys = [QKeySequence(key).toString(QKeySequence.SequenceFormat.NativeText) for key in command.keys]
    return " or ".join(dict.fromkeys([*keys, *([command.also] if command.also else [])]))


def fill_menus(window: QMainWindow, actions: Mapping[str, QAction], image_actions: list[QAction]) -> None:
    """The menu bar; the image's commands in their groups."""
    for title in MENUS:
        menu = window.menuBar().addMenu(title)
        menu.setToolTipsVisible(True)
        if title == "Image":
            add_grouped(menu.addAction, menu.addSeparator, image_actions)
        for command in COMMANDS:
            if command.menu == title:
                if command.separated:
                    menu.addSeparator()
                menu.addAction(actions[command.name])


def add_grouped(add: Callable[[QAction], object], separate: Callable[[], object], image_actions: list[QAction]) -> None:
    """The image's commands in order of their groups, a separator between groups."""
    first = True
    for group in IMAGE_GROUPS:
        members = [action for action in image_actions if action.property("group") == group]
        if members and not first:
            separate()
        for action in members:
            add(action)
            first = False
