"""How worklist cells are drawn: the status mark, the percentile as a bar with its number, and plain text. Draws; decides nothing."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPen
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from app import appearance
from app.results.wording import shown_percentile
from app.worklist.columns import COLUMNS
from app.worklist.table_model import ROW_ROLE
from engine.store.rows import NEEDS_READING, WorklistRow

_NUMBER_WIDTH = 24
_PADDING = 5


class WorklistDelegate(QStyledItemDelegate):
    """Draws every cell of the worklist."""

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        """All rows are of one height, so that a long list scrolls without measuring."""
        return QSize(COLUMNS[index.column()].width, appearance.ROW_HEIGHT)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """One cell."""
        row: WorklistRow = index.data(ROW_ROLE)
        rect: QRect = option.rect
        state: QStyle.StateFlag = option.state
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        _background(painter, rect, state, first=index.column() == 0)
        name = COLUMNS[index.column()].name
        if name == "status":
            _status_mark(painter, rect, row.status)
        elif name == "percentile" and row.percentile is not None:
            percentile_bar(painter, rect, row.percentile, flagged=row.flagged, read=row.read_state not in NEEDS_READING)
        else:
            painter.setFont(appearance.font())
            painter.setPen(index.data(Qt.ItemDataRole.ForegroundRole))
            inner = rect.adjusted(_PADDING, 0, -2, 0)
            named = row.patient_name or row.patient_id  # files are told apart by how their names end
            cut = Qt.TextElideMode.ElideRight if named else Qt.TextElideMode.ElideMiddle
            text = painter.fontMetrics().elidedText(str(index.data()), cut, inner.width())
            painter.drawText(inner, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, text)
        painter.restore()


def percentile_bar(painter: QPainter, rect: QRect, percentile: float, *, flagged: bool, read: bool) -> None:
    """A bar from 0 to 100 with its number before it; amber when flagged, paler once the study is read."""
    number = QRect(rect.left() + 2, rect.top(), _NUMBER_WIDTH, rect.height())
    colour = appearance.FLAGGED if flagged else appearance.TEXT_QUIET
    painter.setFont(appearance.font(bold=flagged))
    painter.setPen(appearance.mixed(colour, appearance.PANEL, 0.65) if read else QColor(colour))
    painter.drawText(
        number, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, str(shown_percentile(percentile))
    )
    left = number.right() + 8
    track = QRectF(left, rect.center().y() - 2.5, max(rect.right() - left - _PADDING, 1), 6)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(appearance.RAISED))
    painter.drawRoundedRect(track, 3, 3)
    filled = QRectF(track)
    filled.setWidth(max(track.width() * min(percentile, 100.0) / 100.0, 2.0))
    bar = QColor(appearance.FLAGGED if flagged else appearance.COHORT)
    painter.setBrush(appearance.mixed(bar.name(), appearance.PANEL, 0.5) if read else bar)
    painter.drawRoundedRect(filled, 3, 3)


def _background(painter: QPainter, rect: QRect, state: QStyle.StateFlag, *, first: bool) -> None:
    if state & QStyle.StateFlag.State_Selected:
        painter.fillRect(rect, QColor(appearance.SELECTION))
        if first:
            painter.fillRect(QRect(rect.left(), rect.top(), 3, rect.height()), QColor(appearance.ACCENT))
    elif state & QStyle.StateFlag.State_MouseOver:
        painter.fillRect(rect, QColor(appearance.RAISED))


def _status_mark(painter: QPainter, rect: QRect, status: str) -> None:
    """A small sign by shape as well as colour: ring waiting, half disc working, dot done, cross failed, dash not scored."""
    centre = QPointF(rect.center().x() + 1.5, rect.center().y() + 0.5)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    if status == "queued":
        painter.setPen(QPen(QColor(appearance.TEXT_FAINT), 1.4))
        painter.drawEllipse(centre, 3.6, 3.6)
    elif status == "scoring":
        painter.setPen(QPen(QColor(appearance.WORKING), 1.4))
        painter.drawEllipse(centre, 3.6, 3.6)
        painter.setBrush(QColor(appearance.WORKING))
        painter.drawPie(QRectF(centre.x() - 3.6, centre.y() - 3.6, 7.2, 7.2), 90 * 16, -180 * 16)
    elif status == "done":
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(appearance.COHORT))
        painter.drawEllipse(centre, 3, 3)
    elif status == "failed":
        painter.setPen(QPen(QColor(appearance.ERROR), 1.8))
        painter.drawLine(centre + QPointF(-3, -3), centre + QPointF(3, 3))
        painter.drawLine(centre + QPointF(-3, 3), centre + QPointF(3, -3))
    else:
        painter.setPen(QPen(QColor(appearance.TEXT_FAINT), 1.6))
        painter.drawLine(centre + QPointF(-3.5, 0), centre + QPointF(3.5, 0))
