"""The viewer in a real window: what opens, in which order, and that one study's result is never drawn on another's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor, QImage, QPainter
from pytestqt.qtbot import QtBot

from app.state.viewing import Layout, Overlay
from app.viewer.annotations import HEADING_INK, MARGIN, heading_that_fits
from app.viewer.colour_bar import draw_colour_bar
from app.viewer.scene import Role
from app.viewer.viewer import Viewer
from engine.errors import InconsistentSeries, NormascopeError
from engine.imaging.series import Series

Open = Callable[[Series], Viewer]
MakeCt = Callable[..., Any]
Png = Callable[..., Series]


def centre_colour(viewer: Viewer, dx: int = 0, dy: int = 0) -> QColor:
    image: QImage = viewer.grab_image()
    return image.pixelColor(image.width() // 2 + dx, image.height() // 2 + dy)


def has_colour(viewer: Viewer) -> bool:
    """True when a pixel near the centre is not grey: a heatmap is drawn there."""
    colour = centre_colour(viewer)
    return max(colour.red(), colour.green(), colour.blue()) - min(colour.red(), colour.green(), colour.blue()) > 20


def wait_for_result(qtbot: QtBot, viewer: Viewer) -> None:
    qtbot.waitUntil(viewer.result_is_ready)


def test_the_middle_slice_is_on_screen_while_the_rest_still_loads(
    qtbot: QtBot, viewer: Viewer, made_ct: MakeCt
) -> None:
    series = made_ct("ct", open=False)
    with qtbot.waitSignal(viewer.shown):
        viewer.show_series(series)
    assert viewer.view.slice_index == 4
    fractions: list[float] = []
    viewer.loading.connect(fractions.append)
    series.gate.set()
    qtbot.waitUntil(lambda: 1.0 in fractions)
    assert fractions == sorted(fractions)
    assert viewer.view.slice_index == 4


def test_a_slice_that_is_not_there_says_so_and_one_that_arrives_is_drawn(
    qtbot: QtBot, viewer: Viewer, made_ct: MakeCt
) -> None:
    series = made_ct("ct", open=False, broken=(0,))
    with qtbot.waitSignal(viewer.shown):
        viewer.show_series(series)
    viewer.go_to_slice(8)
    scene = viewer._scene
    assert scene.missing(Role.ORIGINAL) == "Slice 9 is still loading"
    series.gate.set()
    qtbot.waitUntil(lambda: scene.missing(Role.ORIGINAL) == "")
    viewer.go_to_slice(0)
    assert scene.missing(Role.ORIGINAL) == "Slice 1 cannot be read. Copy or send the series again."


def test_a_result_is_drawn_once_the_layer_is_switched_on(qtbot: QtBot, opened: Open, made_ct: MakeCt) -> None:
    viewer = opened(made_ct("ct"))
    viewer.set_result("ct", np.full((9, 40, 60), 2.0, np.float16), None)
    wait_for_result(qtbot, viewer)
    assert not has_colour(viewer)
    viewer.action("overlay").trigger()
    assert has_colour(viewer)
    viewer.action("overlay").trigger()
    assert not has_colour(viewer)


def test_a_heatmap_below_the_threshold_leaves_the_original_untouched(
    qtbot: QtBot, opened: Open, made_ct: MakeCt
) -> None:
    viewer = opened(made_ct("ct"))
    bare = centre_colour(viewer)
    viewer.set_result("ct", np.full((9, 40, 60), 0.97, np.float16), None)
    wait_for_result(qtbot, viewer)
    viewer.action("overlay").trigger()
    assert centre_colour(viewer) == bare
    viewer.set_overlay(viewer.view.with_overlay(threshold=0.2).overlay)
    assert has_colour(viewer)


def test_a_result_of_another_series_is_never_drawn(qtbot: QtBot, opened: Open, made_ct: MakeCt) -> None:
    viewer = opened(made_ct("b"))
    viewer.action("overlay").setEnabled(True)
    viewer.action("overlay").trigger()
    viewer.set_result("a", np.full((9, 40, 60), 3.0, np.float16), None)
    qtbot.wait(50)
    assert viewer._scene.result is None
    assert not has_colour(viewer)


def test_switching_fast_never_mixes_two_studies(qtbot: QtBot, viewer: Viewer, made_ct: MakeCt) -> None:
    """Series with a heatmap and without alternate faster than either loads; whatever is painted belongs together."""
    viewer.set_overlay(viewer.view.with_overlay(on=True).overlay)
    hot = np.full((9, 40, 60), 3.0, np.float16)
    for round_number in range(30):
        with_map, without = made_ct(f"hot{round_number}"), made_ct(f"cold{round_number}")
        viewer.show_series(with_map)
        viewer.set_result(with_map.key, hot, None)
        qtbot.wait(round_number % 4)
        viewer.show_series(without)
        viewer.set_result(with_map.key, hot, None)
        for _ in range(3):
            qtbot.wait(1)
            assert viewer._scene.result is None
            assert viewer._scene.picture is None or viewer._scene.picture.series.key == without.key
            assert not has_colour(viewer)


def test_a_result_may_come_before_the_image(qtbot: QtBot, viewer: Viewer, made_ct: MakeCt) -> None:
    series = made_ct("ct", open=False)
    viewer.show_series(series)
    viewer.set_result("ct", np.full((9, 40, 60), 2.0, np.float16), None)
    wait_for_result(qtbot, viewer)
    viewer.action("overlay").trigger()
    assert has_colour(viewer)
    series.gate.set()


def test_a_heatmap_of_another_shape_is_refused_in_words(qtbot: QtBot, opened: Open, made_ct: MakeCt) -> None:
    viewer = opened(made_ct("ct"))
    with qtbot.waitSignal(viewer.failed) as failed:
        viewer.set_result("ct", np.zeros((9, 40, 61), np.float16), None)
    assert isinstance(failed.args[0], InconsistentSeries)
    assert "9 x 40 x 61" in str(failed.args[0])
    assert viewer._scene.result is None
    assert viewer._scene.missing(Role.ORIGINAL) == ""


def test_a_file_that_cannot_be_read_is_an_error_in_words_with_a_cure(
    qtbot: QtBot, viewer: Viewer, tmp_path: Any
) -> None:
    (tmp_path / "empty.dcm").write_bytes(b"")
    series = Series("x", "1", "1.1", "radiograph", "dicom", (str(tmp_path / "empty.dcm"),))
    with qtbot.waitSignal(viewer.failed) as failed:
        viewer.show_series(series)
    error = failed.args[0]
    assert isinstance(error, NormascopeError)
    notice = viewer._scene.notice
    assert notice.is_error and notice.cure == error.cure
    assert "empty.dcm" in notice.detail
    assert viewer.series is None


def test_a_fault_of_the_program_is_told_and_not_swallowed(
    qtbot: QtBot, viewer: Viewer, made_ct: MakeCt, monkeypatch: pytest.MonkeyPatch
) -> None:
    series = made_ct("ct")
    monkeypatch.setattr(type(series), "load_volume", lambda self, **how: 1 // 0)
    with qtbot.waitSignal(viewer.failed) as failed:
        viewer.show_series(series)
    assert "ZeroDivisionError" in str(failed.args[0])


def test_warnings_of_series_and_image_are_told_once_each(qtbot: QtBot, viewer: Viewer, made_ct: MakeCt) -> None:
    told: list[list[str]] = []
    viewer.warningsChanged.connect(told.append)
    series = made_ct("ct", warnings=("localiser left out", "uneven"))
    with qtbot.waitSignal(viewer.shown):
        viewer.show_series(series)
    qtbot.waitUntil(lambda: told[-1] == ["localiser left out", "uneven"])
    viewer.clear()
    assert told[-1] == []


def test_clearing_removes_image_result_and_names(qtbot: QtBot, opened: Open, made_ct: MakeCt) -> None:
    viewer = opened(made_ct("ct", patient_name="Doe^Jane"))
    viewer.set_result("ct", np.full((9, 40, 60), 2.0, np.float16), None)
    wait_for_result(qtbot, viewer)
    viewer.clear()
    assert viewer._scene.picture is None and viewer._scene.result is None and viewer.series is None


def test_monochrome1_is_white_at_the_lowest_value_and_padding_stays_black(opened: Open, monochrome1: Series) -> None:
    viewer = opened(monochrome1)
    picture = viewer._scene.picture
    assert picture is not None
    image = viewer.grab_image()
    placement = viewer._panes[Role.ORIGINAL].placement()
    assert placement is not None

    def grey(column: float, row: float) -> int:
        x, y = placement.to_screen(column, row)
        return image.pixelColor(round(x), round(y)).red()

    assert grey(2, 40) > 220 > 60 > grey(29, 40)
    assert grey(16, 2) < 10
    viewer.action("invert").trigger()
    image = viewer.grab_image()
    assert grey(2, 40) < 60 < 180 < grey(29, 40)
    assert grey(16, 2) < 10


def test_pixels_that_are_not_square_are_drawn_true_to_the_patient(opened: Open, monochrome1: Series) -> None:
    viewer = opened(monochrome1)  # 64 rows of 0.4 mm, 32 columns of 0.2 mm: four times as tall as wide
    placement = viewer._panes[Role.ORIGINAL].placement()
    assert placement is not None
    left, top, right, bottom = placement.box_to_screen((0, 0, 32, 64))
    assert (bottom - top) / (right - left) == pytest.approx(4.0)


def test_a_png_opens_at_its_own_greys(opened: Open, png: Png) -> None:
    pixels = np.full((50, 50), 90, np.uint8)
    pixels[0, 0], pixels[0, 1] = 0, 255
    assert centre_colour(opened(png("film", pixels)), 40, 40).red() == pytest.approx(90, abs=2)


def test_a_large_film_is_drawn_from_a_smaller_scale_without_losing_its_mean(opened: Open, png: Png) -> None:
    checks = (np.indices((1500, 1500)).sum(axis=0) % 2 * 200).astype(np.uint8)
    viewer = opened(png("fine", checks))
    assert viewer._scene.picture is not None
    assert len(viewer._scene.picture.scales) == 3
    assert centre_colour(viewer, 30, 60).red() == pytest.approx(100, abs=4)  # skipping pixels would give 0 or 200


def test_values_that_are_not_hounsfield_open_in_a_window_that_shows_them(opened: Open, made_ct: MakeCt) -> None:
    """An atlas with offset values would be one white patch in any CT window."""
    series = made_ct("atlas", slices=401, side=(4, 4))  # the middle slice is all 2000
    window = opened(series).view.window
    low, high = window.limits
    assert low < 2000 < high + 2


def test_an_mr_has_no_ct_window_and_no_hounsfield_units(opened: Open, made_ct: MakeCt) -> None:
    """In the brain's window of a CT an MR of the brain is one white patch, and its values are no HU."""
    viewer = opened(made_ct("mr", modality="MR", body_part="BRAIN"))
    assert viewer._scene.picture is not None and viewer._scene.picture.unit == ""
    assert not viewer.action("preset-1").isEnabled()
    low, high = viewer.view.window.limits
    assert low < 40 < high < 60, "the middle slice, all 40, is neither black nor white"
    assert opened(made_ct("ct", body_part="BRAIN")).view.window.limits == (0, 79)


def test_the_files_own_windows_follow_one_another(qtbot: QtBot, viewer: Viewer, png: Png) -> None:
    from app.viewer.picture import picture_of_radiograph
    from engine.imaging.radiograph import Radiograph
    from engine.imaging.windowing import Window

    first, second = Window(100, 50, name="SOFT"), Window(200, 90, name="BONE")
    film = Radiograph(np.zeros((8, 8), np.uint16), None, first, other_windows=(second,))
    picture = picture_of_radiograph(png("film", np.zeros((8, 8), np.uint8)), film)
    assert picture.window_after(first) == second
    assert picture.window_after(second) == first
    assert picture.window_after(Window(7, 8)) == first


def test_comparing_labels_what_is_not_the_patient(qtbot: QtBot, opened: Open, made_ct: MakeCt) -> None:
    from app.viewer import captions

    viewer = opened(made_ct("ct"))
    viewer.set_result("ct", np.ones((9, 40, 60), np.float16), np.full((9, 40, 60), 0.5, np.float32), "alpha-gan")
    wait_for_result(qtbot, viewer)
    viewer.action("compare").trigger()
    assert viewer.view.layout is Layout.COMPARE
    assert viewer._panes[Role.RECONSTRUCTION].isVisible() and viewer._panes[Role.ERROR].isVisible()
    assert captions.heading(viewer._scene, Role.RECONSTRUCTION) == "Model's normal version - not the patient"
    assert captions.heading(viewer._scene, Role.ERROR) == "Error, |original - normal version|"
    assert viewer._scene.missing(Role.RECONSTRUCTION) == ""


def test_a_narrow_pane_still_says_that_it_is_not_the_patient(opened: Open, made_ct: MakeCt) -> None:
    """Cut off behind, "Model's normal version - not the patient" lost the words that it is there for."""
    scene = opened(made_ct("ct"))._scene
    assert "not the patient" in heading_that_fits(scene, Role.RECONSTRUCTION, 400)
    short = heading_that_fits(scene, Role.RECONSTRUCTION, 160)
    assert short == "Not the patient" and HEADING_INK.width(short) <= 160 - 2 * MARGIN


def test_the_colours_of_a_compared_pane_in_a_small_window_have_their_scale() -> None:
    """A quarter of the image in a window of 1280 x 800 is some 310 x 315 pixels."""
    pane = QImage(310, 315, QImage.Format.Format_RGB32)
    pane.fill(0)
    painter = QPainter(pane)
    draw_colour_bar(painter, Overlay(on=True), QRectF(pane.rect()))
    painter.end()
    assert any(pane.pixelColor(310 - MARGIN - 6, y).lightness() > 60 for y in range(150, 315))


def test_without_a_reconstruction_the_pane_says_that_there_is_none(opened: Open, made_ct: MakeCt) -> None:
    viewer = opened(made_ct("ct"))
    viewer.action("compare").trigger()
    assert viewer._scene.missing(Role.RECONSTRUCTION) == "No normal version for this series"
    assert viewer._scene.missing(Role.ERROR) == "No error picture for this series"
    assert viewer._scene.missing(Role.ORIGINAL) == ""


def test_compared_panes_share_slice_zoom_and_centre(qtbot: QtBot, opened: Open, made_ct: MakeCt) -> None:
    viewer = opened(made_ct("ct"))
    viewer.set_result("ct", np.ones((9, 40, 60), np.float16), np.full((9, 40, 60), 0.5, np.float32))
    wait_for_result(qtbot, viewer)
    viewer.action("compare").trigger()
    panes = viewer._panes
    panes[Role.ERROR].zoomed.emit(2.0, 30.0, 40.0)
    panes[Role.RECONSTRUCTION].scrolled.emit(2)
    placements = {panes[role].placement() for role in (Role.ORIGINAL, Role.RECONSTRUCTION, Role.ERROR)}
    assert len(placements) == 1
    assert viewer.view.slice_index == 6


def test_the_error_is_grey_on_a_scale_of_its_own_and_reconstruction_and_error_follow_the_window(
    qtbot: QtBot, opened: Open, png: Png
) -> None:
    viewer = opened(png("film", np.full((50, 50), 90, np.uint8)))
    made, away = np.full((50, 50), 0.25, np.float32), np.full((50, 50), 0.125, np.float16)
    viewer.set_result("film", np.full((50, 50), 3, np.float16), made, "alpha-gan", difference=away)
    wait_for_result(qtbot, viewer)
    viewer.action("compare").trigger()

    def grey(role: Role) -> int:
        image = viewer._panes[role].grab().toImage()
        colour = image.pixelColor(image.width() // 2, image.height() // 2)
        assert colour.red() == colour.green() == colour.blue(), "an error in colour would pass for the heatmap"
        return colour.red()

    assert grey(Role.RECONSTRUCTION) == pytest.approx(64, abs=2)
    assert grey(Role.ERROR) == pytest.approx(64, abs=2), "a quarter of the scale, which ends at half of white"
    window = viewer.view.window
    viewer._change(viewer.view.windowed(replace(window, width=window.width / 2)))
    assert grey(Role.RECONSTRUCTION) == pytest.approx(0, abs=2), "a quarter is where a window of half the width begins"
    assert grey(Role.ERROR) == pytest.approx(128, abs=3), "and differences show twice as bright"


def test_a_result_that_was_stored_without_its_error_says_how_to_get_it(
    qtbot: QtBot, opened: Open, made_ct: MakeCt
) -> None:
    viewer = opened(made_ct("ct"))
    viewer.set_result("ct", np.ones((9, 40, 60), np.float16), np.full((9, 40, 60), 0.5, np.float32))
    wait_for_result(qtbot, viewer)
    assert "Ctrl+R" in viewer._scene.missing(Role.ERROR)


def test_a_model_without_a_normal_version_is_not_said_to_make_no_error(
    qtbot: QtBot, opened: Open, made_ct: MakeCt
) -> None:
    viewer = opened(made_ct("ct"))
    viewer.set_result("ct", np.ones((9, 40, 60), np.float16), None)
    wait_for_result(qtbot, viewer)
    assert viewer._scene.missing(Role.RECONSTRUCTION) == "This model makes no normal version"
    assert viewer._scene.missing(Role.ERROR) == "This model makes no error picture"
