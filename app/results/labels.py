"""The few kinds of text in the panel of results, each made in one way. Makes widgets; knows nothing of what they say."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from app import appearance
from app.tab_stops import reach_with_tab


def text(
    words: str, colour: str = appearance.TEXT, pixels: int = appearance.BODY_PIXELS, *, bold: bool = False
) -> QLabel:
    """Wrapped plain text that can be selected with the mouse."""
    label = QLabel(words)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    label.setFont(appearance.font(pixels, bold=bold))
    label.setStyleSheet(f"color: {colour};")
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    return label


def heading(words: str) -> QLabel:
    """The heading of a part of the panel."""
    return text(words, appearance.TEXT_FAINT, appearance.SMALL_PIXELS, bold=True)


def caution(words: str) -> QWidget:
    """Something a reader must know: an amber sign, the words quiet, so that what every film says does not shout."""
    line = QWidget()
    row = QHBoxLayout(line)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(6)
    sign = QLabel("⚠")
    sign.setStyleSheet(f"color: {appearance.WARNING};")
    row.addWidget(sign, 0, Qt.AlignmentFlag.AlignTop)
    row.addWidget(text(words, appearance.TEXT_QUIET), 1)
    return line


def rule() -> QFrame:
    """A thin line between parts."""
    line = QFrame()
    line.setFixedHeight(1)
    line.setStyleSheet(f"background: {appearance.LINE};")
    return line


class Foldout(QWidget):
    """A heading that shows or hides what is below it. The body is made when it is first shown: most are never opened."""

    def __init__(
        self, title: str, make: Callable[[], QWidget], *, is_open: bool = False, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._make = make
        self._body: QWidget | None = None
        self.button = QToolButton()
        self.button.setText(title)
        self.button.setCheckable(True)
        self.button.setChecked(is_open)
        self.button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.button.setFont(appearance.font(appearance.BODY_PIXELS))
        self.button.setStyleSheet(
            f"QToolButton {{ border: 0; padding: 2px 0; background: transparent; color: {appearance.TEXT_QUIET}; }}"
            f"QToolButton:hover {{ color: {appearance.TEXT}; }} QToolButton:focus {{ color: {appearance.ACCENT}; }}"
        )
        reach_with_tab(self.button)
        self.button.setCursor(Qt.CursorShape.PointingHandCursor)
        self.button.toggled.connect(self._fold)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.button)
        self._fold(is_open)

    def _fold(self, shown: bool) -> None:
        self.button.setArrowType(Qt.ArrowType.DownArrow if shown else Qt.ArrowType.RightArrow)
        if self._body is None and shown:
            self._body = self._make()
            layout = self.layout()
            assert layout is not None
            layout.addWidget(self._body)
        if self._body is not None:
            self._body.setVisible(shown)
