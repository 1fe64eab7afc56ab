"""Text over images: each line has a dark outline, so that it reads on white bone and black air alike. Kept as small images, drawn once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QImage, QPainter

from app import appearance

OUTLINE = QColor(0, 0, 0, 190)
AROUND = [(x, y) for x in (-1, 0, 1) for y in (-1, 0, 1) if x or y]
EDGE = 2


@dataclass(frozen=True)
class Ink:
    """Size in pixels, weight and colour of text."""

    pixels: int = appearance.BODY_PIXELS
    bold: bool = False
    colour: str = appearance.TEXT

    @property
    def font(self) -> QFont:
        """The interface's font at this size."""
        return _font(self.pixels, self.bold)

    @property
    def measure(self) -> QFontMetricsF:
        """Measures of `font`."""
        return _metrics(self.pixels, self.bold)

    def width(self, words: str) -> float:
        """Width of one line in pixels."""
        return self.measure.horizontalAdvance(words)

    def elided(self, words: str, room: float) -> str:
        """`words`, cut with an ellipsis where they would be wider than `room`."""
        return self.measure.elidedText(words, Qt.TextElideMode.ElideRight, room)


PLAIN = Ink()
QUIET = Ink(colour=appearance.TEXT_QUIET)
SMALL = Ink(appearance.SMALL_PIXELS)
SMALL_QUIET = Ink(appearance.SMALL_PIXELS, colour=appearance.TEXT_QUIET)
SIDE = Ink(appearance.TITLE_PIXELS, bold=True)


def write(painter: QPainter, x: float, baseline: float, words: str, ink: Ink = PLAIN) -> None:
    """One outlined line from `x` on."""
    if not words:
        return
    image = _stamp(words, ink, painter.device().devicePixelRatioF())
    painter.drawImage(QPointF(round(x) - EDGE, round(baseline - ink.measure.ascent()) - EDGE), image)


def write_left_of(painter: QPainter, right: float, baseline: float, words: str, ink: Ink = PLAIN) -> None:
    """One outlined line that ends at `right`."""
    write(painter, right - ink.width(words), baseline, words, ink)


@lru_cache(maxsize=512)
def _stamp(words: str, ink: Ink, ratio: float) -> QImage:
    measure = ink.measure
    width, height = measure.horizontalAdvance(words) + 2 * EDGE + 1, measure.height() + 2 * EDGE
    image = QImage(round(width * ratio), round(height * ratio), QImage.Format.Format_ARGB32_Premultiplied)
    image.setDevicePixelRatio(ratio)
    image.fill(0)
    painter = QPainter(image)
    painter.setFont(ink.font)
    at = QPointF(EDGE, EDGE + measure.ascent())
    painter.setPen(OUTLINE)
    for x, y in AROUND:
        painter.drawText(at + QPointF(x, y), words)
    painter.setPen(QColor(ink.colour))
    painter.drawText(at, words)
    painter.end()
    return image


@cache
def _font(pixels: int, bold: bool) -> QFont:
    return appearance.font(pixels, bold=bold)


@cache
def _metrics(pixels: int, bold: bool) -> QFontMetricsF:
    return QFontMetricsF(_font(pixels, bold))
