"""A real window on real DICOM files, with settings and store of its own. Scores are put into the store as the engine would."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ComputedRadiographyImageStorage, CTImageStorage, ExplicitVRLittleEndian, generate_uid
from PySide6.QtCore import QCoreApplication, QEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.appearance import apply_appearance
from app.cli import main
from app.main_window import MainWindow
from app.state.settings import Settings
from engine.models import shelf
from engine.models.card import Applicability, Calibration, CohortSummary, ScoreCalibration
from engine.models.shelf import InstalledBundle
from engine.scoring.result import ScoreValue, SeriesResult
from engine.store import Store
from tests.cards import plain_card

NAMES = ("Adler^Ida", "Brandt^Olof", "Castro^Lia", "Dahl^Nils", "Engel^Eva")
SLICES = 9


Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """`command("score", path, ...)`: what `normascope score path ...` does, writes and leaves with, without a process of its own.

    An error that is not said in words is raised here, so that no test has to look for a traceback.
    """

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        words = ["normascope", *map(str, arguments)]
        monkeypatch.setattr(sys, "argv", words)
        with pytest.raises(SystemExit) as left:
            main()
        written = capsys.readouterr()
        return subprocess.CompletedProcess(words, int(left.value.code or 0), written.out, written.err)

    return run


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Five chest radiographs of five patients and a head CT of nine slices."""
    folder = tmp_path / "archive"
    folder.mkdir()
    for number, name in enumerate(NAMES):
        dataset = _dataset(
            ComputedRadiographyImageStorage, "CR", "CHEST", name, f"P{number:02}", f"2026010{number + 1}"
        )
        dataset.ViewPosition = "PA"
        _save(dataset, _picture(number, 160, 128), folder / f"chest{number}.dcm")
    study, series, frame = generate_uid(), generate_uid(), generate_uid()
    for index in range(SLICES):
        dataset = _dataset(CTImageStorage, "CT", "HEAD", "Falk^Per", "P99", "20260201")
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.FrameOfReferenceUID = study, series, frame
        dataset.ImageOrientationPatient, dataset.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [0, 0, 5.0 * index]
        dataset.PixelSpacing, dataset.SliceThickness, dataset.InstanceNumber = [1, 1], 5, index + 1
        dataset.RescaleIntercept, dataset.RescaleSlope = -1024, 1
        _save(dataset, 1000 + _picture(index, 64, 64) // 20, folder / f"slice{index}.dcm")
    return folder


@pytest.fixture
def bundle(tmp_path: Path) -> InstalledBundle:
    """An installed model of chest radiographs. Its weights are never loaded here."""
    normals = ScoreCalibration(normal_scores=tuple(np.linspace(0.1, 1.0, 100)), n=100)
    card = plain_card(
        id="chest-model",
        title="Chest model",
        summary="Scores chest radiographs.",
        applicability=Applicability(modality=("CR", "DX"), body_part=("CHEST",)),
        primary_score="reconstruction_error",
        calibration=Calibration(scores={"reconstruction_error": normals}),
        training=CohortSummary(name="a test cohort", n_train=500, n_calibration=100),
    )
    return InstalledBundle(card.id, tmp_path / "chest-model.safetensors", "c" * 16, card)


@pytest.fixture(scope="session")
def dressed(qapp: QApplication) -> None:
    """The application's style sheet, once."""
    apply_appearance(qapp)


@pytest.fixture
def empty_window(
    dressed: None, qtbot: QtBot, tmp_path: Path, bundle: InstalledBundle, monkeypatch: pytest.MonkeyPatch
) -> Iterator[MainWindow]:
    """The window as a reader first meets it."""
    monkeypatch.setattr(shelf, "installed", lambda **_: [bundle])
    store = Store(None, tmp_path / "data")
    window = MainWindow(store, Settings(reader="tester"))
    window.resize(1280, 800)
    with qtbot.waitExposed(window, timeout=15000):
        window.show()
    window.activateWindow()
    qtbot.waitUntil(lambda: window.opening.bundles is not None, timeout=15000)
    yield window
    window.close()
    window.deleteLater()
    QCoreApplication.sendPostedEvents(
        None, QEvent.Type.DeferredDelete
    )  # a window that lives on slows every test after it
    store.close()


@pytest.fixture
def window(empty_window: MainWindow, archive: Path, qtbot: QtBot) -> MainWindow:
    """The window with the archive opened and the first study's image on screen."""
    with qtbot.waitSignal(empty_window.viewer.shown, timeout=15000):
        empty_window.open_paths([str(archive)])
    qtbot.waitUntil(lambda: len(empty_window.worklist.model.rows) == 6 and not empty_window.opening.busy, timeout=15000)
    return empty_window


@pytest.fixture
def score(bundle: InstalledBundle, qtbot: QtBot) -> Callable[[MainWindow], None]:
    """Finish all queued jobs as the engine does, Adler least and Engel most abnormal, and wait until the window shows it."""

    def finish(window: MainWindow) -> None:
        for job in window.store.claim("test/1/1", 100):
            place = 20.0 * NAMES.index(job.series.patient_name) + 19
            rows, columns = job.series.rows, job.series.columns
            heatmap = np.zeros((rows, columns), np.float16)
            heatmap[rows // 3 : rows // 2, columns // 3 : columns // 2] = 3
            value = ScoreValue(place / 100, place, place >= 95)
            result = SeriesResult(
                job.series,
                bundle.id,
                bundle.hash,
                {"reconstruction_error": value},
                "reconstruction_error",
                heatmap=heatmap,
                reconstruction=np.full((rows, columns), 0.5, np.float32),
            )
            assert window.store.finish(job, result)
        qtbot.waitUntil(lambda: sum(row.percentile is not None for row in window.worklist.model.rows) == len(NAMES))

    return finish


def _dataset(sop_class: str, modality: str, part: str, name: str, patient: str, date: str) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, generate_uid()
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = generate_uid(), generate_uid()
    dataset.Modality, dataset.BodyPartExamined = modality, part
    dataset.PatientName, dataset.PatientID, dataset.StudyDate = name, patient, date
    dataset.SeriesDescription = f"{part.capitalize()} {modality}"
    dataset.WindowCenter, dataset.WindowWidth = (2000, 4000) if modality == "CR" else (40, 400)
    return dataset


def _picture(seed: int, rows: int, columns: int) -> np.ndarray:
    """A soft bright disc on a dark ground, different for each seed."""
    y, x = np.mgrid[:rows, :columns]
    distance = np.hypot(y - rows / 2, x - columns / 2 - seed)
    return (4000 * np.exp(-((distance / (columns / 3)) ** 2))).astype(np.uint16)


def _save(dataset: Dataset, pixels: np.ndarray, path: Path) -> None:
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    dataset.PixelData = pixels.astype(np.uint16).tobytes()
    pydicom.dcmwrite(path, dataset, enforce_file_format=True)
