"""A folder dropped on the window is opened; each bad file in it is one line in words with a cure, and the rest goes on."""

from __future__ import annotations

from pathlib import Path

import pydicom
from pydicom.uid import generate_uid
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.main_window import MainWindow

NO_KEYS = Qt.KeyboardModifier.NoModifier


def drop(window: MainWindow, *paths: Path) -> QDragEnterEvent:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    at = QPointF(window.rect().center())
    entering = QDragEnterEvent(at.toPoint(), Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton, NO_KEYS)
    QApplication.sendEvent(window, entering)
    dropping = QDropEvent(at, Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton, NO_KEYS)
    QApplication.sendEvent(window, dropping)
    return entering


def test_dropped_folder_is_opened_and_queued(empty_window: MainWindow, archive: Path, qtbot: QtBot) -> None:
    assert drop(empty_window, archive).isAccepted()
    qtbot.waitUntil(lambda: len(empty_window.worklist.model.rows) == 6, timeout=15000)
    qtbot.waitUntil(lambda: empty_window.store.counts().queued == 5, timeout=15000)

    def statuses(modality: str) -> set[str]:
        return {row.status for row in empty_window.worklist.model.rows if row.modality == modality}

    qtbot.waitUntil(lambda: statuses("CR") == {"queued"}, timeout=10000)  # the list follows the store a moment later
    assert statuses("CT") == {"not scored"}, "the model of chest radiographs is not asked about the CT"


def test_bad_file_is_one_line_with_a_cure_and_the_rest_is_opened(
    empty_window: MainWindow, archive: Path, qtbot: QtBot
) -> None:
    (archive / "broken.dcm").write_bytes(b"")
    drop(empty_window, archive)
    qtbot.waitUntil(lambda: len(empty_window.worklist.model.rows) == 6, timeout=15000)
    problems = empty_window.problems
    qtbot.waitUntil(lambda: problems.table.rowCount() == 1)
    assert problems.isVisible()
    where, what, cure = (problems.table.item(0, column).text() for column in range(3))
    assert where.endswith("broken.dcm") and what and cure
    assert empty_window.status.problems.text() == "1 problem"


def test_a_film_of_absurd_spacing_is_one_problem_and_is_shown_and_queued_all_the_same(
    empty_window: MainWindow, archive: Path, qtbot: QtBot
) -> None:
    window, film = empty_window, archive / "chest3.dcm"
    image = pydicom.dcmread(film)
    image.PixelSpacing = image.ImagerPixelSpacing = [5000, 5000]
    image.save_as(film)
    for _ in range(2):  # opened again, it is no second problem
        with qtbot.waitSignal(window.opening.importer.finished, timeout=15000) as finished:
            drop(window, film)
        assert (finished.args[0].found, finished.args[0].problems) == (1, 1)
    assert window.problems.isVisible() and window.problems.table.rowCount() == 1
    where, what, cure = (window.problems.table.item(0, column).text() for column in range(3))
    assert where.endswith("chest3.dcm") and "5000 x 5000 mm is impossible" in what and "Export it again" in cure
    qtbot.waitUntil(
        lambda: _shown(window).startswith("Dahl") and window.viewer._scene.picture is not None, timeout=15000
    )
    assert window.viewer._scene.picture.size.spacing is None, "nothing is measured"
    assert window.store.counts().queued == 1


def test_a_broken_film_that_no_model_reads_is_one_problem_although_nobody_opens_it(
    empty_window: MainWindow, archive: Path, qtbot: QtBot
) -> None:
    window, film = empty_window, archive / "hand.dcm"
    image = pydicom.dcmread(archive / "chest3.dcm")
    image.PatientName, image.PatientID, image.BodyPartExamined = "Zorn^Ada", "Z1", "HAND"
    image.StudyInstanceUID, image.SeriesInstanceUID = generate_uid(), generate_uid()
    image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    image.save_as(film)
    film.write_bytes(film.read_bytes()[:-5000])
    drop(window, archive)
    qtbot.waitUntil(lambda: window.problems.table.rowCount() == 1, timeout=15000)
    where, what, cure = (window.problems.table.item(0, column).text() for column in range(3))
    assert where.endswith("hand.dcm") and what and cure
    assert not _shown(window).startswith("Zorn")
    # the film stays in the list, and the rest is opened, which may come after the line
    qtbot.waitUntil(lambda: len(window.worklist.model.rows) == 7, timeout=15000)


def test_what_came_of_opening_stays_in_the_line_at_the_foot(
    empty_window: MainWindow, archive: Path, qtbot: QtBot
) -> None:
    (archive / "letter.pdf").write_bytes(b"%PDF-1.4")
    with qtbot.waitSignal(empty_window.opening.importer.finished, timeout=15000):
        drop(empty_window, archive)
    qtbot.waitUntil(lambda: not empty_window.opening.busy, timeout=5000)
    qtbot.wait(300)  # the end of the work is told after what came of it
    assert "1 file passed over, no image: letter.pdf" in empty_window.status.doing.text()


def test_the_same_folder_again_adds_nothing(window: MainWindow, archive: Path, qtbot: QtBot) -> None:
    with qtbot.waitSignal(window.opening.importer.finished, timeout=15000) as finished:
        drop(window, archive)
    assert finished.args[0].new == 0
    assert len(window.worklist.model.rows) == 6


def test_folder_without_images_says_so(empty_window: MainWindow, tmp_path: Path, qtbot: QtBot) -> None:
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    with qtbot.waitSignal(empty_window.opening.importer.finished, timeout=15000):
        drop(empty_window, nothing)
    said = empty_window.status.doing.text() + "".join(problem.what for problem in empty_window.problems.problems.items)
    assert "o image" in said


def test_what_was_just_opened_is_shown_and_not_another_patients_study(
    empty_window: MainWindow, archive: Path, tmp_path: Path, qtbot: QtBot
) -> None:
    """The list's own top study is another patient's: opening a file must show that file's study."""
    window = empty_window
    latecomer = tmp_path / "latecomer"
    latecomer.mkdir()
    film = (archive / "chest4.dcm").rename(latecomer / "film.dcm")
    drop(window, archive)
    qtbot.waitUntil(lambda: len(window.worklist.model.rows) == 5 and not window.opening.busy, timeout=15000)
    qtbot.waitUntil(lambda: bool(window.reading.session.study_uid), timeout=15000)
    drop(window, film)
    qtbot.waitUntil(lambda: len(window.worklist.model.rows) == 6 and not window.opening.busy, timeout=15000)
    qtbot.waitUntil(lambda: _shown(window).startswith("Engel"), timeout=15000)


def test_a_study_that_the_reader_chose_is_not_taken_away_by_a_drop(
    window: MainWindow, archive: Path, tmp_path: Path, qtbot: QtBot
) -> None:
    chosen = window.worklist.model.rows[2].study_uid
    window.worklist.select(chosen)
    qtbot.waitUntil(lambda: window.reading.session.study_uid == chosen)
    with qtbot.waitSignal(window.opening.importer.finished, timeout=15000):
        drop(window, archive / "chest0.dcm")
    qtbot.wait(700)  # longer than a look for changes takes
    assert window.reading.session.study_uid == chosen


def _shown(window: MainWindow) -> str:
    uid = window.reading.session.study_uid
    return next((row.patient_name for row in window.worklist.model.rows if row.study_uid == uid), "")
