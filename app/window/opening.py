"""Opening files, folders and the demo, by menu, drop or command line, once the installed models are known. Starts imports; shows nothing."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QProcess, Signal
from PySide6.QtWidgets import QFileDialog, QWidget

from app.importing import Importer
from app.list_scoring import with_something_to_score
from app.processes import engine_environment
from app.state.problems import Problem
from app.state.settings import Settings
from app.tasks import TaskControl, run_task
from app.window.model_folder import Files, ModelFolder, bundle_files
from engine.errors import NormascopeError
from engine.store import Store

if TYPE_CHECKING:  # cards are read after the first frame
    from engine.models.shelf import InstalledBundle

FILE_FILTER = "Images (*.dcm *.dicom *.ima *.png *.jpg *.jpeg *.nii *.nii.gz *.zip *.csv DICOMDIR);;All files (*)"


MAKE_DEMO = """
import sys
from engine.phantoms.cohort import make_cohort
make_cohort(sys.argv[1], on_study=lambda done, total, _: print(f"{done} of {total}", flush=True))
"""
"""What the demo's process runs: phantoms that are there already are kept."""


class Opening(QObject):
    """Signals:
    models_ready(): `bundles` are known, or others than before.
    problem(Problem): something could not be opened.
    progress(str): what is being done; "" when nothing is.
    """

    models_ready = Signal()
    problem = Signal(object)
    progress = Signal(str)

    def __init__(self, store: Store, settings: Settings, window: QWidget) -> None:
        super().__init__(window)
        self.importer = Importer(store, self)
        self.importer.problem.connect(self.problem)
        self.importer.progress.connect(self.progress)
        self.bundles: list[InstalledBundle] | None = None
        self.newcomers: list[str] = []
        """Titles of the models that the store did not know, while it had studies that they were never asked about."""
        self._store, self._settings, self._window = store, settings, window
        self._waiting: list[str] = []
        self._models = ModelFolder(self)
        self._models.changed.connect(self.find_models)
        self._demo = QProcess(self)
        self._demo.setProcessEnvironment(engine_environment())
        self._demo.readyReadStandardOutput.connect(self._demo_progress)
        self._demo.finished.connect(self._demo_made)

    @property
    def busy(self) -> bool:
        """True while anything is being opened or is about to be."""
        return bool(self._waiting) or self.importer.busy or self._demo.state() != QProcess.ProcessState.NotRunning

    def find_models(self) -> None:
        """Read the cards of all installed bundles off the GUI thread and make them known to the store; again when others come."""
        store = self._store
        self.newcomers = []

        def find(control: TaskControl) -> tuple[list[InstalledBundle], Files]:
            from engine.models import shelf

            def rejected(error: NormascopeError) -> None:
                control.partial(Problem.of(error))

            files = bundle_files()
            found = shelf.installed(on_error=rejected)
            new = [bundle for bundle in found if store.register_bundle(bundle)]
            if new:
                control.partial([bundle.card.title for bundle in with_something_to_score(store, new, found)])
            return found, files

        run_task(find, self._read, self._models_failed, on_partial=self._heard, owner=self)

    def open(self, paths: Sequence[str]) -> None:
        """Open files and folders; they wait until the models are known, so that they are queued at once."""
        self._waiting += paths
        self._open_waiting()

    def choose_folder(self) -> None:
        """Ask for a folder and open it."""
        folder = QFileDialog.getExistingDirectory(self._window, "Open folder", self._settings.last_folder)
        if folder:
            self._settings.last_folder = folder
            self.open([folder])

    def choose_files(self) -> None:
        """Ask for files and open them."""
        files, _ = QFileDialog.getOpenFileNames(self._window, "Open files", self._settings.last_folder, FILE_FILTER)
        if files:
            self._settings.last_folder = str(Path(files[0]).parent)
            self.open(files)

    def open_demo(self) -> None:
        """Make the sample cohort in a process of its own (drawing anatomy keeps a core busy), then open it."""
        if self._demo.state() != QProcess.ProcessState.NotRunning:
            return
        self.progress.emit("Making the sample cohort of phantoms…")
        self._demo.start(sys.executable, ["-c", MAKE_DEMO, str(self.demo_folder)])

    def _demo_progress(self) -> None:
        """How many phantoms are made, a line each."""
        while self._demo.canReadLine():
            words = bytes(self._demo.readLine().data()).decode("utf-8", "replace").strip()
            self.progress.emit(f"Making the sample cohort of phantoms: {words}…")

    @property
    def demo_folder(self) -> Path:
        """Where the sample cohort is kept: beside the store."""
        return self._store.folder / "demo"

    def stop(self) -> None:
        """Stop opening; what was found stays."""
        self._waiting.clear()
        self.importer.cancel()
        if self._demo.state() != QProcess.ProcessState.NotRunning:
            self._demo.kill()
            self._demo.waitForFinished(1000)
        self.progress.emit("")

    def _open_waiting(self) -> None:
        if self.bundles is not None and self._waiting:
            paths, self._waiting = self._waiting, []
            self.importer.open(paths, self.bundles)

    def _read(self, found: tuple[list[InstalledBundle], Files]) -> None:
        bundles, files = found
        self._models.watch(files)
        self._found(bundles)

    def _found(self, bundles: list[InstalledBundle]) -> None:
        self.bundles = bundles
        self.models_ready.emit()
        self._open_waiting()

    def _heard(self, value: object) -> None:
        if isinstance(value, Problem):
            self.problem.emit(value)
        elif isinstance(value, list):
            self.newcomers = value

    def _models_failed(self, error: Exception) -> None:
        """Studies can be read without models."""
        self.problem.emit(Problem.of(error))
        self._found([])

    def _demo_made(self, status: int, how: QProcess.ExitStatus) -> None:
        self.progress.emit("")
        if how == QProcess.ExitStatus.NormalExit and status == 0:
            self.open([str(self.demo_folder)])
        elif how == QProcess.ExitStatus.NormalExit:  # killed means that the reader stopped it
            last = bytes(self._demo.readAllStandardError().data()).decode("utf-8", "replace").strip().splitlines()
            what = f"the sample cohort could not be made ({last[-1] if last else f'status {status}'})"
            self.problem.emit(Problem(str(self.demo_folder), what, "Free some space and try again.", "Demo"))
