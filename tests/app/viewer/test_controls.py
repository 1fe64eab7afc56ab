"""Mouse, keys and controls do what they promise, and actions say what they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QSlider, QWidget
from pytestqt.qtbot import QtBot

from app.icons import wake_icons
from app.state.viewing import Turn
from app.viewer.scene import Role
from app.viewer.viewer import Viewer
from app.viewer.window_presets import window_presets
from engine.imaging.series import Series

Open = Callable[[Series], Viewer]
MakeCt = Callable[..., Any]


@pytest.fixture
def ct(opened: Open, made_ct: MakeCt) -> Viewer:
    return opened(made_ct("ct", body_part="HEAD"))


def pane(viewer: Viewer) -> QWidget:
    return viewer._panes[Role.ORIGINAL]


def wheel(viewer: Viewer, notches: float, at: QPoint, *keys: Qt.KeyboardModifier) -> None:
    modifiers = keys[0] if keys else Qt.KeyboardModifier.NoModifier
    widget = pane(viewer)
    event = QWheelEvent(
        QPointF(at),
        QPointF(widget.mapToGlobal(at)),
        QPoint(),
        QPoint(0, round(notches * 120)),
        Qt.MouseButton.NoButton,
        modifiers,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(widget, event)


def drag(viewer: Viewer, button: Qt.MouseButton, right: int, down: int) -> None:
    widget, start = pane(viewer), QPoint(200, 200)
    QTest.mousePress(widget, button, pos=start)
    QTest.mouseMove(widget, start + QPoint(right, down))
    QTest.mouseRelease(widget, button, pos=start + QPoint(right, down))


def activate(qtbot: QtBot, viewer: Viewer) -> None:
    viewer.activateWindow()
    viewer.setFocus()
    qtbot.waitUntil(viewer.isActiveWindow)


def test_the_wheel_scrolls_slices_and_gathers_small_steps(ct: Viewer) -> None:
    wheel(ct, -1, QPoint(50, 50))
    assert ct.view.slice_index == 5
    wheel(ct, 2, QPoint(50, 50))
    assert ct.view.slice_index == 3
    for _ in range(4):
        wheel(ct, -0.25, QPoint(50, 50))
    assert ct.view.slice_index == 4


def test_ctrl_and_wheel_zoom_about_the_cursor(ct: Viewer) -> None:
    at = QPoint(320, 200)
    before = ct._panes[Role.ORIGINAL].placement().to_pixel(at.x(), at.y())
    wheel(ct, 2, at, Qt.KeyboardModifier.ControlModifier)
    placed = ct._panes[Role.ORIGINAL].placement()
    assert ct.view.zoom is not None
    assert placed.to_pixel(at.x(), at.y()) == pytest.approx(before)
    assert ct.view.slice_index == 4


def test_the_right_button_windows_the_middle_one_pans_and_a_double_click_fits(ct: Viewer) -> None:
    drag(ct, Qt.MouseButton.RightButton, 60, 0)
    assert ct.view.window.width > 80
    drag(ct, Qt.MouseButton.MiddleButton, 30, 10)
    assert ct.view.centre is not None
    QTest.mouseDClick(pane(ct), Qt.MouseButton.LeftButton, pos=QPoint(100, 100))
    assert ct.view.zoom is None and ct.view.centre is None


def test_the_left_button_does_what_its_tool_says(ct: Viewer) -> None:
    drag(ct, Qt.MouseButton.LeftButton, 60, 0)
    assert ct.view.window.width > 80
    width = ct.view.window.width
    ct.action("tool-pan").trigger()
    drag(ct, Qt.MouseButton.LeftButton, 40, 0)
    assert ct.view.centre is not None and ct.view.window.width == width
    ct.action("fit").trigger()
    ct.action("tool-zoom").trigger()
    fitted = ct._panes[Role.ORIGINAL].placement().zoom
    drag(ct, Qt.MouseButton.LeftButton, 0, -40)
    assert ct._panes[Role.ORIGINAL].placement().zoom > fitted


@pytest.mark.parametrize("inverted", [False, True])
def test_dragging_up_brightens_what_is_seen(ct: Viewer, inverted: bool) -> None:
    def grey() -> int:
        image = ct.grab_image()
        return image.pixelColor(image.width() // 2, image.height() // 3).red()

    if inverted:
        ct.action("invert").trigger()
    before = grey()
    drag(ct, Qt.MouseButton.RightButton, 0, -30)
    assert grey() > before


@pytest.mark.parametrize("preset", window_presets(), ids=lambda preset: preset.name)
def test_digits_set_the_ct_windows(qtbot: QtBot, ct: Viewer, preset: Any) -> None:
    activate(qtbot, ct)
    QTest.keyClick(ct, preset.key)
    assert (ct.view.window.center, ct.view.window.width) == (preset.center, preset.width)
    QTest.keyClick(ct, "0")
    assert (ct.view.window.center, ct.view.window.width) == (40, 80)


def test_keys_scroll_turn_and_zoom(qtbot: QtBot, ct: Viewer) -> None:
    activate(qtbot, ct)
    for key, index in (
        (Qt.Key.Key_Home, 0),
        (Qt.Key.Key_Down, 1),
        (Qt.Key.Key_End, 8),
        (Qt.Key.Key_Up, 7),
        (Qt.Key.Key_PageUp, 0),
        (Qt.Key.Key_PageDown, 8),
        (Qt.Key.Key_Left, 7),
        (Qt.Key.Key_Right, 8),
    ):
        QTest.keyClick(ct, key)
        assert ct.view.slice_index == index
    QTest.keyClick(ct, "R")
    assert ct.view.turn == Turn(1)
    QTest.keyClick(ct, "H")
    assert ct.view.turn == Turn(1).flipped_horizontally()
    QTest.keyClick(ct, "O")
    assert ct.view.zoom == pytest.approx(1.0)
    QTest.keyClick(ct, "F")
    assert ct.view.zoom is None
    QTest.keyClick(ct, "I")
    assert ct.view.inverted
    QTest.keyClick(ct, "R", Qt.KeyboardModifier.ShiftModifier)
    assert ct.view.turn == Turn() and not ct.view.inverted


def test_every_action_has_words_a_key_an_icon_and_says_its_key(viewer: Viewer) -> None:
    wake_icons()
    keys = []
    for action in viewer.actions():
        assert action.text() and not action.icon().isNull() and action.property("group")
        assert action.shortcuts() and action.shortcuts()[0].toString() in action.toolTip().replace("PgDn", "PgDown")
        keys += [key.toString() for key in action.shortcuts()]
    assert len(keys) == len(set(keys))


def test_actions_are_enabled_only_where_they_do_something(qtbot: QtBot, viewer: Viewer, opened: Open, png: Any) -> None:
    assert not viewer.action("invert").isEnabled()
    opened(png("film", np.arange(2500, dtype=np.uint8).reshape(50, 50)))
    assert viewer.action("invert").isEnabled()
    assert not viewer.action("preset-1").isEnabled()  # HU windows mean nothing on a film
    assert not viewer.action("slice-next").isEnabled()
    assert not viewer.action("overlay").isEnabled()
    viewer.set_result("film", np.ones((50, 50), np.float16), None)
    qtbot.waitUntil(viewer.result_is_ready)
    assert viewer.action("overlay").isEnabled()


def test_the_overlay_strip_and_the_view_agree(qtbot: QtBot, ct: Viewer) -> None:
    ct.set_result("ct", np.full((9, 40, 60), 2.0, np.float16), None)
    qtbot.waitUntil(ct.result_is_ready)
    opacity, threshold = ct._controls.findChildren(QSlider)
    opacity.setValue(30)
    threshold.setValue(30)
    assert (ct.view.overlay.opacity, ct.view.overlay.threshold) == (0.3, 1.5)
    ct.action("opacity-up").trigger()
    ct.action("threshold-down").trigger()
    assert (opacity.value(), threshold.value()) == (40, 25)


def test_the_slice_bar_goes_where_it_is_clicked(ct: Viewer) -> None:
    bar = ct._slice_bar
    QTest.mouseClick(bar, Qt.MouseButton.LeftButton, pos=QPoint(5, bar.height() - 9))
    assert ct.view.slice_index == 8
    QTest.mouseClick(bar, Qt.MouseButton.LeftButton, pos=QPoint(5, 9))
    assert ct.view.slice_index == 0


def test_the_readout_names_position_value_and_unit(qtbot: QtBot, ct: Viewer) -> None:
    from app.viewer import captions

    ct.set_result("ct", np.full((9, 40, 60), 2.0, np.float16), None)
    qtbot.waitUntil(ct.result_is_ready)
    ct.action("overlay").trigger()
    ct._point((12.7, 5.2))
    lines = captions.corners(ct._scene, Role.ORIGINAL, 1.0, True).bottom_left
    assert lines[0] == "12, 5   40 HU   heatmap 2.0"
    assert lines[1] == "Slice 5 / 9   10.0 mm"
    assert lines[2] == "W 80   L 40   Brain"
    ct._point((-1.0, 5.0))
    assert captions.corners(ct._scene, Role.ORIGINAL, 1.0, True).bottom_left[0] == ""
