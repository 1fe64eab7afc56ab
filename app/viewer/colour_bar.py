"""Scales drawn over the image: what each colour of the heatmap means in cohort units, and each grey of the error."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPen, QPolygonF

from app import appearance
from app.state.viewing import Overlay
from app.viewer import colour_maps
from app.viewer.annotations import MARGIN
from app.viewer.composition import grey_colours, level_colours
from app.viewer.lettering import SMALL, write_left_of

WIDTH = 12
LONGEST = 180.0
SHORTEST = 60.0
NARROW = 420.0


def draw_colour_bar(painter: QPainter, overlay: Overlay, area: QRectF) -> None:
    """The heatmap's scale: a vertical bar at the right edge, in the lower half, with its threshold."""
    bar = _place(area)
    if bar is None:
        return
    _draw_bar(painter, bar, _bar_image(overlay))
    _ticks(painter, bar, narrow=area.width() < NARROW)
    _threshold(painter, bar, overlay.threshold)


def draw_difference_bar(painter: QPainter, top: float, area: QRectF) -> None:
    """The scale of the error: black is none, white is `top` of the step from black to white."""
    bar = _place(area)
    if bar is None:
        return
    greys = grey_colours()[::-1].copy()
    _draw_bar(painter, bar, QImage(greys.data, 1, len(greys), 4, QImage.Format.Format_RGB32).copy())
    for share, y in ((top, bar.top()), (0.0, bar.bottom())):
        words = f"{share:.0%} of white" if share and area.width() >= NARROW else f"{share:.0%}" if share else "0"
        _tick(painter, bar, round(y), words)


def _place(area: QRectF) -> QRectF | None:
    """Where a bar lies; None where it would be too short to read."""
    height = min(LONGEST, area.height() * 0.5 - 90)
    return (
        QRectF(area.right() - MARGIN - WIDTH, area.bottom() - 70 - height, WIDTH, height)
        if height >= SHORTEST
        else None
    )


def _draw_bar(painter: QPainter, bar: QRectF, image: QImage) -> None:
    painter.drawImage(bar, image)
    painter.setPen(QPen(QColor(appearance.TEXT_FAINT), 1))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRect(bar.adjusted(-0.5, -0.5, 0.5, 0.5))


def _ticks(painter: QPainter, bar: QRectF, *, narrow: bool) -> None:
    meaning = {0: "mean", 1: "99th pct"} if narrow else {0: "cohort mean", 1: "99th percentile of normals"}
    for unit in range(int(colour_maps.SCALE_TOP) + 1):
        y = round(bar.bottom() - bar.height() * unit / colour_maps.SCALE_TOP)
        figure = f"{unit}+" if unit == colour_maps.SCALE_TOP else str(unit)
        words = f"{meaning[unit]} = {figure}" if unit in meaning else figure
        _tick(painter, bar, y, words)


def _tick(painter: QPainter, bar: QRectF, y: float, words: str) -> None:
    painter.setPen(QColor(appearance.TEXT_QUIET))
    painter.drawLine(QPointF(bar.left() - 4, y), QPointF(bar.left() - 1, y))
    write_left_of(painter, bar.left() - 7, y + 4, words, SMALL)


def _threshold(painter: QPainter, bar: QRectF, threshold: float) -> None:
    """A pointer at the bar's right side."""
    y = round(bar.bottom() - bar.height() * min(threshold / colour_maps.SCALE_TOP, 1))
    painter.setPen(QPen(QColor(appearance.TEXT), 1))
    painter.drawLine(QPointF(bar.left(), y), QPointF(bar.right(), y))
    painter.setBrush(QColor(appearance.TEXT))
    tip = bar.right() + 1
    painter.drawPolygon(QPolygonF([QPointF(tip, y), QPointF(tip + 5, y - 3.5), QPointF(tip + 5, y + 3.5)]))


@lru_cache(maxsize=8)
def _bar_image(overlay: Overlay) -> QImage:
    """[256 x 1], the top of the scale first, at full strength: how much of the image shines through depends on the image."""
    shade = colour_maps.opacities(replace(overlay, opacity=1.0))
    column = level_colours(colour_maps.colours(overlay.colour_map), shade)[::-1].copy()
    return QImage(column.data, 1, len(column), 4, QImage.Format.Format_RGB32).copy()
