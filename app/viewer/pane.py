"""One pane of the viewer: paints the scene in its role and turns the mouse into wishes. Changes nothing itself."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRect, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QImage, QMouseEvent, QPainter, QPaintEvent, QWheelEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from app import appearance
from app.state.viewing import Layout, Tool
from app.viewer import captions
from app.viewer.annotations import HEADING, annotate, draw_heading
from app.viewer.colour_bar import draw_colour_bar, draw_difference_bar
from app.viewer.notice_drawing import draw_notice
from app.viewer.placement import Placement, place
from app.viewer.scene import Notice, Role, Scene

WHEEL_STEP = 120  # eighths of a degree a notch, as mice report it


class Pane(QWidget):
    """Original, reconstruction or error of the slice on screen.

    Signals carry what the reader wants, in pixels of the pane: scrolled(slices), dragged(tool, right, down, x, y), zoomed(factor, x, y),
    fitted(), pointed(column, row) with None outside, and painted(series key) after a series' pixels are drawn.
    """

    scrolled = Signal(int)
    dragged = Signal(object, float, float, float, float)
    zoomed = Signal(float, float, float)
    fitted = Signal()
    pointed = Signal(object)
    painted = Signal(str)

    def __init__(self, scene: Scene, role: Role, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene = scene
        self.role = role
        self._last: QPointF | None = None
        self._start = QPointF()
        self._tool: Tool | None = None
        self._wheel = 0
        self._painted_key = ""
        self.setObjectName(f"pane-{role}")
        self.setAccessibleName(captions.HEADINGS[role])
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setMouseTracking(True)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)  # the right button windows
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def minimumSizeHint(self) -> QSize:
        """Small enough for three panes beside a worklist."""
        return QSize(160, 160)

    def image_area(self) -> QRectF:
        """The pane without its heading."""
        top = HEADING if self._scene.view.layout is Layout.COMPARE else 0
        return QRectF(0, top, self.width(), max(self.height() - top, 1))

    def placement(self) -> Placement | None:
        """Where the picture lies in `image_area`, or None without one."""
        if self._scene.picture is None:
            return None
        area = self.image_area()
        return place(self._scene.view, self._scene.picture.size, area.width(), area.height())

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        try:
            self._paint(painter)
        finally:
            painter.end()
        picture = self._scene.picture
        if picture is not None and self._painted_key != picture.series.key and not self._scene.missing(self.role):
            self._painted_key = picture.series.key
            QTimer.singleShot(0, self, lambda key=self._painted_key: self.painted.emit(key))

    def _paint(self, painter: QPainter) -> None:
        scene, area, placement = self._scene, self.image_area(), self.placement()
        painter.fillRect(self.rect(), QColor(appearance.CANVAS))
        if placement is None:
            self._painted_key = ""
            if self.role is Role.ORIGINAL:
                draw_notice(painter, scene.notice, area)
            return
        missing = scene.missing(self.role)
        if missing:
            draw_notice(painter, Notice("", missing), area)
        else:
            self._paint_image(painter, placement, area)
        annotate(painter, scene, self.role, placement, area)
        if not missing and self.role is Role.ERROR:
            draw_difference_bar(painter, scene.difference_top, area)
        elif not missing and scene.heatmap_is_drawn(self.role):
            draw_colour_bar(painter, scene.view.overlay, area)
        if scene.view.layout is Layout.COMPARE:
            draw_heading(painter, scene, self.role, self.width())
            self._mark_cursor(painter, placement, area)

    def _paint_image(self, painter: QPainter, placement: Placement, area: QRectF) -> None:
        frame = self._scene.frame(self.role, placement, area.width(), area.height(), self.devicePixelRatioF())
        if frame is None:
            return
        rows, columns = frame.colours.shape
        image = QImage(frame.colours.data, columns, rows, columns * 4, QImage.Format.Format_ARGB32_Premultiplied)
        left, top, right, bottom = frame.box
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.setClipRect(area)
        painter.drawImage(QRectF(left, top + area.top(), right - left, bottom - top), image)
        painter.setClipping(False)

    def _mark_cursor(self, painter: QPainter, placement: Placement, area: QRectF) -> None:
        """The same point in the panes beside the one under the mouse."""
        if self._scene.cursor is None or self.underMouse():
            return
        x, y = placement.to_screen(*self._scene.cursor)
        y += area.top()
        for offset, code in ((1, "#000000"), (0, appearance.ACCENT)):
            painter.setPen(QColor(code))
            painter.drawLine(QPointF(x - 7 + offset, y + offset), QPointF(x + 7 + offset, y + offset))
            painter.drawLine(QPointF(x + offset, y - 7 + offset), QPointF(x + offset, y + 7 + offset))

    def readout_area(self) -> QRect:
        """Where the value under the cursor is written: all that changes while the mouse moves."""
        return QRect(0, self.height() - 70, self.width(), 70)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Scroll slices; with Ctrl, or on a single image, zoom about the cursor."""
        delta = event.angleDelta().y() or event.angleDelta().x()
        at, picture = event.position(), self._scene.picture
        event.accept()
        if picture is None:
            return
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier or picture.slice_count < 2:
            self.zoomed.emit(1.2 ** (delta / WHEEL_STEP), at.x(), at.y() - self.image_area().top())
            return
        self._wheel -= delta
        steps = int(self._wheel / WHEEL_STEP)
        if steps:
            self._wheel -= steps * WHEEL_STEP
            self.scrolled.emit(steps)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        tools = {
            Qt.MouseButton.LeftButton: self._scene.view.tool,
            Qt.MouseButton.RightButton: Tool.WINDOW,
            Qt.MouseButton.MiddleButton: Tool.PAN,
        }
        self._tool = tools.get(event.button())
        self._last = self._start = event.position()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        at = event.position()
        if self._tool is not None and self._last is not None:
            step = at - self._last
            self._last = at
            self.dragged.emit(
                self._tool, step.x(), step.y(), self._start.x(), self._start.y() - self.image_area().top()
            )
        self._point(at)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._tool, self._last = None, None

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if event.button() is Qt.MouseButton.LeftButton:
            self.fitted.emit()

    def leaveEvent(self, event: object) -> None:
        self.pointed.emit(None)

    def _point(self, at: QPointF) -> None:
        placement = self.placement()
        if placement is not None:
            self.pointed.emit(placement.to_pixel(at.x(), at.y() - self.image_area().top()))
