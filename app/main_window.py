"""The one window: worklist, image and results beside one another, and what ties them together. Reads no pixel and no SQL."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QEvent, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QGuiApplication
from PySide6.QtWidgets import QFileDialog, QMainWindow

from app.icons import wake_icons
from app.importing import Imported
from app.processes import EngineProcess
from app.reading import Reading
from app.results.panel import ResultsPanel
from app.state.problems import Problem
from app.state.settings import Settings, save_settings
from app.tasks import cancel_all, wait_for_all
from app.viewer.viewer import Viewer
from app.window.about import show_about
from app.window.drawing_sheet import DrawingSheet
from app.window.evaluation_sheet import EvaluationSheet
from app.window.key_sheet import KeySheet
from app.window.opening import Opening
from app.window.panes import Panes
from app.window.problems_panel import ProblemsPanel
from app.window.status_line import StatusLine
from app.window.window_commands import fill_menus, make_actions
from app.worklist.panel import WorklistPanel
from engine.errors import NormascopeError, StorageUnavailable
from engine.store import Store

POLL_MILLISECONDS = 400
FIRST_SIZE = QSize(1600, 1000)


class MainWindow(QMainWindow):
    """The workstation.

    Signals:
        first_frame(): the window has been painted for the first time.
    """

    first_frame = Signal()

    def __init__(
        self,
        store: Store,
        settings: Settings,
        settings_file: Path | None = None,
        *,
        engine: EngineProcess | None = None,
    ) -> None:
        """`settings_file` None keeps no settings; `engine` None scores nothing."""
        super().__init__()
        self._opened_by_itself = ""
        self.store, self.settings, self._settings_file, self.engine = store, settings, settings_file, engine
        self._token = -1
        self._painted = False
        self._leaving = False
        self.worklist = WorklistPanel(store, settings)
        self.viewer = Viewer()
        self.results = ResultsPanel()
        self.problems = ProblemsPanel()
        self._opened = ""
        self.status = StatusLine()
        self.panes = Panes(self.worklist, self.viewer, self.results, self.problems, self.viewer.actions())
        self.opening = Opening(store, settings, self)
        self.reading = Reading(store, settings, self.worklist, self.viewer, self.results, self)
        self.commands = make_actions(self, self._functions())
        fill_menus(self, self.commands, self.viewer.actions())
        self.setCentralWidget(self.panes)
        self.setStatusBar(self.status)
        self.setWindowTitle("Normascope")
        self.setAcceptDrops(True)
        self._poll = QTimer(self, interval=POLL_MILLISECONDS)
        self._connect()
        self._restore()
        self.worklist.show_first_page()
        self.worklist.table.setFocus()

    def open_paths(self, paths: list[str]) -> None:
        """Open files and folders, as if they had been dropped."""
        if paths:
            self.panes.empty.wait("Looking for images…")
            self.opening.open(paths)

    def report(self, error: Exception) -> None:
        """Say in the window what went wrong."""
        self.add_problem(Problem.of(error))

    def add_problem(self, problem: Problem) -> None:
        """List a problem and, when it is new, show the list."""
        if self.problems.add(problem):
            self._show_problems(True)

    def _open_evaluation(self) -> None:
        """Ask for the folder of an evaluation and show what is in it."""
        if folder := QFileDialog.getExistingDirectory(self, "Open an evaluation", self.settings.last_folder):
            self.show_evaluation(Path(folder))

    def show_evaluation(self, folder: Path) -> None:
        """Open the sheet of an evaluation; a folder without one is a problem in the list."""
        try:
            EvaluationSheet(folder, self).open()
        except StorageUnavailable as error:
            self.report(error)

    def show_drawing(self, bundle_hash: str) -> None:
        """Open the sheet of what a model takes for normal, or say that it has gone from the folder of models meanwhile."""
        for bundle in self.opening.bundles or []:
            if bundle.hash == bundle_hash:
                DrawingSheet(bundle, self).open()
                return
        self.say("This model is not installed any more: it cannot draw")

    def say(self, words: str) -> None:
        """A line in the status bar."""
        self.status.show_doing(words)

    # Building

    def _functions(self) -> dict[str, Callable[[], object]]:
        """What each command of `window_commands` does."""
        reading, session, opening = self.reading, self.reading.session, self.opening
        return {
            "open_folder": opening.choose_folder,
            "open_files": opening.choose_files,
            "open_demo": opening.open_demo,
            "stop_opening": opening.stop,
            "open_evaluation": self._open_evaluation,
            "quit": self.close,
            "next": lambda: self.worklist.step(1),
            "previous": lambda: self.worklist.step(-1),
            "next_unread": reading.go_to_next_unread,
            "to_image": self._go_to_image,
            "to_worklist": self.worklist.table.setFocus,
            "next_series": lambda: session.step_series(1),
            "previous_series": lambda: session.step_series(-1),
            "next_model": reading.next_model,
            "retry": reading.retry,
            "score_list": reading.score_list,
            "restart_engine": self._restart_engine,
            "read_abnormal": lambda: reading.read("abnormal"),
            "read_unsure": lambda: reading.read("unsure"),
            "read_normal": lambda: reading.read("normal"),
            "note": self._start_note,
            "undo": reading.take_back,
            "filter": self._start_filter,
            "worklist": lambda: self._show_panels(worklist=self.worklist.isHidden()),
            "results": lambda: self._show_panels(results=self.results.isHidden()),
            "image_only": self._toggle_image_only,
            "problems": lambda: self._show_problems(self.problems.isHidden()),
            "full_screen": lambda: self.showNormal() if self.isFullScreen() else self.showFullScreen(),
            "keys": lambda: KeySheet(self.viewer.actions(), self).open(),
            "about": lambda: show_about(self),
        }

    def _connect(self) -> None:
        self.opening.progress.connect(self._show_opening)
        self.opening.problem.connect(self.add_problem)
        self.opening.models_ready.connect(self._models_ready)
        self.opening.importer.arrived.connect(self._look_for_changes)
        self.opening.importer.finished.connect(self._imported)
        self.problems.count_changed.connect(self.status.show_problem_count)
        self.problems.hide_wanted.connect(lambda: self._show_problems(False))
        self.status.problems_wanted.connect(lambda: self._show_problems(True))
        self.panes.empty.folder_wanted.connect(self.opening.choose_folder)
        self.panes.empty.demo_wanted.connect(self.opening.open_demo)
        self.worklist.failed.connect(self.report)
        self.worklist.opened.connect(lambda _: self.reading.open_now())
        self.worklist.refreshed.connect(self._worklist_refreshed)
        self.viewer.failed.connect(self.report)
        self.results.drawing_wanted.connect(self.show_drawing)
        self.reading.failed.connect(self.report)
        self.reading.said.connect(self.status.show_doing)
        self.reading.queued.connect(self.status.show_queued)
        self.reading.writes.caught_up.connect(self._stay)
        self.reading.opened.connect(lambda _: self.panes.show_image(True))
        self._poll.timeout.connect(self._look_for_changes)
        if self.engine is not None:
            self.engine.setParent(self)
            self.engine.state_changed.connect(self.status.show_engine)
            self.engine.scored.connect(self._look_for_changes)
            self.engine.model_rejected.connect(self.add_problem)
            self.engine.gave_up.connect(self._engine_gave_up)

    def _restore(self) -> None:
        """As the reader left it."""
        geometry = self.settings.geometry_bytes()
        if not (geometry and self.restoreGeometry(geometry)):
            room = self.screen().availableGeometry().size()
            drawn_in_memory = (
                QGuiApplication.platformName() == "offscreen"
            )  # its screen is 800 x 800, and means nothing
            self.resize(FIRST_SIZE if drawn_in_memory else FIRST_SIZE.boundedTo(room))
        self.panes.restore(self.settings, self.width())
        self._check_panels()

    # Live updates

    def _look_for_changes(self) -> None:
        """Ask the store whether anything changed, by any process; read again only then."""
        try:
            token = self.store.change_token()
        except NormascopeError as error:
            self.report(error)
            return
        if token != self._token:
            self._token = token
            self.worklist.refresh()
            self.reading.refresh()

    def _worklist_refreshed(self) -> None:
        """The first study is opened by itself: the most abnormal of what was just opened, else of all; never over the reader's own choice."""
        if not self.worklist.everything:
            if not self.opening.busy:
                self.panes.empty.invite()
            return
        shown, found = self.reading.session.study_uid, self.opening.importer.latest
        if self.worklist.query.filtered or shown not in ("", self._opened_by_itself) or (shown and shown in found):
            return
        first = self.most_abnormal_found()
        if first and first != shown and (found or not (shown or self.opening.busy)):
            self._opened_by_itself = first
            self.worklist.select(first)

    def most_abnormal_found(self) -> str:
        """UID of the highest row that what was opened last has brought; of the highest row of all when nothing was; "" when there is none."""
        found = self.opening.importer.latest
        return next((row.study_uid for row in self.worklist.model.rows if not found or row.study_uid in found), "")

    def _models_ready(self) -> None:
        bundles = self.opening.bundles or []
        self.reading.show_bundles(bundles)
        if self.opening.newcomers:
            new = self.opening.newcomers
            which = new[0] if len(new) == 1 else f"{len(new)} models"
            self.say(f"New: {which}  ·  L scores the studies that are here already")
        if self.engine is not None and bundles:
            self.engine.start()

    def _show_opening(self, words: str) -> None:
        if words:
            self._opened = ""
        self.status.show_doing(words or self._opened)  # when the work ends, what came of it stays
        if words and not self.panes.image_is_shown:
            self.panes.empty.wait(words)
        elif not self.worklist.everything:
            self.panes.empty.invite()

    def _imported(self, imported: Imported) -> None:
        self._opened = imported.in_words()
        self.status.show_doing(self._opened)
        if not self.worklist.everything:
            self.worklist.refresh()

    def _engine_gave_up(self, why: str) -> None:
        self.add_problem(Problem("", why, "Choose Study > Restart engine; studies can be read meanwhile.", "Engine"))

    # What the reader does

    def _go_to_image(self) -> None:
        """Enter: from the filter to the first study found, else to the image of the study that is selected."""
        if self.results.readings.note.hasFocus():
            self.reading.keep_note()
        elif self.worklist.filter.box.hasFocus() and self.worklist.model.rows:
            self.worklist.select(self.worklist.model.rows[0].study_uid)
            self.worklist.table.setFocus()
        elif self.reading.session.study_uid:
            self.reading.open_now()

    def _start_filter(self) -> None:
        self._show_panels(worklist=True)
        self.worklist.focus_filter()

    def _start_note(self) -> None:
        self._show_panels(results=True)
        self.results.readings.note.setFocus(
            Qt.FocusReason.OtherFocusReason
        )  # a shortcut's focus would select all, to be typed over
        self.results.readings.note.end(False)

    def _restart_engine(self) -> None:
        if self.engine is not None:
            self.engine.stop()
            self.engine.start()

    def _show_panels(self, *, worklist: bool | None = None, results: bool | None = None) -> None:
        for panel, wanted in ((self.worklist, worklist), (self.results, results)):
            if wanted is not None:
                panel.setVisible(wanted)
        self._check_panels()

    def _toggle_image_only(self) -> None:
        self.panes.toggle_image_only()
        self._check_panels()

    def _show_problems(self, shown: bool) -> None:
        self.panes.show_problems(shown)
        self._check_panels()

    def _check_panels(self) -> None:
        """The menu's check marks, and where the research notice stands, follow what is shown."""
        for name, panel in (("worklist", self.worklist), ("results", self.results), ("problems", self.problems)):
            self.commands[name].setChecked(not panel.isHidden())
        self.status.notice.setVisible(self.results.isHidden())

    # Qt's own

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Files and folders may be dropped anywhere."""
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Open what was dropped."""
        paths = [url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()]
        if paths:
            event.acceptProposedAction()
            self.open_paths(paths)

    def event(self, event: QEvent) -> bool:
        """Notice the first frame: icons, models and live updates come after it."""
        handled = super().event(event)
        if not self._painted and event.type() == QEvent.Type.Paint:
            self._painted = True
            QTimer.singleShot(0, self._after_first_frame)
        return handled

    def _after_first_frame(self) -> None:
        self.first_frame.emit()
        wake_icons()
        self._poll.start()
        self.opening.find_models()

    def _stay(self) -> None:
        self._leaving = False

    def closeEvent(self, event: QCloseEvent) -> None:
        """Stop all that runs, save readings that are still on their way, keep the settings; with readings that cannot be saved, only when asked twice."""
        if self.reading.writes.late and not self._leaving:
            self._leaving = True
            self.say("Not everything is saved yet. Free some space, or close again to leave without it")
            event.ignore()
            return
        self._poll.stop()
        self.opening.stop()
        for sheet in self.findChildren(DrawingSheet):
            sheet.reject()
        cancel_all()
        if self.engine is not None:
            self.engine.stop()
        self.reading.writes.flush()
        wait_for_all()
        if self._settings_file is not None:
            self.panes.keep(self.settings)
            self.worklist.keep(self.settings)
            self.settings.keep_geometry(bytes(self.saveGeometry().data()))
            save_settings(self.settings, self._settings_file)
        super().closeEvent(event)
