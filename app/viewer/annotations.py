"""Draws what lies over the image: corner text, letters, scale bar, headings and tags. Decides no words: `captions` does."""

from __future__ import annotations

from functools import cache

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen

from app import appearance
from app.state.viewing import Layout
from app.viewer import captions
from app.viewer.orientation import edges
from app.viewer.placement import Placement
from app.viewer.scene import Role, Scene

MARGIN = 10
LINE = 16
HEADING = 26
SHADE = QColor(0, 0, 0, 220)


@cache
def font(pixels: int, bold: bool = False) -> QFont:
    """Kept: making fonts on every frame costs more than drawing them."""
    return appearance.font(pixels, bold=bold)


@cache
def metrics(pixels: int, bold: bool = False) -> QFontMetricsF:
    """Measures of `font`."""
    return QFontMetricsF(font(pixels, bold))


@cache
def colour(code: str) -> QColor:
    """A colour of the appearance."""
    return QColor(code)


def text(painter: QPainter, x: float, baseline: float, words: str, code: str = appearance.TEXT) -> None:
    """One line with a dark edge, readable on white bone and black air alike. The painter's font is set already."""
    painter.setPen(SHADE)
    painter.drawText(QPointF(x + 1, baseline + 1), words)
    painter.setPen(colour(code))
    painter.drawText(QPointF(x, baseline), words)


def annotate(painter: QPainter, scene: Scene, role: Role, placement: Placement, area: QRectF) -> None:
    """Everything over the image of one pane; `area` is the pane without its heading."""
    if scene.picture is None:
        return
    below = _corners(painter, scene, role, placement, area)
    _letters(painter, scene, area)
    _tags(painter, scene, role, area, below)


def _corners(painter: QPainter, scene: Scene, role: Role, placement: Placement, area: QRectF) -> QRectF:
    """Returns the box of the top-left text: tags keep clear of it."""
    said = captions.corners(scene, role, placement.zoom, scene.view.zoom is None)
    size = appearance.BODY_PIXELS
    painter.setFont(font(size))
    measure = metrics(size)
    room = area.width() * (0.62 if said.top_right or said.bottom_right else 1) - MARGIN
    widest = 0.0
    for line, words in enumerate(said.top_left):
        shown = measure.elidedText(words, Qt.TextElideMode.ElideRight, room)
        widest = max(widest, measure.horizontalAdvance(shown))
        quiet = appearance.TEXT if line == 0 else appearance.TEXT_QUIET
        text(painter, area.left() + MARGIN, area.top() + MARGIN + 10 + line * LINE, shown, quiet)
    for line, words in enumerate(said.top_right):
        x = area.right() - MARGIN - measure.horizontalAdvance(words)
        text(
            painter,
            x,
            area.top() + MARGIN + 10 + line * LINE,
            words,
            appearance.TEXT if line else appearance.TEXT_QUIET,
        )
    for line, words in enumerate(reversed(said.bottom_left)):
        shown = measure.elidedText(words, Qt.TextElideMode.ElideRight, room)
        text(painter, area.left() + MARGIN, area.bottom() - MARGIN - 2 - line * LINE, shown)
    for line, words in enumerate(reversed(said.bottom_right)):
        x = area.right() - MARGIN - measure.horizontalAdvance(words)
        text(painter, x, area.bottom() - MARGIN - 2 - line * LINE, words, appearance.TEXT_QUIET)
    if role is Role.ORIGINAL:
        _scale_bar(painter, scene, placement, area)
    return QRectF(area.left(), area.top(), widest + 2 * MARGIN, MARGIN + len(said.top_left) * LINE + 4)


def _letters(painter: QPainter, scene: Scene, area: QRectF) -> None:
    """The sides of the patient at the middle of each edge."""
    assert scene.picture is not None
    at = edges(scene.picture.directions, scene.view.turn)
    size = appearance.TITLE_PIXELS
    painter.setFont(font(size, True))
    measure = metrics(size, True)
    middle, centre = area.center().y() + 5, area.center().x()
    text(painter, area.left() + MARGIN, middle, at.left)
    text(painter, area.right() - MARGIN - measure.horizontalAdvance(at.right), middle, at.right)
    text(painter, centre - measure.horizontalAdvance(at.top) / 2, area.top() + MARGIN + 10, at.top)
    text(painter, centre - measure.horizontalAdvance(at.bottom) / 2, area.bottom() - MARGIN - 2, at.bottom)


def _scale_bar(painter: QPainter, scene: Scene, placement: Placement, area: QRectF) -> None:
    """A length in mm above the zoom; nothing when the spacing is unknown, for a wrong length is worse than none."""
    assert scene.picture is not None
    unit = scene.picture.size.millimetres_per_unit
    if unit is None:
        return
    length, label = captions.scale_bar(unit / placement.zoom, min(area.width() * 0.25, 160))
    if not label:
        return
    right, y = area.right() - MARGIN, area.bottom() - MARGIN - 2 - LINE - 8
    for pen in (QPen(SHADE, 3), QPen(colour(appearance.TEXT), 1)):
        painter.setPen(pen)
        painter.drawLine(QPointF(right - length, y), QPointF(right, y))
        painter.drawLine(QPointF(right - length, y - 4), QPointF(right - length, y))
        painter.drawLine(QPointF(right, y - 4), QPointF(right, y))
    painter.setFont(font(appearance.SMALL_PIXELS))
    note = f"{label} {scene.picture.scale_note}".strip()
    text(painter, right - metrics(appearance.SMALL_PIXELS).horizontalAdvance(note), y - 8, note, appearance.TEXT_QUIET)


def _tags(painter: QPainter, scene: Scene, role: Role, area: QRectF, taken: QRectF) -> None:
    """Tags at the top centre: synthetic first, then what is drawn over the original."""
    assert scene.picture is not None
    tags = []
    if scene.picture.series.synthetic:
        tags.append((captions.SYNTHETIC, appearance.TEXT))
    if role is Role.ORIGINAL and scene.view.layout is Layout.ORIGINAL and scene.heatmap_is_drawn():
        tags.append((captions.HEATMAP_ON, appearance.FLAGGED))
    measure = metrics(appearance.SMALL_PIXELS, True)
    painter.setFont(font(appearance.SMALL_PIXELS, True))
    clear = any(edges(scene.picture.directions, scene.view.turn).top)
    top = area.top() + MARGIN - 3 + (LINE + 2 if clear else 0)
    for words, code in tags:
        shown = measure.elidedText(words, Qt.TextElideMode.ElideRight, area.width() - 4 * MARGIN)
        width = measure.horizontalAdvance(shown) + 16
        box = QRectF(area.center().x() - width / 2, top, width, 20)
        if box.intersects(taken):
            box.moveTop(taken.bottom())
        painter.setPen(colour(code))
        painter.setBrush(QColor(5, 6, 7, 215))
        painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), 3, 3)
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, shown)
        top = box.bottom() + 4


def draw_heading(painter: QPainter, scene: Scene, role: Role, width: float) -> None:
    """The strip above a pane of the compare layout. Panes that do not show the patient are headed in the warning colour."""
    bare = role is Role.ORIGINAL and not scene.heatmap_is_drawn()
    code = appearance.TEXT if bare else appearance.FLAGGED
    ground = colour(appearance.PANEL) if bare else appearance.mixed(appearance.FLAGGED, appearance.CANVAS, 0.16)
    painter.fillRect(QRectF(0, 0, width, HEADING), ground)
    painter.setFont(font(appearance.BODY_PIXELS, True))
    painter.setPen(colour(code))
    words = captions.heading(scene, role)
    measure = metrics(appearance.BODY_PIXELS, True)
    room = width - 2 * MARGIN
    shown = measure.elidedText(words, Qt.TextElideMode.ElideRight, room)
    painter.drawText(QPointF(MARGIN, HEADING - 9), shown)
    label = scene.result.reconstruction_label if scene.result and role is Role.RECONSTRUCTION else ""
    left = measure.horizontalAdvance(shown) + MARGIN
    if label and left + metrics(appearance.SMALL_PIXELS).horizontalAdvance(label) < room:
        painter.setFont(font(appearance.SMALL_PIXELS))
        painter.setPen(colour(appearance.TEXT_QUIET))
        painter.drawText(
            QRectF(0, 0, width - MARGIN, HEADING), Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, label
        )
