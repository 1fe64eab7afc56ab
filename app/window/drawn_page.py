"""A page of a model's fictional images: on screen and in a file it is drawn by the same hand, with the same mark. Asks no model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QPointF, QRectF, QSize, QSizeF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from app import appearance
from app.research_use import RESEARCH_USE

MARK = "SYNTHETIC: drawn by a model. These images show no patient."
TAG = "synthetic"
SAVED_SIZE, SAVED_RATIO = QSize(1040, 760), 1.5
GAP, BANNER, CAPTION = 6.0, 30.0, 22.0


@dataclass(frozen=True, eq=False)
class DrawnPage:
    """`images`: [N, rows, columns] uint8. `caption`: which model drew them, and how."""

    images: npt.NDArray[np.uint8]
    caption: str


def page_picture(page: DrawnPage, size: QSize, ratio: float = 1.0) -> QImage:
    """The page in `size`, of `ratio` device pixels each; what it says of the images is in the picture, and in its text."""
    picture = QImage(size * ratio, QImage.Format.Format_RGB32)
    picture.setDevicePixelRatio(ratio)
    picture.fill(QColor(appearance.CANVAS))
    picture.setText("Description", f"{MARK} {page.caption}. {RESEARCH_USE}")
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    _paint(painter, QSizeF(size), page)
    painter.end()
    return picture


def _paint(painter: QPainter, size: QSizeF, page: DrawnPage) -> None:
    """The mark above, the images, and who drew them below."""
    banner = QRectF(0, 0, size.width(), BANNER)
    painter.fillRect(banner, QColor(appearance.WARNING))
    painter.setFont(appearance.font(appearance.TITLE_PIXELS, bold=True))
    painter.setPen(QColor(appearance.CANVAS))
    painter.drawText(banner, Qt.AlignmentFlag.AlignCenter, MARK)
    caption = QRectF(GAP, size.height() - CAPTION, size.width() - 2 * GAP, CAPTION)
    painter.setFont(appearance.font(appearance.SMALL_PIXELS))
    painter.setPen(QColor(appearance.TEXT_QUIET))
    painter.drawText(caption, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, page.caption)
    painter.drawText(caption, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, RESEARCH_USE)
    room = QRectF(GAP, BANNER + GAP, size.width() - 2 * GAP, size.height() - BANNER - CAPTION - 2 * GAP)
    for image, place in zip(page.images, places(page.images.shape, room), strict=True):
        _paint_image(painter, image, place)


def _paint_image(painter: QPainter, image: npt.NDArray[np.uint8], place: QRectF) -> None:
    """An image and its own mark, which stays with it when it is cut out."""
    rows, columns = image.shape
    grey = QImage(np.ascontiguousarray(image).tobytes(), columns, rows, columns, QImage.Format.Format_Grayscale8)
    wanted = (place.size() * painter.device().devicePixelRatioF()).toSize()
    how = Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.SmoothTransformation
    painter.drawImage(place, grey.scaled(wanted, *how))
    painter.setFont(appearance.font(10 if place.width() < 150 else appearance.SMALL_PIXELS))
    words = painter.fontMetrics().size(0, TAG)
    tag = QRectF(0, 0, words.width() + 8, words.height() + 2)
    tag.moveBottomRight(QPointF(place.right(), place.bottom()))
    painter.fillRect(tag, QColor(appearance.CANVAS))
    painter.setPen(QColor(appearance.WARNING))
    painter.drawText(tag, Qt.AlignmentFlag.AlignCenter, TAG)


def places(shape: tuple[int, ...], room: QRectF) -> list[QRectF]:
    """Where the images [N, rows, columns] of `shape` stand: in the number of columns that shows them largest, in whole pixels."""
    count, rows, columns = shape

    def width(across: int) -> float:
        down = -(-count // across)
        high = (room.height() - GAP * (down - 1)) / down
        return min((room.width() - GAP * (across - 1)) / across, high * columns / rows)

    across = max(range(1, count + 1), key=width)
    wide = max(1.0, float(int(width(across))))
    high = max(1.0, float(int(wide * rows / columns)))
    down = -(-count // across)
    left = int(room.center().x() - (across * (wide + GAP) - GAP) / 2)
    top = int(room.center().y() - (down * (high + GAP) - GAP) / 2)
    return [
        QRectF(left + (i % across) * (wide + GAP), top + (i // across) * (high + GAP), wide, high) for i in range(count)
    ]


class PageView(QWidget):
    """The page, or words where there is none yet."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMinimumSize(480, 300)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.page: DrawnPage | None = None
        self._words, self._colour = "", appearance.TEXT_QUIET
        self._picture = QImage()

    def show_page(self, page: DrawnPage) -> None:
        """Show images."""
        self.page, self._picture = page, QImage()
        self.setAccessibleName(f"{len(page.images)} images. {MARK}")
        self.update()

    def show_words(self, words: str, colour: str = appearance.TEXT_QUIET) -> None:
        """Say why there are no images."""
        self.page, self._words, self._colour = None, words, colour
        self.setAccessibleName(words)
        self.update()

    @property
    def words(self) -> str:
        """What is said in place of images; "" while there are any."""
        return "" if self.page is not None else self._words

    def paintEvent(self, event: QPaintEvent) -> None:
        """Qt's own. The picture is made anew only for another size."""
        painter = QPainter(self)
        if self.page is None:
            painter.fillRect(self.rect(), QColor(appearance.CANVAS))
            painter.setPen(QColor(self._colour))
            flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(self.rect().adjusted(40, 0, -40, 0), flags, self._words)
        else:
            ratio = self.devicePixelRatioF()
            if self._picture.size() != self.size() * ratio:
                self._picture = page_picture(self.page, self.size(), ratio)
            painter.drawImage(0, 0, self._picture)
        painter.end()
