"""The strip beside the image: which slice is shown, which are loaded, and where along the volume the heatmap rises. Click or drag to go."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QImage, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from app import appearance
from app.state.viewing import Overlay
from app.viewer import colour_maps
from app.viewer.composition import level_colours
from app.viewer.scene import Scene

WIDTH = 16
END = 8
HANDLE = 5


class SliceBar(QWidget):
    """Emits wanted(index) when the reader clicks or drags."""

    wanted = Signal(int)

    def __init__(self, scene: Scene, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene = scene
        self._kept: tuple[tuple[object, ...], QImage] | None = None
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
            strip = self._strip()
            painter.drawImage(QRectF(3, END, WIDTH - 5, strip.height()), strip)
            top = self._top(self._scene.view.slice_index, picture.slice_count)
            painter.fillRect(QRectF(1, round(top) - HANDLE // 2, WIDTH - 2, HANDLE), QColor(appearance.TEXT))
        painter.end()

    def _strip(self) -> QImage:
        """What does not change while scrolling, kept: two columns, loaded slices and the heatmap's peaks, a row for each pixel."""
        picture, layer, overlay = self._scene.picture, self._scene.heatmap, self._scene.view.overlay
        assert picture is not None
        height = max(self.height() - 2 * END, 1)
        ready = 0 if layer is None else int(layer.ready.sum())
        made_for = (picture.series.key, int(picture.loaded.sum()), ready, overlay.threshold, overlay.colour_map, height)
        if self._kept is None or self._kept[0] != made_for:
            columns = np.zeros((height, WIDTH - 5), np.uint32)
            columns[:, :4] = _loaded_colours(picture.loaded, picture.unreadable, height)[:, None]
            if layer is not None:
                columns[:, 6:] = _peak_colours(layer.peaks, overlay, height)[:, None]
            image = QImage(columns.data, WIDTH - 5, height, (WIDTH - 5) * 4, QImage.Format.Format_ARGB32)
            self._kept = (made_for, image.copy())
        return self._kept[1]

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


def _loaded_colours(loaded: npt.NDArray[np.bool_], unreadable: tuple[int, ...], height: int) -> npt.NDArray[np.uint32]:
    """[height] ARGB: still loading, loaded, unreadable."""
    state = loaded.astype(np.uint8)
    state[list(unreadable)] = 2
    colours = [QColor(code).rgba() for code in (appearance.PANEL, appearance.COHORT, appearance.ERROR)]
    return np.array(colours, np.uint32)[_spread(state, height)]


def _peak_colours(peaks: npt.NDArray[np.uint8], overlay: Overlay, height: int) -> npt.NDArray[np.uint32]:
    """[height] ARGB: the colour of each slice's highest heatmap level, clear where that is under the threshold."""
    palette = level_colours(colour_maps.colours(overlay.colour_map), np.ones(colour_maps.LEVELS, np.float32))
    palette[colour_maps.level_values() <= overlay.threshold] = 0
    return palette[_spread(peaks, height)]


def _spread(of_slices: npt.NDArray[np.uint8], height: int) -> npt.NDArray[np.uint8]:
    """[height] the highest value among the slices that fall on each pixel row, so that no hot slice is lost in a long volume."""
    count = len(of_slices)
    if count <= height:
        return of_slices[np.arange(height) * count // height]
    rows = np.zeros(height, np.uint8)
    np.maximum.at(rows, np.arange(count) * height // count, of_slices)
    return rows
