"""The window on screen from a cold start, beside a process that imports the same libraries and shows an empty window.

Both are fresh processes, run in turn; the clock runs from starting the process to its report of the first painted frame.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from engine.imaging.series import Series
from engine.store import Store
from tests.benchmarks.measurement import Measurement, installed_environment

NAME = "cold start"
TARGET = "under 1.5 x an empty window with the same imports"
ROUNDS, STUDIES = 7, 2000

OURS = """
import sys
from pathlib import Path
from app.workstation import no_display, show_window
import os
if no_display():
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
application, window = show_window(Path(sys.argv[1]), None, with_engine=False)
def report():
    print("shown", flush=True)
    window.close()
    os._exit(0)
window.first_frame.connect(report)
application.exec()
"""

PEER = """
import sys, os
from app.workstation import no_display
if no_display():
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
from PySide6.QtWidgets import QApplication, QWidget
import pyqtgraph, sqlalchemy, pydicom, pydantic
application = QApplication([])
class Empty(QWidget):
    def paintEvent(self, event):
        print("shown", flush=True)
        os._exit(0)
window = Empty()
window.resize(1600, 1000)
window.show()
application.exec()
"""


def run() -> list[Measurement]:
    """Medians of alternating starts; the first pair, which warms the file cache and compiles modules, does not count."""
    ours, peer = [], []
    with tempfile.TemporaryDirectory(prefix="normascope-start-") as name:
        folder = Path(name)
        store = Store(None, folder)
        store.add_series(_study(number) for number in range(STUDIES))
        store.close()
        for _ in range(ROUNDS + 1):
            ours.append(_seconds(OURS, folder))
            peer.append(_seconds(PEER, folder))
    mine, theirs = statistics.median(ours[1:]), statistics.median(peer[1:])
    work = f"process start to the first frame of the window, {STUDIES:,} studies in the store"
    what = "importing PySide6.QtWidgets, pyqtgraph, SQLAlchemy, pydicom and pydantic and showing an empty window"
    return [Measurement(work, mine, what, theirs, mine / theirs, TARGET, mine < 1.5 * theirs)]


def _seconds(code: str, folder: Path) -> float:
    """From starting a process that runs `code` until it says that its window is painted."""
    started = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-c", code, str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=installed_environment(folder / "compiled"),
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        seconds = time.perf_counter() - started
        _, log = process.communicate(timeout=120)
    if line.strip() != "shown":
        raise RuntimeError(f"the window was not shown: {log.strip().splitlines()[-1:]}")
    return seconds


def _study(number: int) -> Series:
    return Series(
        key=f"1.2.{number}",
        study_uid=f"1.1.{number}",
        series_uid=f"1.2.{number}",
        kind="radiograph",
        format="dicom",
        sources=(f"/archive/{number}.dcm",),
        patient_id=f"P{number:05}",
        patient_name=f"Patient^{number:05}",
        modality="CR",
        body_part="CHEST",
        study_date="2026-01-01",
    )
