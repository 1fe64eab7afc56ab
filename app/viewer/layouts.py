"""Where the panes lie: the original alone, or beside the model's layers, arranged so that the images are as large as the room allows."""

from __future__ import annotations

from PySide6.QtCore import QRect, QSize
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.state.viewing import Layout
from app.viewer.annotations import HEADING
from app.viewer.pane import Pane
from app.viewer.scene import Role, Scene

ALONE: tuple[tuple[Role, ...], ...] = ((Role.ORIGINAL,),)
ROW: tuple[tuple[Role, ...], ...] = ((Role.ORIGINAL, Role.RECONSTRUCTION, Role.ERROR),)
SQUARE: tuple[tuple[Role, ...], ...] = ((Role.ORIGINAL, Role.RECONSTRUCTION), (Role.OVERLAY, Role.ERROR))
"""Where three in a row would be small: the fourth pane takes the heatmap, so that the original beside it stays bare."""

LINE = 1
WORTH_A_ROW = 1.1


def arrangement(layout: Layout, width: float, height: float, image_aspect: float) -> tuple[tuple[Role, ...], ...]:
    """Rows of panes. Comparing is in one row unless the images would be more than a tenth larger two by two."""
    if layout is Layout.ORIGINAL:
        return ALONE
    side = min(width / 3 / image_aspect, height - HEADING)
    square = min(width / 2 / image_aspect, height / 2 - HEADING)
    return SQUARE if square > side * WORTH_A_ROW else ROW


class Canvas(QWidget):
    """All panes of a viewer."""

    def __init__(self, scene: Scene, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene = scene
        self.panes = {role: Pane(scene, role, self) for role in Role}
        self.setObjectName("canvas")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.arrange()

    def minimumSizeHint(self) -> QSize:
        """Small enough to sit beside a worklist."""
        return QSize(240, 240)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self.arrange()

    def arrange(self) -> None:
        """Place the panes for the view's layout and the picture's shape as it is turned."""
        picture, view = self._scene.picture, self._scene.view
        aspect = 1.0
        if picture is not None:
            pixel_height, pixel_width = picture.size.pixel_shape
            aspect = picture.size.columns * pixel_width / (picture.size.rows * pixel_height)
            aspect = 1 / aspect if view.turn.quarters % 2 else aspect
        rows = arrangement(view.layout if picture is not None else Layout.ORIGINAL, self.width(), self.height(), aspect)
        shown = {role for row in rows for role in row}
        self._scene.overlay_has_its_pane = Role.OVERLAY in shown
        height = (self.height() - LINE * (len(rows) - 1)) // len(rows)
        for at, row in enumerate(rows):
            width = (self.width() - LINE * (len(row) - 1)) // len(row)
            for column, role in enumerate(row):
                self.panes[role].setGeometry(QRect(column * (width + LINE), at * (height + LINE), width, height))
        for role, pane in self.panes.items():
            pane.setVisible(role in shown)
