"""Buttons and choices that a reader without a mouse reaches with Tab. Changes who gets the keys; presses nothing."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QWidget


class _SpaceIsItsOwn(QObject):
    """Says of Space that the widget uses it: the heatmap's shortcut would take it, and nothing could be pressed."""

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Qt's own."""
        override = event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent)
        if override and event.key() == Qt.Key.Key_Space and event.modifiers() == Qt.KeyboardModifier.NoModifier:  # type: ignore[attr-defined]
            event.accept()
            return True
        return False


def reach_with_tab(widget: QWidget, *, policy: Qt.FocusPolicy = Qt.FocusPolicy.TabFocus) -> None:
    """Tab goes to the widget and Space presses it; by the default policy a click leaves the keys with the list or the image."""
    widget.setFocusPolicy(policy)
    widget.installEventFilter(_SpaceIsItsOwn(widget))
