"""What a model takes for normal is seen in the window: marked pages of images, others on request, a file, and a line where it fails."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage
from pytestqt.qtbot import QtBot

from app import appearance
from app.window.drawing_process import COUNT, Draft, DrawingProcess
from app.window.drawing_sheet import TEMPERATURES, DrawingSheet
from app.window.drawn_page import BANNER, MARK, DrawnPage, page_picture, places
from engine.models import shelf
from engine.models.shelf import InstalledBundle
from tests.cards import plain_card

PRETENDED = """
import json, sys, time
import numpy as np
for line in sys.stdin:
    asked = json.loads(line)
    print(json.dumps({"event": "progress", "done": 1, "of": asked["count"]}), flush=True)
    time.sleep(float(sys.argv[1]))
    np.save(asked["out"], np.full((asked["count"], 8, 8), asked["seed"], np.uint8))
    print(json.dumps({"event": "drawn", "out": asked["out"]}), flush=True)
"""
"""Answers as the process does, with images as grey as their seed, after so many seconds."""

Opened = Callable[..., DrawingSheet]


def pretended(seconds: float) -> list[str]:
    return [sys.executable, "-c", PRETENDED, str(seconds)]


@pytest.fixture
def opened(qtbot: QtBot) -> Iterator[Opened]:
    """Opens a sheet in a real window."""
    sheets: list[DrawingSheet] = []

    def open_sheet(bundle: InstalledBundle, command: list[str] | None = None) -> DrawingSheet:
        sheet = DrawingSheet(bundle, command=command)
        sheets.append(sheet)
        sheet.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)  # the test looks at it afterwards
        qtbot.addWidget(sheet)
        with qtbot.waitExposed(sheet, timeout=15000):
            sheet.show()
        sheet.activateWindow()
        qtbot.waitUntil(sheet.isActiveWindow, timeout=15000)
        return sheet

    yield open_sheet
    for sheet in sheets:
        sheet.reject()


@pytest.fixture
def some_model(tmp_path: Path) -> InstalledBundle:
    return InstalledBundle("some", tmp_path / "some.safetensors", "5" * 16, plain_card(id="some", title="Some"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["chest-paediatric-alpha-gan", "chest-paediatric-glow-posterior", "head-phantom-glow3d-posterior"]
)
def test_a_shipped_model_draws_a_page_and_another_with_the_next_seed(name: str, opened: Opened, qtbot: QtBot) -> None:
    bundle = shelf.find(name)
    sheet = opened(bundle)
    qtbot.waitUntil(lambda: sheet.view.page is not None, timeout=60000)
    first = sheet.view.page
    assert first is not None and first.images.shape == (COUNT, *bundle.card.input.size[-2:])
    assert len(np.unique(first.images.reshape(COUNT, -1), axis=0)) == COUNT, "one image twice"
    qtbot.keyClick(sheet, Qt.Key.Key_N)
    qtbot.waitUntil(lambda: sheet.doing.text() == "Page 2", timeout=60000)
    second = sheet.view.page
    assert second is not None and not np.array_equal(first.images, second.images)
    assert ("middle slices" in second.caption) == (bundle.card.input.spatial_dims == 3) and name in second.caption


def test_a_model_that_cannot_be_read_gives_its_line_and_nothing_to_save(
    some_model: InstalledBundle, opened: Opened, qtbot: QtBot
) -> None:
    some_model.path.write_bytes(b"no bundle")
    sheet = opened(some_model)
    qtbot.waitUntil(lambda: sheet.view.words.startswith("some.safetensors: "), timeout=60000)
    assert "not a safetensors file. Choose" in sheet.view.words and not sheet.keep.isEnabled()


@pytest.mark.parametrize(
    "command, said",
    [
        ([sys.executable, "-c", "raise MemoryError('no room')"], "no room"),
        ([sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"], "its process was ended"),
        (["/nowhere/python"], "could not be started"),
    ],
)
def test_a_process_that_dies_is_told_and_others_may_be_asked_for(
    some_model: InstalledBundle, opened: Opened, qtbot: QtBot, command: list[str], said: str
) -> None:
    sheet = opened(some_model, command)
    qtbot.waitUntil(lambda: said in sheet.view.words, timeout=15000)
    sheet.process._command = pretended(0)
    sheet.others.click()
    qtbot.waitUntil(lambda: sheet.view.page is not None, timeout=15000)


def test_closing_while_it_draws_ends_the_process_and_says_nothing(
    some_model: InstalledBundle, opened: Opened, qtbot: QtBot
) -> None:
    sheet = opened(some_model, pretended(30))
    qtbot.waitUntil(lambda: "1 of" in sheet.doing.text(), timeout=15000)
    folder = sheet.process._file().parent
    heard: list[object] = []
    sheet.process.failed.connect(heard.append)
    sheet.process.drawn.connect(lambda draft, images: heard.append(draft))
    qtbot.keyClick(sheet, Qt.Key.Key_Escape)
    assert not sheet.isVisible() and not sheet.process.running and not folder.exists()
    qtbot.wait(50)
    assert not heard


def test_closing_before_the_process_runs_is_harmless(some_model: InstalledBundle, opened: Opened) -> None:
    sheet = opened(some_model, pretended(30))
    sheet.leave.click()
    assert not sheet.process.running


def test_of_what_is_asked_for_meanwhile_only_the_last_is_drawn(qtbot: QtBot, tmp_path: Path) -> None:
    process = DrawingProcess(tmp_path, command=pretended(0.3))
    pages: list[tuple[Draft, int]] = []
    process.drawn.connect(lambda draft, images: pages.append((draft, int(images[0, 0, 0]))))
    process.draw(Draft(0.7, 1))
    with qtbot.waitSignal(process.progress, timeout=15000):
        pass
    process.draw(Draft(0.7, 2))
    process.draw(Draft(1.0, 3))
    qtbot.waitUntil(lambda: bool(pages), timeout=15000)
    qtbot.wait(400)
    process.stop()
    assert pages == [(Draft(1.0, 3), 3)]


def test_another_temperature_draws_the_same_seed_anew(
    some_model: InstalledBundle, opened: Opened, qtbot: QtBot
) -> None:
    sheet = opened(some_model, pretended(0))
    qtbot.waitUntil(lambda: sheet.view.page is not None, timeout=15000)
    sheet.temperature.setFocus()
    qtbot.keyClick(sheet.temperature, Qt.Key.Key_Down)
    words = f"temperature {TEMPERATURES[2][0]:g}, seed 0"
    qtbot.waitUntil(lambda: sheet.view.page is not None and words in sheet.view.page.caption, timeout=15000)


def test_the_saved_page_says_in_picture_and_text_that_it_shows_no_patient(
    some_model: InstalledBundle, opened: Opened, qtbot: QtBot, tmp_path: Path
) -> None:
    sheet = opened(some_model, pretended(0))
    qtbot.waitUntil(lambda: sheet.keep.isEnabled(), timeout=15000)
    assert sheet.save(tmp_path / "page.png")
    saved = QImage(str(tmp_path / "page.png"))
    assert MARK in saved.text("Description") and "some" in saved.text("Description")
    banner = [saved.pixelColor(x, int(BANNER) // 2) for x in range(saved.width())]
    assert banner.count(QColor(appearance.WARNING)) > len(banner) // 2
    assert MARK in sheet.view.accessibleName()
    assert not sheet.save(tmp_path / "nowhere" / "page.png")
    assert "cannot be written" in sheet.doing.text()


@pytest.mark.parametrize("size", [QSize(480, 300), QSize(1040, 760)])
def test_every_image_bears_its_own_mark(size: QSize, qtbot: QtBot) -> None:
    page = DrawnPage(np.full((COUNT, 32, 32), 255, np.uint8), "")
    picture = page_picture(page, size)
    dots = np.frombuffer(picture.constBits(), np.uint8).reshape(size.height(), size.width(), 4).astype(int)
    coloured = dots[..., 2] - dots[..., 0] > 60  # the images are grey
    room = QRectF(6, BANNER + 6, size.width() - 12, size.height() - BANNER - 22 - 12)
    for place in places(page.images.shape, room):
        left, top, right, bottom = (round(edge) for edge in place.getCoords())
        assert coloured[top:bottom, left:right].sum() > 20, place


def test_images_stand_within_the_page_and_apart(some_model: InstalledBundle) -> None:
    room = QRectF(6, 36, 900, 500)
    found = places((24, 40, 30), room)
    assert all(room.contains(place) for place in found)
    assert not any(a.intersects(b) for i, a in enumerate(found) for b in found[:i])
    assert all(abs(place.height() / place.width() - 4 / 3) < 0.03 for place in found)


def test_only_models_that_draw_are_asked_from_their_card(qtbot: QtBot) -> None:
    from PySide6.QtWidgets import QPushButton

    from app.results.card_view import CardView

    drawing = {"alpha-gan", "hand-alpha-gan", "glow-posterior", "glow3d-posterior"}
    for bundle in shelf.installed():
        view = CardView(bundle.card)
        qtbot.addWidget(view)
        shown = [button.text() for button in view.findChildren(QPushButton)]
        assert shown == (["Show what it takes for normal"] if bundle.card.method in drawing else []), bundle.id


def test_a_sheet_names_its_model_and_what_normals_it_stands_for(some_model: InstalledBundle, opened: Opened) -> None:
    card = some_model.card.model_copy(
        update={"applicability": some_model.card.applicability.model_copy(update={"body_part": ("CHEST",)})}
    )
    sheet = opened(replace(some_model, card=card), pretended(30))
    from PySide6.QtWidgets import QLabel

    said = " ".join(label.text() for label in sheet.findChildren(QLabel))
    assert sheet.windowTitle() == "What it takes for normal: Some" and "normal chests" in said
