"""The scale of the heatmap's colours, drawn over the image: what each colour means in cohort units, and where the threshold is."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPen, QPolygonF

from app import appearance
from app.state.viewing import Overlay
from app.viewer import colour_maps
from app.viewer.annotations import MARGIN
from app.viewer.composition import level_colours
from app.viewer.lettering import SMALL, write_left_of

WIDTH = 12
LONGEST = 180.0
SHORTEST = 80.0
NARROW = 420.0


def draw_colour_bar(painter: QPainter, overlay: Overlay, area: QRectF, *, alone: bool) -> None:
    """A vertical bar at the right edge, in the lower half. `alone`: the map on its own, which has no threshold."""
    height = min(LONGEST, area.height() * 0.5 - 90)
    if height < SHORTEST:
        return
    bar = QRectF(area.right() - MARGIN - WIDTH, area.bottom() - 70 - height, WIDTH, height)
    painter.drawImage(bar, _bar_image(overlay, alone))
    painter.setPen(QPen(QColor(appearance.TEXT_FAINT), 1))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRect(bar.adjusted(-0.5, -0.5, 0.5, 0.5))
    _ticks(painter, bar, narrow=area.width() < NARROW)
    if not alone:
        _threshold(painter, bar, overlay.threshold)


def _ticks(painter: QPainter, bar: QRectF, *, narrow: bool) -> None:
    meaning = {0: "mean", 1: "99th pct"} if narrow else {0: "cohort mean", 1: "99th percentile of normals"}
    for unit in range(int(colour_maps.SCALE_TOP) + 1):
        y = round(bar.bottom() - bar.height() * unit / colour_maps.SCALE_TOP)
        figure = f"{unit}+" if unit == colour_maps.SCALE_TOP else str(unit)
        words = f"{meaning[unit]} = {figure}" if unit in meaning else figure
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
def _bar_image(overlay: Overlay, alone: bool) -> QImage:
    """[256 x 1], the top of the scale first, at full strength: how much of the image shines through depends on the image."""
    shade = colour_maps.map_opacities() if alone else colour_maps.opacities(replace(overlay, opacity=1.0))
    column = level_colours(colour_maps.colours(overlay.colour_map), shade)[::-1].copy()
    return QImage(column.data, 1, len(column), 4, QImage.Format.Format_RGB32).copy()
