"""How the window is divided: worklist, image, results, and the problems below. Sizes, hides and remembers; fills nothing."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QSplitter, QStackedWidget, QToolBar, QVBoxLayout, QWidget

from app import appearance
from app.state.settings import Settings
from app.window.empty_state import EmptyState
from app.window.window_commands import add_grouped

WORKLIST_WIDTH, RESULTS_WIDTH = 500, 320
NARROW_WORKLIST, NARROW_RESULTS = 372, 288
NARROW_WINDOW = 1400
"""Below this width of the window the panels give way to the image."""

_NOT_IN_TOOL_BAR = ("slice", "overlay")
"""Groups of image commands with controls of their own beside the image."""


class Panes(QSplitter):
    """The image in the middle, a panel at either side, problems below all three."""

    def __init__(
        self, worklist: QWidget, viewer: QWidget, results: QWidget, problems: QWidget, image_actions: list[QAction]
    ) -> None:
        super().__init__(Qt.Orientation.Vertical)
        self.worklist, self.results, self.problems = worklist, results, problems
        self.empty = EmptyState()
        self._centre = QStackedWidget()
        self._centre.addWidget(self.empty)
        self._centre.addWidget(_image_side(viewer, image_actions))
        self._centre.setMinimumWidth(320)
        worklist.setMinimumWidth(300)
        self._across = QSplitter(Qt.Orientation.Horizontal)
        for widget in (worklist, self._centre, results):
            self._across.addWidget(widget)
        self._across.setStretchFactor(1, 1)
        self.addWidget(self._across)
        self.addWidget(problems)
        self.setStretchFactor(0, 1)
        for splitter in (self, self._across):
            splitter.setHandleWidth(3)
            splitter.setChildrenCollapsible(False)
        problems.hide()
        self._before_image_only: tuple[bool, bool] | None = None

    def show_image(self, shown: bool) -> None:
        """The image, or what to do while there is none."""
        self._centre.setCurrentIndex(1 if shown else 0)

    def show_problems(self, shown: bool) -> None:
        """The list below all panes, as high as its lines; a height that the reader has dragged is theirs until it is hidden."""
        appears = shown and self.problems.isHidden()
        self.problems.setVisible(shown)
        wanted = self.problems.sizeHint().height()
        if appears or (shown and self.sizes()[1] < wanted):
            self.setSizes([max(self.height() - wanted, 200), wanted])

    @property
    def image_is_shown(self) -> bool:
        """True while an image, not the empty state, has the centre."""
        return self._centre.currentIndex() == 1

    def toggle_image_only(self) -> None:
        """Hide both panels, or bring back those that were there."""
        shown = (not self.worklist.isHidden(), not self.results.isHidden())
        if any(shown):
            self._before_image_only = shown
            wanted = (False, False)
        else:
            wanted = self._before_image_only or (True, True)
        self.worklist.setVisible(wanted[0])
        self.results.setVisible(wanted[1])

    def restore(self, settings: Settings, window_width: int) -> None:
        """As the reader left it; at first by the window's width."""
        wide = window_width >= NARROW_WINDOW
        left, right = (WORKLIST_WIDTH, RESULTS_WIDTH) if wide else (NARROW_WORKLIST, NARROW_RESULTS)
        widths = settings.pane_widths or (left, max(window_width - left - right, 320), right)
        self._across.setSizes(list(widths))
        self.worklist.setVisible(settings.worklist_visible)
        self.results.setVisible(settings.results_visible)

    def keep(self, settings: Settings) -> None:
        """Write the division into the settings. Widths of hidden panels are not known, so they stay as they were."""
        settings.worklist_visible = not self.worklist.isHidden()
        settings.results_visible = not self.results.isHidden()
        left, middle, right = self._across.sizes()
        if left and right:
            settings.pane_widths = (left, middle, right)


def _image_side(viewer: QWidget, image_actions: list[QAction]) -> QWidget:
    """The image with its tool bar above it."""
    bar = QToolBar()
    bar.setIconSize(QSize(appearance.TOOL_ICON, appearance.TOOL_ICON))
    shown = [
        action
        for action in image_actions
        if action.property("group") not in _NOT_IN_TOOL_BAR and not action.objectName().startswith("preset-")
    ]
    add_grouped(bar.addAction, bar.addSeparator, shown)
    side = QWidget()
    column = QVBoxLayout(side)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(0)
    column.addWidget(bar)
    column.addWidget(viewer, 1)
    return side
