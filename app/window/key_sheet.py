"""The key sheet: every command with its key, made from the actions themselves so that it cannot be out of date."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QDialog, QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from app import appearance
from app.results.labels import heading, text
from app.window.window_commands import COMMANDS, IMAGE_GROUPS, key_words

MOUSE = (
    ("Scroll slices", "Wheel"),
    ("Window and level", "Right drag"),
    ("Pan", "Middle drag"),
    ("Zoom", "Ctrl + wheel"),
)
_GROUP_TITLES = {
    "tool": "Left button",
    "window": "Window",
    "image": "Image",
    "overlay": "Overlay",
    "layout": "Layout",
    "slice": "Slices",
}


def key_sections(image_actions: list[QAction]) -> list[tuple[str, list[tuple[str, str]]]]:
    """(heading, [(command, key)]) of everything that has a key."""
    sections: dict[str, list[tuple[str, str]]] = {}
    for command in COMMANDS:
        if keys := key_words(command):
            sections.setdefault(command.menu, []).append((command.words.rstrip("…"), keys))
    for group in IMAGE_GROUPS:
        for action in image_actions:
            keys = " or ".join(key.toString(QKeySequence.SequenceFormat.NativeText) for key in action.shortcuts())
            if action.property("group") == group and keys:
                sections.setdefault(_GROUP_TITLES[group], []).append((action.text().replace("&", ""), keys))
    sections["Mouse on the image"] = list(MOUSE)
    return list(sections.items())


class KeySheet(QDialog):
    """All keys at a glance; any of Esc, ? or a click on Close leaves."""

    def __init__(self, image_actions: list[QAction], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Keys")
        sections = key_sections(image_actions)
        columns = QHBoxLayout(self)
        columns.setContentsMargins(24, 20, 24, 20)
        columns.setSpacing(36)
        for part in _in_columns(sections, 3):
            column = QVBoxLayout()
            column.setSpacing(14)
            for title, lines in part:
                column.addLayout(_section(title, lines))
            column.addStretch(1)
            columns.addLayout(column)


def _section(title: str, lines: list[tuple[str, str]]) -> QGridLayout:
    grid = QGridLayout()
    grid.setHorizontalSpacing(24)
    grid.setVerticalSpacing(3)
    grid.addWidget(heading(title.upper()), 0, 0, 1, 2)
    for i, (words, keys) in enumerate(lines, start=1):
        for column, label in enumerate((text(words, appearance.TEXT_QUIET), text(keys))):
            label.setWordWrap(False)
            label.setSizePolicy(label.sizePolicy().Policy.Minimum, label.sizePolicy().Policy.Minimum)
            alignment = Qt.AlignmentFlag.AlignRight if column else Qt.AlignmentFlag.AlignLeft
            grid.addWidget(label, i, column, alignment)
    grid.setColumnStretch(0, 1)
    return grid


def _in_columns(
    sections: list[tuple[str, list[tuple[str, str]]]], count: int
) -> list[list[tuple[str, list[tuple[str, str]]]]]:
    """The sections in order, spread over columns of about equal length."""
    total = sum(len(lines) + 2 for _, lines in sections)
    columns: list[list[tuple[str, list[tuple[str, str]]]]] = [[] for _ in range(count)]
    so_far = 0
    for title, lines in sections:
        columns[min(so_far * count // max(total, 1), count - 1)].append((title, lines))
        so_far += len(lines) + 2
    return columns
