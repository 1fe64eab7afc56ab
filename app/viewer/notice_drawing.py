"""Draws a notice in place of the image: nothing open, loading, or an error in words with its cure."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from app import appearance
from app.viewer.lettering import Ink
from app.viewer.scene import Notice

WIDEST = 520.0
HEADING_PIXELS = appearance.TITLE_PIXELS + 2
WORDS_PIXELS = appearance.BODY_PIXELS + 1
BREAK_HERE = "\N{ZERO WIDTH SPACE}"


def draw_notice(painter: QPainter, notice: Notice, area: QRectF) -> None:
    """Centred: a sign for errors, the heading, what it is about, the cure, and a bar when progress is known."""
    width = min(WIDEST, area.width() - 40)
    parts = [
        (notice.heading, Ink(HEADING_PIXELS, True, appearance.ERROR if notice.is_error else appearance.TEXT)),
        (notice.detail, Ink(WORDS_PIXELS, colour=appearance.TEXT_QUIET)),
        (notice.cure, Ink(WORDS_PIXELS)),
    ]
    parts = [(words.replace("/", f"/{BREAK_HERE}"), ink) for words, ink in parts if words]
    room = QRectF(0, 0, width, 10_000)
    heights = [ink.measure.boundingRect(room, _wrapping(words, ink, width), words).height() for words, ink in parts]
    total = (
        sum(heights)
        + 10 * (len(parts) - 1)
        + (44 if notice.is_error else 0)
        + (22 if notice.fraction is not None else 0)
    )
    y = area.center().y() - total / 2
    left = area.center().x() - width / 2
    if notice.is_error:
        _sign(painter, QPointF(area.center().x(), y + 14))
        y += 44
    for (words, ink), height in zip(parts, heights, strict=True):
        painter.setFont(ink.font)
        painter.setPen(QColor(ink.colour))
        painter.drawText(QRectF(left, y, width, height), _wrapping(words, ink, width), words)
        y += height + 10
    if notice.fraction is not None:
        _bar(painter, QRectF(area.center().x() - 110, y + 6, 220, 4), notice.fraction)


def _wrapping(words: str, ink: Ink, width: float) -> int:
    """Centred, broken between words and after the slashes of a path; within a word only when it is wider than the pane."""
    longest = max(ink.width(word) for word in words.replace(BREAK_HERE, " ").split() or [""])
    wrap = Qt.TextFlag.TextWordWrap if longest < width else Qt.TextFlag.TextWrapAnywhere
    return int(wrap | Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop)


def _sign(painter: QPainter, centre: QPointF) -> None:
    """An exclamation mark in a circle, so that an error is not told by colour alone."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(QColor(appearance.ERROR), 2))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawEllipse(centre, 13, 13)
    painter.drawLine(centre + QPointF(0, -6), centre + QPointF(0, 1.5))
    painter.drawPoint(centre + QPointF(0, 6))
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)


def _bar(painter: QPainter, box: QRectF, fraction: float) -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(appearance.RAISED))
    painter.drawRoundedRect(box, 2, 2)
    painter.setBrush(QColor(appearance.WORKING))
    painter.drawRoundedRect(QRectF(box.left(), box.top(), max(box.width() * fraction, 4), box.height()), 2, 2)
