"""The strip beside the image: which slice is shown, which are loaded, and where along the volume the heatmap rises. Click or drag to go."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from app import appearance
from app.viewer import colour_maps
from app.viewer.scene import Role, Scene

WIDTH = 16
END = 8
HANDLE = 5


class SliceBar(QWidget):
    """Emits wanted(index) when the reader clicks or drags."""

    wanted = Signal(int)

    def __init__(self, scene: Scene, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene = scene
        self.setObjectName("slice-bar")
        self.setAccessibleName("Slices")
        self.setToolTip(
            "Slices: drag to go through the volume. Colours mark slices where the heatmap is over its threshold"
        )
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)

    def sizeHint(self) -> QSize:
        """As narrow as can be hit."""
        return QSize(WIDTH, 160)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(appearance.WINDOW))
        picture = self._scene.picture
        if picture is not None and picture.slice_count > 1:
            self._paint_loaded(painter, picture.loaded, picture.unreadable)
            self._paint_peaks(painter)
            top = self._top(self._scene.view.slice_index, picture.slice_count)
            painter.fillRect(QRectF(1, round(top) - HANDLE // 2, WIDTH - 2, HANDLE), QColor(appearance.TEXT))
        painter.end()

    def _paint_loaded(self, painter: QPainter, loaded: np.ndarray, unreadable: tuple[int, ...]) -> None:
        """Runs of loaded slices as one lighter block each, so that a thousand slices cost a few rectangles."""
        painter.fillRect(QRectF(3, END, 4, self.height() - 2 * END), QColor(appearance.PANEL))
        count = len(loaded)
        edges = np.flatnonzero(np.diff(np.concatenate(([0], loaded.view(np.uint8), [0]))))
        for first, end in edges.reshape(-1, 2):
            self._block(painter, int(first), int(end), count, QColor(appearance.COHORT), 3, 4)
        for index in unreadable:
            self._block(painter, index, index + 1, count, QColor(appearance.ERROR), 3, 4)

    def _paint_peaks(self, painter: QPainter) -> None:
        layer = self._scene.layer_of(Role.ERROR)
        if layer is None:
            return
        overlay = self._scene.view.overlay
        colours = colour_maps.colours(overlay.colour_map)
        lowest = overlay.threshold * (colour_maps.LEVELS - 1) / colour_maps.SCALE_TOP
        for index in np.flatnonzero(layer.ready & (layer.peaks > lowest)):
            colour = QColor(*(int(part) for part in colours[layer.peaks[index]]))
            self._block(painter, int(index), int(index) + 1, len(layer.ready), colour, 9, 5)

    def _block(
        self, painter: QPainter, first: int, end: int, count: int, colour: QColor, left: int, width: int
    ) -> None:
        step = (self.height() - 2 * END) / count
        painter.fillRect(QRectF(left, END + first * step, width, max((end - first) * step, 1)), colour)

    def _top(self, index: int, count: int) -> float:
        return END + (index + 0.5) * (self.height() - 2 * END) / count

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._go(event.position().y())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._go(event.position().y())

    def _go(self, y: float) -> None:
        picture = self._scene.picture
        if picture is not None:
            share = (y - END) / max(self.height() - 2 * END, 1)
            self.wanted.emit(min(max(int(share * picture.slice_count), 0), picture.slice_count - 1))
