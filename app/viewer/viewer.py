"""The viewer that a window embeds: opens a series, draws it and its result, and offers its actions.

It owns the view and the scene; panes, slice bar and controls only draw them and send wishes. All decoding and map making runs in tasks
that answer for one series key; an answer for any other series than the one on screen is dropped.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QAction, QImage
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.state.viewing import Layout, Overlay, Tool, View
from app.tasks import Task, run_task
from app.viewer.commands import PRESET, make_actions
from app.viewer.layouts import Canvas
from app.viewer.loading import GivenResult, OpenSeries, PictureResponse, PrepareResult, as_normascope_error
from app.viewer.overlay_controls import OverlayControls
from app.viewer.picture import Picture
from app.viewer.placement import panned, zoomed_about
from app.viewer.result_layers import ResultLayers
from app.viewer.scene import Notice, Role, Scene
from app.viewer.slice_bar import SliceBar
from app.viewer.steps import after
from engine.imaging.series import Series

ZOOM_PER_PIXEL = 1.01
CURSORS = {
    Tool.WINDOW: Qt.CursorShape.CrossCursor,
    Tool.PAN: Qt.CursorShape.OpenHandCursor,
    Tool.ZOOM: Qt.CursorShape.SizeVerCursor,
}
ON_SCREEN_FIRST = 10


class Viewer(QWidget):
    """One series on screen, with its heatmap and reconstruction.

    Signals:
        loading(float): how much of the series is decoded, 0..1.
        failed(object): the NormascopeError that is also shown in words.
        warningsChanged(list): what a reader must know about the image, list[str].
        shown(): the first pixel of a series is on screen.
    """

    loading = Signal(float)
    failed = Signal(object)
    warningsChanged = Signal(list)  # noqa: N815  Qt names signals so
    shown = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene = Scene()
        self._series: Series | None = None
        self._opening: Task[PictureResponse] | None = None
        self._given: GivenResult | None = None
        self._preparing: Task[ResultLayers] | None = None
        self._result_fault = ""
        self._shown_key = ""
        self._actions = make_actions(self, self._run)
        self._canvas = Canvas(self._scene)
        self._panes = self._canvas.panes
        self._slice_bar = SliceBar(self._scene)
        self._controls = OverlayControls(self._actions["overlay"])
        self._lay_out()
        self._connect()
        self._refresh()

    def _lay_out(self) -> None:
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        for pane in self._panes.values():
            pane.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
            pane.setFocusProxy(self)
        middle = QHBoxLayout()
        middle.setSpacing(0)
        middle.addWidget(self._canvas, 1)
        middle.addWidget(self._slice_bar)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addLayout(middle, 1)
        whole.addWidget(self._controls)

    def _connect(self) -> None:
        for pane in self._panes.values():
            pane.scrolled.connect(lambda slices: self._change(self.view.scrolled(slices)))
            pane.dragged.connect(self._drag)
            pane.zoomed.connect(self._zoom)
            pane.fitted.connect(lambda: self._change(self.view.zoomed_to(None, None)))
            pane.pointed.connect(self._point)
        self._panes[Role.ORIGINAL].painted.connect(self._painted)
        self._slice_bar.wanted.connect(self.go_to_slice)
        self._controls.changed.connect(self.set_overlay)

    # What the window calls

    @property
    def view(self) -> View:
        """What is shown and how."""
        return self._scene.view

    @property
    def series(self) -> Series | None:
        """The series on screen or being opened."""
        return self._series

    def show_series(self, series: Series) -> None:
        """Open a series off the GUI thread; whatever was on screen, its result included, goes at once."""
        what = series.description or series.body_part.capitalize() or series.path.rsplit("/", 1)[-1]
        self._leave(Notice(f"Opening {what}", fraction=0.0 if series.kind == "volume" else None))
        self._series = series
        self._opening = run_task(
            OpenSeries(series),
            self._opened,
            lambda error: self._open_failed(series, error),
            on_partial=self._slice_arrived,
            owner=self,
            priority=ON_SCREEN_FIRST,
        )

    def set_result(
        self,
        series_key: str,
        heatmap: npt.NDArray[np.generic] | None,
        reconstruction: npt.NDArray[np.generic] | None,
        reconstruction_label: str = "",
        *,
        difference: npt.NDArray[np.generic] | None = None,
    ) -> None:
        """The result of the series `series_key`; ignored when another series is open by now.

        `series_key` is not optional: it is what keeps a heatmap from ever being drawn on another study.

        Args:
            series_key: `Series.key` of the series that was scored.
            heatmap: [rows, columns] or [slices, rows, columns] in original pixels, cohort units; may be a memory map.
            reconstruction: the same shape, [0, 1], 1 = white.
            reconstruction_label: which model made it, for the pane's heading.
            difference: the same shape, [0, 1]: how far what the model saw is from the reconstruction.
        """
        if self._series is None or series_key != self._series.key:
            return
        self._forget_result()
        if heatmap is not None or reconstruction is not None:
            self._given = GivenResult(heatmap, reconstruction, difference, reconstruction_label)
            self._prepare_result()
        self._refresh()

    def clear(self) -> None:
        """Show nothing."""
        self._leave(Scene().notice)

    def set_overlay(self, overlay: Overlay) -> None:
        """Change how the heatmap is drawn."""
        self._change(replace(self.view, overlay=overlay))

    def go_to_slice(self, index: int) -> None:
        """Show another slice of the volume, held within it."""
        self._change(self.view.at_slice(index))

    def result_is_ready(self) -> bool:
        """Every slice of the result that was set can be drawn."""
        layers = self._scene.result
        made = (layers.heatmap, layers.reconstruction, layers.difference) if layers is not None else ()
        return layers is not None and all(layer is None or bool(layer.ready.all()) for layer in made)

    def actions(self) -> list[QAction]:
        """Every command with icon, text, shortcut and tool tip; `action.property("group")` names its menu:
        "tool", "window", "image", "overlay", "layout", "slice". `action.objectName()` is the command's name."""
        return list(self._actions.values())

    def action(self, name: str) -> QAction:
        """One command by its name in `commands.COMMANDS`."""
        return self._actions[name]

    def grab_image(self) -> QImage:
        """What the canvas shows now, annotations included."""
        return self._canvas.grab().toImage()

    # Opening

    def _leave(self, notice: Notice) -> None:
        """Drop the series on screen and all that is under way for it."""
        if self._opening is not None:
            self._opening.cancel()
        self._forget_result()
        self._opening, self._series, self._shown_key = None, None, ""
        self._scene.picture, self._scene.cursor, self._scene.notice = None, None, notice
        self._scene.view = self.view.opened("", 0, 0, View().window)
        self.warningsChanged.emit([])
        self._refresh()

    def _slice_arrived(self, response: PictureResponse) -> None:
        if self._series is None or response.series_key != self._series.key or response.slice_index is None:
            return
        if self._scene.picture is None:
            self._adopt(response.picture, response.slice_index)
        self.loading.emit(float(response.picture.loaded.mean()))
        self._slice_bar.update()
        if response.slice_index == self.view.slice_index:
            self._update_panes()

    def _opened(self, response: PictureResponse) -> None:
        if self._series is None or response.series_key != self._series.key:
            return
        if self._scene.picture is None:
            self._adopt(response.picture, response.picture.slice_count // 2)
        self._scene.picture = response.picture
        self.loading.emit(1.0)
        self._tell_warnings()
        self._refresh()

    def _adopt(self, picture: Picture, slice_index: int) -> None:
        """The first pixels of a series: start its view."""
        self._scene.picture = picture
        self._scene.view = self.view.opened(picture.series.key, picture.slice_count, slice_index, picture.window)
        self._prepare_result()
        self._tell_warnings()
        self._refresh()

    def _open_failed(self, series: Series, error: Exception) -> None:
        if self._series is None or series.key != self._series.key:
            return
        fault = as_normascope_error(error, series)
        self._leave(Notice.of(fault))
        self.failed.emit(fault)

    def _painted(self, series_key: str) -> None:
        if self._series is not None and series_key == self._series.key and self._shown_key != series_key:
            self._shown_key = series_key
            self.shown.emit()

    # The result

    def _forget_result(self) -> None:
        if self._preparing is not None:
            self._preparing.cancel()
        self._given, self._preparing, self._scene.result, self._result_fault = None, None, None, ""

    def _prepare_result(self) -> None:
        """Once both the picture and the result are there; the slice on screen first."""
        picture, given = self._scene.picture, self._given
        if picture is None or given is None:
            return
        request = PrepareResult(picture.series.key, picture.shape, self.view.slice_index, given)
        key = picture.series.key
        self._preparing = run_task(
            request,
            lambda layers: self._result_arrived(layers, None),
            lambda error: self._result_failed(key, error),
            on_partial=lambda part: self._result_arrived(*part),
            owner=self,
        )

    def _result_arrived(self, layers: ResultLayers, slice_index: int | None) -> None:
        if self._series is None or layers.series_key != self._series.key:
            return
        first = self._scene.result is not layers
        self._scene.result = layers
        if slice_index == self.view.slice_index:
            self._update_panes()
        if first or slice_index is None:
            self._refresh()
        self._slice_bar.update()

    def _result_failed(self, series_key: str, error: Exception) -> None:
        if self._series is None or series_key != self._series.key:
            return
        fault = as_normascope_error(error, self._series)
        self._scene.result, self._result_fault = None, str(fault)
        self._tell_warnings()
        self._refresh()
        self.failed.emit(fault)

    def _tell_warnings(self) -> None:
        picture = self._scene.picture
        if picture is None:
            return
        said = (*picture.series.warnings, *picture.warnings, *filter(None, (self._result_fault,)))
        self.warningsChanged.emit(list(dict.fromkeys(said)))

    # The view

    def _change(self, view: View) -> None:
        """Show another view of the same series."""
        old = self.view
        if view == old:
            return
        self._scene.view = view
        if _controls_of(view) != _controls_of(old):
            self._refresh()
        else:
            self._update_panes()
        self._slice_bar.update()

    def _update_panes(self) -> None:
        for pane in self._panes.values():
            pane.update()

    def _refresh(self) -> None:
        """Bring panes, controls and actions in line with the scene."""
        scene, view = self._scene, self.view
        self._canvas.arrange()
        self._slice_bar.setVisible(scene.picture is not None and scene.picture.slice_count > 1)
        self._controls.show_overlay(view.overlay, available=scene.has_heatmap(), state=self._overlay_state())
        self._enable_actions()
        self._update_panes()
        self._slice_bar.update()

    def _enable_actions(self) -> None:
        picture, view = self._scene.picture, self.view
        is_ct = picture is not None and picture.unit == "HU"
        for name, action in self._actions.items():
            group = action.property("group")
            enabled = group == "tool" or picture is not None
            if name.startswith(PRESET):
                enabled = is_ct
            elif group == "slice":
                enabled = picture is not None and picture.slice_count > 1
            elif group == "overlay":
                enabled = self._scene.has_heatmap()
            action.setEnabled(enabled)
        for pane in self._panes.values():
            pane.setCursor(CURSORS[view.tool])
        self._actions["overlay"].setChecked(view.overlay.on)
        self._actions["compare"].setChecked(view.layout is Layout.COMPARE)
        self._actions["invert"].setChecked(view.inverted)
        self._actions[f"tool-{view.tool}"].setChecked(True)

    def _overlay_state(self) -> str:
        if self._scene.picture is None or self._scene.has_heatmap():
            return ""
        if self._result_fault:
            return self._result_fault
        return "Heatmap is loading" if self._given is not None else "No heatmap"

    # What the reader does

    def _image_pane(self) -> tuple[float, float]:
        area: QRectF = self._panes[Role.ORIGINAL].image_area()
        return area.width(), area.height()

    def _drag(self, tool: Tool, right: float, down: float, x: float, y: float) -> None:
        picture = self._scene.picture
        if picture is None:
            return
        if tool is Tool.PAN:
            self._change(panned(self.view, picture.size, self._image_pane(), right, down))
        elif tool is Tool.ZOOM:
            self._zoom(ZOOM_PER_PIXEL**-down, x, y)
        else:
            upward = down if picture.turned_over != self.view.inverted else -down
            self._change(self.view.dragged_window(right, upward, picture.span))

    def _zoom(self, factor: float, x: float, y: float) -> None:
        if self._scene.picture is not None:
            self._change(zoomed_about(self.view, self._scene.picture.size, self._image_pane(), (x, y), factor))

    def _point(self, at: tuple[float, float] | None) -> None:
        self._scene.cursor = at
        for role, pane in self._panes.items():
            if role is Role.ORIGINAL and self.view.layout is Layout.ORIGINAL:
                pane.update(pane.readout_area())
            elif pane.isVisible():
                pane.update()

    def _run(self, name: str) -> None:
        """Carry out a command."""
        view, picture = self.view, self._scene.picture
        if name.startswith("tool-"):
            self._change(replace(view, tool=Tool(name.removeprefix("tool-"))))
        elif picture is not None:
            self._change(after(name, view, picture, self._image_pane()))
        self._enable_actions()


def _controls_of(view: View) -> tuple[object, ...]:
    """What controls, actions and the arrangement of panes depend on; scrolling, windowing and zooming change none of it."""
    return view.overlay, view.layout, view.tool, view.inverted, view.turn
