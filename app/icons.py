"""Icons by name, given to buttons and actions after the first frame: the icon fonts take a fifth of a second to load, and the window does not wait.

Names are qtawesome's (`ph.` Phosphor throughout, so that line weights match). Nothing else in the app imports qtawesome.
"""

from __future__ import annotations

from typing import Protocol

from PySide6.QtGui import QIcon, QPixmap
from shiboken6 import isValid

from app import appearance


class TakesIcon(Protocol):
    """An action or a button."""

    def setIcon(self, icon: QIcon) -> None:
        """Qt's own."""
        ...


_waiting: list[tuple[TakesIcon, str, str]] = []
_awake = False


def give_icon(target: TakesIcon, name: str, colour: str = appearance.TEXT_QUIET) -> None:
    """Set the icon, now or after the first frame; until then a blank one keeps its place, so that nothing moves."""
    if _awake:
        target.setIcon(draw_icon(name, colour))
        return
    blank = QPixmap(appearance.TOOL_ICON, appearance.TOOL_ICON)
    blank.fill("transparent")
    target.setIcon(QIcon(blank))
    _waiting.append((target, name, colour))


def wake_icons() -> None:
    """Draw all icons asked for so far; later ones are drawn at once. Call when the window has been painted."""
    global _awake
    _awake = True
    for target, name, colour in _waiting:
        if isValid(target):
            target.setIcon(draw_icon(name, colour))
    _waiting.clear()


def draw_icon(name: str, colour: str) -> QIcon:
    """A qtawesome icon whose disabled and checked states follow the palette."""
    import qtawesome

    icon: QIcon = qtawesome.icon(name, color=colour, color_disabled=appearance.LINE, color_on=appearance.TEXT)
    return icon
