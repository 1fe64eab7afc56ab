"""The bar at the bottom: the engine, what is being opened, problems, and the research notice while the results, which carry it, are hidden."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QLabel, QPushButton, QStatusBar, QWidget

from app import appearance
from app.results.wording import RESEARCH_NOTICE
from app.state.engine_state import EngineState

_COLOURS = {
    "off": appearance.TEXT_FAINT,
    "starting": appearance.TEXT_QUIET,
    "idle": appearance.VERDICT_NORMAL,
    "scoring": appearance.WORKING,
    "paused": appearance.WARNING,
    "restarting": appearance.WARNING,
    "elsewhere": appearance.TEXT_QUIET,
    "failed": appearance.ERROR,
}


class StatusLine(QStatusBar):
    """Signals:
    problems_wanted(): the reader clicked on the number of problems.
    """

    problems_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizeGripEnabled(False)
        self.mark = _Mark()
        self.engine = QLabel()
        self.doing = QLabel()
        self.problems = QPushButton()
        self.problems.setFlat(True)
        self.problems.setCursor(Qt.CursorShape.PointingHandCursor)
        self.problems.setStyleSheet(
            f"QPushButton {{ border: 0; background: transparent; color: {appearance.ERROR}; padding: 0 8px; }}"
        )
        self.problems.setToolTip("Show what could not be opened  (F6)")
        self.problems.clicked.connect(self.problems_wanted)
        self.problems.hide()
        self.notice = QLabel(RESEARCH_NOTICE)
        self.notice.setStyleSheet(f"color: {appearance.TEXT_QUIET}; padding: 0 8px;")
        self.notice.setToolTip("Decision support for research. Scores and heatmaps are no diagnosis.")
        self.setContentsMargins(8, 0, 0, 0)
        self.addWidget(self.mark)
        self.addWidget(self.engine)
        self.addWidget(self.doing, 1)
        self.addPermanentWidget(self.problems)
        self.addPermanentWidget(self.notice)
        self._phase, self._until_scored = "off", False
        self.show_engine(EngineState())

    def show_engine(self, state: EngineState) -> None:
        """Phase, device, model, queue and rate. When scoring ends, what was said to be queued is no longer."""
        if self._phase == "scoring" and state.phase == "idle" and self._until_scored:
            self.show_doing("")
        self._phase = state.phase
        self.mark.colour = _COLOURS[state.phase]
        self.mark.update()
        self.engine.setText(state.in_words())
        self.engine.setToolTip("\n".join(part for part in (state.device_name, state.problem) if part))

    def show_doing(self, words: str) -> None:
        """What is being opened, or what came of it."""
        self._until_scored = False
        self.doing.setText(f"|   {words}" if words else "")

    def show_queued(self, words: str) -> None:
        """What waits to be scored, until it is."""
        self.show_doing(words)
        self._until_scored = True

    def show_problem_count(self, count: int) -> None:
        """How many problems are listed."""
        self.problems.setText("1 problem" if count == 1 else f"{count:,} problems")
        self.problems.setVisible(count > 0)


class _Mark(QWidget):
    """A steady dot in the engine's colour."""

    colour = appearance.TEXT_FAINT

    def sizeHint(self) -> QSize:
        return QSize(16, 16)

    def minimumSizeHint(self) -> QSize:
        return QSize(16, 16)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(self.colour))
        painter.drawEllipse(self.rect().center(), 4, 4)
