"""What the window says while nothing is open: what to do first. Emits what the reader wants."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from app import appearance


class EmptyState(QWidget):
    """Signals:
    folder_wanted(), demo_wanted(): the reader pressed a button.
    """

    folder_wanted = Signal()
    demo_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setObjectName("empty")
        self.setStyleSheet(f"#empty {{ background: {appearance.CANVAS}; }}")
        self.title = _centred("", appearance.TEXT, 18)
        self.advice = _centred("", appearance.TEXT_QUIET, appearance.BODY_PIXELS + 1)
        folder, demo = QPushButton("Open folder   Ctrl+O"), QPushButton("Open the demo   Ctrl+D")
        folder.setToolTip("Open every study in a folder and below  (Ctrl+O)")
        demo.setToolTip("Make a sample cohort of phantoms, score it and open it  (Ctrl+D)")
        folder.clicked.connect(self.folder_wanted)
        demo.clicked.connect(self.demo_wanted)
        self._buttons = QWidget()
        line = QHBoxLayout(self._buttons)
        line.setSpacing(12)
        line.addStretch(1)
        for button in (folder, demo):
            button.setMinimumHeight(32)
            button.setMinimumWidth(170)
            line.addWidget(button)
        line.addStretch(1)
        column = QVBoxLayout(self)
        column.setSpacing(8)
        column.addStretch(4)
        column.addWidget(_DropMark(), 0, Qt.AlignmentFlag.AlignHCenter)
        column.addSpacing(8)
        column.addWidget(self.title)
        column.addWidget(self.advice)
        column.addSpacing(10)
        column.addWidget(self._buttons)
        column.addStretch(5)
        self.invite()

    def invite(self) -> None:
        """The worklist is empty."""
        self.title.setText("Drop a folder of studies here")
        self.advice.setText(
            "DICOM, PNG, JPEG, NIfTI, zip archives or a cohort CSV.\nThey are read where they lie; nothing is copied."
        )
        self._buttons.show()

    def choose(self) -> None:
        """There are studies, and none is open."""
        self.title.setText("Choose a study")
        self.advice.setText("J and K go through the worklist, N opens the next unread, ? lists all keys.")
        self._buttons.hide()

    def wait(self, doing: str) -> None:
        """Something is being opened."""
        self.title.setText(doing)
        self.advice.setText("Studies appear in the worklist as they are found.")
        self._buttons.hide()


class _DropMark(QWidget):
    """A frame with an arrow into it."""

    def sizeHint(self) -> QSize:
        return QSize(72, 72)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colour = QColor(appearance.COHORT)
        painter.setPen(QPen(colour, 2, Qt.PenStyle.DashLine))
        painter.drawRoundedRect(QRectF(6, 6, 60, 60), 8, 8)
        painter.setPen(QPen(QColor(appearance.TEXT_QUIET), 2.4, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
        painter.drawLine(QPointF(36, 20), QPointF(36, 48))
        painter.drawLine(QPointF(36, 48), QPointF(26, 38))
        painter.drawLine(QPointF(36, 48), QPointF(46, 38))


def _centred(words: str, colour: str, pixels: int) -> QLabel:
    label = QLabel(words)
    label.setFont(appearance.font(pixels))
    label.setAlignment(Qt.AlignmentFlag.AlignCenter)
    label.setStyleSheet(f"color: {colour};")
    return label
