"""The strip under the image: heatmap on or off, opacity, threshold and colours. Shows the view it is given and asks for changes."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, QSize, Qt, Signal
from PySide6.QtGui import QAction, QColor, QIcon, QImage, QPainter, QPaintEvent, QPixmap, QResizeEvent
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QSizePolicy, QSlider, QToolButton, QWidget

from app import appearance
from app.state.viewing import Overlay
from app.viewer import colour_maps
from app.viewer.composition import level_colours

THRESHOLD_STEPS = 20
"""Slider steps in one cohort unit."""
WORDS_FROM, NUMBERS_FROM = 640, 460
"""Widths of the strip in pixels."""

GREYED = f"""
QSlider::sub-page:horizontal:disabled {{ background: {appearance.RAISED}; }}
QSlider::handle:horizontal:disabled {{ background: {appearance.LINE}; }}
QToolButton:checked:disabled {{ background: transparent; border-color: {appearance.LINE}; }}
QComboBox:disabled {{ color: {appearance.TEXT_FAINT}; background: transparent; }}
"""
"""Adjusters of a heatmap that is not there look it."""


class OverlayControls(QWidget):
    """Emits changed(Overlay) with what the reader wants."""

    changed = Signal(object)

    def __init__(self, toggle: QAction, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._overlay = Overlay()
        self.setObjectName("overlay-controls")
        self.setStyleSheet(GREYED)
        button = QToolButton()
        button.setDefaultAction(toggle)
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._opacity, self._opacity_value = (
            _slider("Opacity", "Opacity of the heatmap  ([ and ])", 100),
            _value("100 %"),
        )
        self._threshold, self._threshold_value = (
            _slider("Threshold", "", int(colour_maps.SCALE_TOP * THRESHOLD_STEPS)),
            _value("0.00"),
        )
        self._threshold.setToolTip(
            f"Hide the heatmap below this many cohort units  (Shift+[ and Shift+])\n{colour_maps.COHORT_UNIT}"
        )
        self._colours = QComboBox()
        self._colours.setToolTip("Colours of the heatmap")
        self._colours.setIconSize(QSize(48, 10))
        self._colours.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self._colours.setMinimumContentsLength(6)
        for name, colour_map in colour_maps.COLOUR_MAPS.items():
            self._colours.addItem(_swatch(name), colour_map.title, name)
        self._state = _ElidedLabel()
        self._adjusters = self._lay_out(button)
        self._opacity.valueChanged.connect(lambda value: self._ask(opacity=value / 100))
        self._threshold.valueChanged.connect(lambda value: self._ask(threshold=value / THRESHOLD_STEPS))
        self._colours.currentIndexChanged.connect(lambda index: self._ask(colour_map=self._colours.itemData(index)))

    def _lay_out(self, button: QToolButton) -> list[QWidget]:
        row = QHBoxLayout(self)
        row.setContentsMargins(appearance.GAP, 3, appearance.GAP, 3)
        row.setSpacing(appearance.GAP)
        row.addWidget(button)
        row.setSizeConstraint(QHBoxLayout.SizeConstraint.SetNoConstraint)
        adjusters: list[QWidget] = []
        self._words: list[QWidget] = []
        for words, slider, value in (
            ("Opacity", self._opacity, self._opacity_value),
            ("Threshold", self._threshold, self._threshold_value),
        ):
            label = QLabel(words)
            self._words.append(label)
            row.addSpacing(appearance.GAP)
            for widget in (label, slider, value):
                row.addWidget(widget)
                adjusters.append(widget)
        row.addSpacing(appearance.GAP)
        row.addWidget(self._colours)
        row.addWidget(self._state, 1)
        return [*adjusters, self._colours]

    def minimumSizeHint(self) -> QSize:
        """The strip never makes the viewer wider: where room is short it gives up words first."""
        return QSize(240, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Words, then numbers, go where there is no room for them; tool tips still say what each slider is."""
        width = event.size().width()
        for widget in (*self._words, self._state):
            widget.setVisible(width >= WORDS_FROM)
        for widget in (self._opacity_value, self._threshold_value):
            widget.setVisible(width >= NUMBERS_FROM)

    def show_overlay(self, overlay: Overlay, *, available: bool, state: str) -> None:
        """Show `overlay`; `available` False greys all out and `state` says why."""
        self._overlay = overlay
        blockers = [QSignalBlocker(widget) for widget in (self._opacity, self._threshold, self._colours)]
        self._opacity.setValue(round(overlay.opacity * 100))
        self._threshold.setValue(round(overlay.threshold * THRESHOLD_STEPS))
        self._colours.setCurrentIndex(self._colours.findData(overlay.colour_map))
        del blockers
        self._opacity_value.setText(f"{overlay.opacity * 100:.0f} %")
        self._threshold_value.setText(f"{overlay.threshold:.2f}")
        for widget in self._adjusters:
            widget.setEnabled(available)
        self._state.setText(state)
        self._state.setToolTip(state)

    def _ask(self, **changes: float | str) -> None:
        values = {name: getattr(self._overlay, name) for name in ("on", "opacity", "threshold", "colour_map")}
        self.changed.emit(Overlay(**{**values, **changes}))


class _ElidedLabel(QLabel):
    """One line that ends in an ellipsis where the room does."""

    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setPen(QColor(appearance.TEXT_FAINT))
        shown = self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, self.width())
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, shown)
        painter.end()


def _slider(name: str, tip: str, steps: int) -> QSlider:
    slider = QSlider(Qt.Orientation.Horizontal)
    slider.setAccessibleName(name)
    slider.setRange(0, steps)
    slider.setMinimumWidth(40)
    slider.setMaximumWidth(110)
    slider.setToolTip(tip)
    return slider


def _value(widest: str) -> QLabel:
    """A label that does not move its neighbours when the number changes."""
    label = QLabel(widest)
    label.setFixedWidth(label.sizeHint().width() + 6)
    return label


def _swatch(name: str) -> QIcon:
    colours = level_colours(colour_maps.colours(name), colour_maps.map_opacities())
    strip = QImage(colours.data, len(colours), 1, len(colours) * 4, QImage.Format.Format_RGB32)
    return QIcon(QPixmap.fromImage(strip.scaled(48, 10)))
