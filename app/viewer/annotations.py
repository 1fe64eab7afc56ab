"""Draws what lies over the image: corner text, letters, scale bar, headings and tags. Decides no words: `captions` does."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from app import appearance
from app.state.viewing import Layout
from app.viewer import captions
from app.viewer.lettering import PLAIN, QUIET, SIDE, SMALL_QUIET, Ink, write, write_left_of
from app.viewer.orientation import edges
from app.viewer.placement import Placement
from app.viewer.scene import Role, Scene

MARGIN = 10
LINE = 16
HEADING = 26
FIRST_LINE = MARGIN + 10
LAST_LINE = MARGIN + 2
HEADING_INK = Ink(bold=True)
BADGE = Ink(appearance.SMALL_PIXELS, bold=True)
PLATE = QColor(5, 6, 7, 215)


def annotate(painter: QPainter, scene: Scene, role: Role, placement: Placement, area: QRectF) -> None:
    """Everything over the image of one pane; `area` is the pane without its heading."""
    if scene.picture is None:
        return
    taken = _corners(painter, scene, role, placement, area)
    if not scene.missing(role):
        _letters(painter, scene, area)
        if role is Role.ORIGINAL:
            _scale_bar(painter, scene, placement, area)
    _tags(painter, scene, role, area, taken)


def _corners(painter: QPainter, scene: Scene, role: Role, placement: Placement, area: QRectF) -> QRectF:
    """Returns the box of the top-left text: tags keep clear of it."""
    said = captions.corners(scene, role, placement.zoom, scene.view.zoom is None)
    left, right = area.left() + MARGIN, area.right() - MARGIN
    room = area.width() * (0.62 if said.top_right or said.bottom_right else 1) - MARGIN
    widest = 0.0
    for line, words in enumerate(said.top_left):
        shown = PLAIN.elided(words, room)
        widest = max(widest, PLAIN.width(shown))
        write(painter, left, area.top() + FIRST_LINE + line * LINE, shown, QUIET if line else PLAIN)
    for line, words in enumerate(said.top_right):
        write_left_of(painter, right, area.top() + FIRST_LINE + line * LINE, words, PLAIN if line else QUIET)
    for line, words in enumerate(reversed(said.bottom_left)):
        write(painter, left, area.bottom() - LAST_LINE - line * LINE, PLAIN.elided(words, room))
    for line, words in enumerate(reversed(said.bottom_right)):
        write_left_of(painter, right, area.bottom() - LAST_LINE - line * LINE, words, QUIET)
    return QRectF(area.left(), area.top(), widest + 2 * MARGIN, MARGIN + len(said.top_left) * LINE + 4)


def _letters(painter: QPainter, scene: Scene, area: QRectF) -> None:
    """The sides of the patient at the middle of each edge."""
    assert scene.picture is not None
    at = edges(scene.picture.directions, scene.view.turn)
    middle, centre = area.center().y() + 5, area.center().x()
    write(painter, area.left() + MARGIN, middle, at.left, SIDE)
    write_left_of(painter, area.right() - MARGIN, middle, at.right, SIDE)
    write(painter, centre - SIDE.width(at.top) / 2, area.top() + FIRST_LINE, at.top, SIDE)
    write(painter, centre - SIDE.width(at.bottom) / 2, area.bottom() - LAST_LINE, at.bottom, SIDE)


def _scale_bar(painter: QPainter, scene: Scene, placement: Placement, area: QRectF) -> None:
    """A length in mm above the zoom; nothing when the spacing is unknown, for a wrong length is worse than none."""
    assert scene.picture is not None
    unit = scene.picture.size.millimetres_per_unit
    if unit is None:
        return
    length, label = captions.scale_bar(unit / placement.zoom, min(area.width() * 0.25, 160))
    if not label:
        return
    right, y = area.right() - MARGIN, area.bottom() - LAST_LINE - LINE - 8
    for pen in (QPen(QColor(0, 0, 0, 200), 3), QPen(QColor(appearance.TEXT), 1)):
        painter.setPen(pen)
        painter.drawLine(QPointF(right - length, y), QPointF(right, y))
        painter.drawLine(QPointF(right - length, y - 4), QPointF(right - length, y))
        painter.drawLine(QPointF(right, y - 4), QPointF(right, y))
    write_left_of(painter, right, y - 8, f"{label} {scene.picture.scale_note}".strip(), SMALL_QUIET)


def _tags(painter: QPainter, scene: Scene, role: Role, area: QRectF, taken: QRectF) -> None:
    """Tags at the top centre: synthetic first, then what is drawn over the original."""
    assert scene.picture is not None
    tags = []
    if scene.picture.series.synthetic and not (
        scene.view.layout is Layout.COMPARE and _badge_fits(scene, role, area.width())
    ):
        tags.append((captions.SYNTHETIC, captions.SYNTHETIC_SHORT, appearance.TEXT))
    if role is Role.ORIGINAL and scene.view.layout is Layout.ORIGINAL and scene.heatmap_is_drawn():
        tags.append((captions.HEATMAP_ON, captions.HEATMAP_ON_SHORT, appearance.FLAGGED))
    top = area.top() + MARGIN - 3
    if edges(scene.picture.directions, scene.view.turn).top:
        top += LINE + 2
    for words, short, code in tags:
        ink = Ink(appearance.SMALL_PIXELS, bold=True, colour=code)
        box = _centred(area, top, ink.width(words) + 16)
        if box.intersects(taken) or box.width() > area.width():
            words = short
            box = _centred(area, top, ink.width(short) + 16)
        if box.intersects(taken):
            box.moveTop(taken.bottom())
        painter.setPen(QColor(code))
        painter.setBrush(PLATE)
        painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), 3, 3)
        painter.setFont(ink.font)
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, words)
        top = box.bottom() + 4


def _centred(area: QRectF, top: float, width: float) -> QRectF:
    return QRectF(round(area.center().x() - width / 2), top, round(width), 20)


def draw_heading(painter: QPainter, scene: Scene, role: Role, width: float) -> None:
    """The strip above a pane of the compare layout. Panes that do not show the bare original are headed in the warning colour."""
    bare = role is Role.ORIGINAL and not scene.heatmap_is_drawn()
    ground = QColor(appearance.PANEL) if bare else appearance.mixed(appearance.FLAGGED, appearance.CANVAS, 0.16)
    ink = replace(HEADING_INK, colour=appearance.TEXT if bare else appearance.FLAGGED)
    painter.fillRect(QRectF(0, 0, width, HEADING), ground)
    painter.setFont(ink.font)
    painter.setPen(QColor(ink.colour))
    words = heading_that_fits(scene, role, width)
    painter.drawText(QPointF(MARGIN, HEADING - 9), ink.elided(words, width - 2 * MARGIN))
    right = width - MARGIN
    if scene.picture is not None and scene.picture.series.synthetic and _badge_fits(scene, role, width):
        right -= BADGE.width(captions.SYNTHETIC_SHORT)
        _heading_note(painter, right, captions.SYNTHETIC_SHORT, BADGE)
        right -= MARGIN
    label = scene.result.reconstruction_label if scene.result and role is Role.RECONSTRUCTION else ""
    left = right - SMALL_QUIET.width(label)
    if label and left > 2 * MARGIN + ink.width(words):
        _heading_note(painter, left, label, SMALL_QUIET)


def _heading_note(painter: QPainter, left: float, words: str, ink: Ink) -> None:
    painter.setFont(ink.font)
    painter.setPen(QColor(ink.colour))
    painter.drawText(QPointF(left, HEADING - 9), words)


def heading_that_fits(scene: Scene, role: Role, width: float) -> str:
    """A pane's heading, or its short form where the whole would be cut off."""
    words = captions.heading(scene, role)
    return words if HEADING_INK.width(words) <= width - 2 * MARGIN else captions.SHORT_HEADINGS.get(role, words)


def _badge_fits(scene: Scene, role: Role, width: float) -> bool:
    """Room for "SYNTHETIC" in the heading, beside its words; a tag over the image takes its place otherwise."""
    return (
        HEADING_INK.width(heading_that_fits(scene, role, width)) + BADGE.width(captions.SYNTHETIC_SHORT) + 3 * MARGIN
        < width
    )
