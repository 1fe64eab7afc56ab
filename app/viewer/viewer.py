"""The viewer that a window embeds: opens a series, draws it and its result, and offers its actions."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import Signal
from PySide6.QtGui import QAction, QImage
from PySide6.QtWidgets import QWidget

from engine.imaging.series import Series


class Viewer(QWidget):
    """One series on screen, with its heatmap and reconstruction.

    Signals:
        loading(float): how much of the series is decoded, 0..1.
        failed(object): the NormascopeError that the canvas also shows in words.
        warningsChanged(list): what a reader must know about the image, list[str].
        shown(): the first pixel of a series is on screen.
    """

    loading = Signal(float)
    failed = Signal(object)
    warningsChanged = Signal(list)
    shown = Signal()

    def show_series(self, series: Series) -> None:
        """Open a series off the GUI thread; whatever was on screen, its result included, goes at once."""
        self._series = series

    def set_result(
        self,
        series_key: str,
        heatmap: npt.NDArray[np.float16] | None,
        reconstruction: npt.NDArray[np.generic] | None,
        reconstruction_label: str = "",
    ) -> None:
        """The result of the series `series_key`; ignored when another series is open by now.

        `series_key` is not optional: it is what keeps a heatmap from ever being drawn on another study.

        Args:
            series_key: `Series.key` of the series that was scored.
            heatmap: [rows, columns] or [slices, rows, columns] in original pixels, cohort units; may be a memory map.
            reconstruction: the same shape, [0, 1], 1 = white.
            reconstruction_label: which model made it, for the pane's heading.
        """

    def clear(self) -> None:
        """Show nothing."""

    def actions(self) -> list[QAction]:  # type: ignore[override]
        """Every command with icon, text, shortcut and tool tip; `action.property("group")` names its menu:
        "tool", "window", "image", "overlay", "layout", "slice"."""
        return []

    def grab_image(self) -> QImage:
        """What the canvas shows now, annotations included."""
        return self.grab().toImage()
