"""A row of small pictures: the training normals that an image is most like, as a model's memory has them. Shows; never scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QImage, QPixmap
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from app import appearance
from app.results.labels import text

if TYPE_CHECKING:
    import numpy.typing as npt
    from numpy import uint8

SIDE = 52
"""Of a picture on screen: four and the gaps between them fit the panel at its narrowest."""
CAPTION = "Looks most like these normals"


class NeighboursRow(QWidget):
    """[k, rows, columns] 8-bit pictures in a row, the most alike first, under a caption."""

    def __init__(self, pictures: npt.NDArray[uint8], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setToolTip("Other people's normal images that this model learned from, the most alike first")
        line = QHBoxLayout()
        line.setSpacing(6)
        for picture in pictures:
            label = QLabel()
            label.setPixmap(_pixmap(picture))
            label.setScaledContents(True)
            label.setFixedSize(SIDE, SIDE)
            line.addWidget(label)
        line.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 4, 0, 0)
        column.setSpacing(4)
        column.addWidget(text(CAPTION, appearance.TEXT_QUIET, appearance.SMALL_PIXELS))
        column.addLayout(line)


def _pixmap(picture: npt.NDArray[uint8]) -> QPixmap:
    """Twice as large as on screen, so that it is smooth on fine screens too."""
    rows, columns = picture.shape
    image = QImage(picture.tobytes(), columns, rows, columns, QImage.Format.Format_Grayscale8)
    return QPixmap.fromImage(image).scaled(
        2 * SIDE, 2 * SIDE, Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.SmoothTransformation
    )
