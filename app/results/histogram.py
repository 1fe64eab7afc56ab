"""The normal cohort's scores as a histogram with this study and the cut-off marked. Draws one picture; computes no score."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from app import appearance

FEWEST_BINS, MOST_BINS = 8, 36
_FARTHEST = 0.6
"""How far beyond the cohort the axis is stretched to hold this study, as a share of the cohort's range; farther, an arrow says so."""


@dataclass(frozen=True)
class HistogramData:
    """What is drawn.

    Attributes:
        normals: raw scores of the normal calibration cohort, ascending.
        score: this study's raw score.  cut_off: the raw score above which the model flags.
        flagged: this study is over it.
    """

    normals: tuple[float, ...]
    score: float
    cut_off: float
    flagged: bool

    @property
    def axis(self) -> tuple[float, float]:
        """Lowest and highest score on the axis."""
        low, high = self.normals[0], self.normals[-1]
        span = max(high - low, abs(high) * 1e-6, 1e-12)
        low_end = max(min(low, self.score), low - _FARTHEST * span)
        high_end = min(max(high, self.score, self.cut_off), high + _FARTHEST * span)
        return low_end - 0.03 * span, high_end + 0.05 * span

    @property
    def bins(self) -> int:
        """As many as the number of normals can fill without gaps that mean nothing: twice its square root."""
        return min(max(round(2 * math.sqrt(len(self.normals))), FEWEST_BINS), MOST_BINS)

    def counts(self) -> list[int]:
        """Normals in each of `bins` equal bins of the axis."""
        low, high = self.axis
        edges = [low + (high - low) * i / self.bins for i in range(self.bins + 1)]
        below = [bisect_right(self.normals, edge) for edge in edges]
        return [after - before for before, after in pairwise(below)]

    def place(self, value: float) -> float:
        """Where a score lies on the axis, 0..1, held within it."""
        low, high = self.axis
        return min(max((value - low) / (high - low), 0.0), 1.0)

    @property
    def off_axis(self) -> int:
        """+1 or -1 when this study lies beyond the axis, else 0."""
        low, high = self.axis
        return 1 if self.score > high else -1 if self.score < low else 0


def cut_off_score(normals: tuple[float, ...], percentile: float) -> float:
    """The raw score that a study must exceed to stand at or over a percentile, which is the share of normals that score lower.

    One of the normals' own scores and not interpolated: what is drawn over the line is then what the model flags, however few normals.
    """
    lower = math.ceil(len(normals) * min(max(percentile, 0.0), 100.0) / 100 - 1e-9)
    return normals[max(lower, 1) - 1]


class Histogram(QWidget):
    """One score's histogram."""

    def __init__(self, data: HistogramData, height: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.data = data
        self._height = height
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        where = "over" if data.flagged else "below"
        self.setToolTip(
            f"Grey: scores of {len(data.normals)} normals. The marked line is this study, {where} the dashed cut-off."
        )

    def sizeHint(self) -> QSize:
        """As wide as there is room."""
        return QSize(240, self._height)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Bars, axis, cut-off, study."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        field = QRectF(self.rect()).adjusted(1, 8, -1, -2)
        self._draw_bars(painter, field)
        self._draw_cut_off(painter, field)
        self._draw_study(painter, field)

    def _draw_bars(self, painter: QPainter, field: QRectF) -> None:
        counts = self.data.counts()
        highest = max(max(counts), 1)
        bins = len(counts)
        width = field.width() / bins
        low, high = self.data.axis
        painter.setPen(Qt.PenStyle.NoPen)
        for i, count in enumerate(counts):
            if not count:
                continue
            tall = max(field.height() * count / highest, 1.5)
            over = low + (high - low) * (i + 0.5) / bins > self.data.cut_off
            painter.setBrush(
                appearance.mixed(appearance.FLAGGED, appearance.COHORT, 0.35) if over else QColor(appearance.COHORT)
            )
            painter.drawRect(QRectF(field.left() + i * width, field.bottom() - tall, max(width - 1, 1), tall))
        painter.setPen(QPen(QColor(appearance.LINE), 1))
        painter.drawLine(field.bottomLeft(), field.bottomRight())

    def _draw_cut_off(self, painter: QPainter, field: QRectF) -> None:
        x = round(field.left() + field.width() * self.data.place(self.data.cut_off)) + 0.5  # on a pixel: crisp
        pen = QPen(appearance.mixed(appearance.FLAGGED, appearance.PANEL, 0.75), 1, Qt.PenStyle.DashLine)
        painter.setPen(pen)
        painter.drawLine(QPointF(x, field.top()), QPointF(x, field.bottom()))

    def _draw_study(self, painter: QPainter, field: QRectF) -> None:
        colour = QColor(appearance.FLAGGED if self.data.flagged else appearance.ACCENT)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        if side := self.data.off_axis:
            tip = field.right() if side > 0 else field.left()
            middle = field.center().y()
            painter.drawPolygon(
                QPolygonF(
                    [QPointF(tip, middle), QPointF(tip - side * 9, middle - 6), QPointF(tip - side * 9, middle + 6)]
                )
            )
            painter.drawRect(QRectF(min(tip - side * 9, tip - side * 26), middle - 1, 17, 2))
            return
        x = round(field.left() + field.width() * self.data.place(self.data.score))
        painter.drawRect(QRectF(x - 1, field.top() - 2, 2, field.height() + 2))
        painter.drawPolygon(
            QPolygonF([QPointF(x - 5, field.top() - 8), QPointF(x + 5, field.top() - 8), QPointF(x, field.top())])
        )
