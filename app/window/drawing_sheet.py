"""What a model takes for normal: pages of images that it draws, on request others, and a file of them. Draws nothing itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QSaveFile, QSize, Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QComboBox, QDialog, QFileDialog, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from app import appearance
from app.results.labels import text
from app.results.wording import cohort_noun
from app.state.problems import Problem
from app.window.drawing_process import COUNT, Draft, DrawingProcess
from app.window.drawn_page import SAVED_RATIO, SAVED_SIZE, DrawnPage, PageView, page_picture

if TYPE_CHECKING:  # cards are read after the first frame
    from engine.models.card import Card
    from engine.models.shelf import InstalledBundle

TEMPERATURES = (
    (0.4, "0.4: much alike"),
    (0.7, "0.7: usual"),
    (1.0, "1: full variety"),
)
USUAL = 1
"""Place of the one to begin with."""
LARGEST, MARGIN = QSize(1180, 920), QSize(80, 90)
"""Four rows of six square images fill it; in a smaller window it keeps the proportion."""


class DrawingSheet(QDialog):
    """The page, what to draw next, and a button that saves it; Esc leaves, and ends what is being drawn."""

    def __init__(self, bundle: InstalledBundle, parent: QWidget | None = None, *, command: list[str] | None = None):
        """`command` replaces the process that draws: for tests."""
        super().__init__(parent)
        self._bundle = bundle
        self._seed = self._shown_seed = 0
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(f"What it takes for normal: {bundle.card.title}")
        self.process = DrawingProcess(bundle.path, command=command, parent=self)
        self.process.drawn.connect(self._show)
        self.process.progress.connect(self._progress)
        self.process.failed.connect(self._fail)
        self.view = PageView()
        self.doing = text("", appearance.TEXT_QUIET)
        self.temperature = QComboBox()
        self.others = QPushButton("Draw others")
        self.keep = QPushButton("Save picture…")
        self.leave = QPushButton("Close")
        self._lay_out()
        self._set_up()
        room = LARGEST if parent is None else LARGEST.boundedTo(parent.window().size() - MARGIN)
        self.resize(LARGEST.scaled(room, Qt.AspectRatioMode.KeepAspectRatio))
        self._draw()

    def done(self, result: int) -> None:
        """Qt's own: however the sheet is left, nothing goes on drawing."""
        self.process.stop()
        super().done(result)

    def save(self, file: Path) -> bool:
        """Write the page with its mark as a PNG, whole or not at all; False, and words, when it cannot be."""
        page = self.view.page
        if page is None:
            return False
        target = QSaveFile(str(file))
        written = (
            target.open(QSaveFile.OpenModeFlag.WriteOnly)
            and page_picture(page, SAVED_SIZE, SAVED_RATIO).save(target, "PNG")  # type: ignore[call-overload]
            and target.commit()
        )
        if written:
            self._say(f"Saved: {file.name}")
        else:
            why = f"{file.name}: the picture cannot be written ({target.errorString()}). Choose another folder."
            self._say(why, appearance.ERROR)
        return written

    def _lay_out(self) -> None:
        line = QHBoxLayout()
        line.setSpacing(appearance.GAP)
        line.addWidget(self.doing, 1)
        line.addWidget(_unwrapped("Temperature"))
        line.addWidget(self.temperature)
        line.addSpacing(appearance.GAP)
        for button in (self.others, self.keep, self.leave):
            line.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 14, 16, 14)
        column.setSpacing(10)
        column.addWidget(text(_what_it_shows(self._bundle.card)))
        column.addWidget(self.view, 1)
        column.addLayout(line)

    def _set_up(self) -> None:
        """Words, keys and what each control does."""
        self.temperature.addItems([words for _, words in TEMPERATURES])
        self.temperature.setCurrentIndex(USUAL)
        self.temperature.setAccessibleName("Temperature")
        self.temperature.setToolTip("How far from its average normal the model draws: lower is cleaner and more alike")
        self.temperature.currentIndexChanged.connect(self._draw)
        self.others.setShortcut(QKeySequence("N"))
        self.others.setToolTip("Draw other images  (N)")
        self.others.clicked.connect(self._draw_others)
        self.keep.setShortcut(QKeySequence("Ctrl+S"))
        self.keep.setToolTip("Save this page as a PNG, marked as synthetic  (Ctrl+S)")
        self.keep.clicked.connect(self._choose_file)
        self.leave.setToolTip("Close  (Esc)")
        self.leave.clicked.connect(self.reject)
        self.others.setDefault(True)
        self.others.setFocus()

    def _draw(self) -> None:
        temperature, _ = TEMPERATURES[self.temperature.currentIndex()]
        self._say("Drawing…")
        if self.view.page is None:
            self.view.show_words("Loading the model…")
            self.keep.setEnabled(False)
        self.process.draw(Draft(temperature, self._seed))

    def _draw_others(self) -> None:
        self._seed += 1
        self._draw()

    def _progress(self, done: int) -> None:
        self._say(f"Drawing…  {done} of {COUNT}")
        if self.view.page is None:
            self.view.show_words("Drawing…")

    def _show(self, draft: Draft, images: npt.NDArray[np.uint8]) -> None:
        bundle, (_, rows, columns) = self._bundle, images.shape
        volume = bundle.card.input.spatial_dims == 3
        what = f"middle slices of volumes, {columns} × {rows} pixels" if volume else f"{columns} × {rows} pixels"
        how = f"temperature {draft.temperature:g}, seed {draft.seed}"
        self.view.show_page(DrawnPage(images, f"{bundle.id}  ·  {how}  ·  {what}"))
        self._shown_seed = draft.seed
        self.keep.setEnabled(True)
        self._say(f"Page {draft.seed + 1}")

    def _fail(self, problem: Problem) -> None:
        where = f"{Path(problem.where).name}: " if problem.where else ""
        self.view.show_words(f"{where}{problem.what.rstrip('.')}. {problem.cure}", appearance.ERROR)
        self.keep.setEnabled(False)
        self._say("")

    def _choose_file(self) -> None:
        proposed = f"{self._bundle.id}-synthetic-{self._shown_seed + 1}.png"
        file, _ = QFileDialog.getSaveFileName(self, "Save picture", proposed, "PNG (*.png)")
        if file:
            self.save(Path(file) if file.lower().endswith(".png") else Path(f"{file}.png"))

    def _say(self, words: str, colour: str = appearance.TEXT_QUIET) -> None:
        self.doing.setStyleSheet(f"color: {colour};")
        self.doing.setText(words)


def _what_it_shows(card: Card) -> str:
    noun = cohort_noun(card)
    return (
        "Drawn from chance and from what the model has learned, in the framing and size that it sees. "
        f"If they do not look like {noun} prepared so, it has not learned what those look like, whatever its scores."
    )


def _unwrapped(words: str) -> QWidget:
    label = text(words, appearance.TEXT_QUIET)
    label.setWordWrap(False)
    label.setSizePolicy(label.sizePolicy().Policy.Minimum, label.sizePolicy().Policy.Minimum)
    return label
