"""The panel of results at the right: the study, every score of every model beside its cohort, warnings, models that do not apply, the reading.

Shows what it is given. It asks no store and starts no scoring: what the reader wants leaves as signals.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

from app import appearance
from app.results.labels import Foldout, caution, heading, rule, text
from app.results.not_applied import NotApplied
from app.results.score_block import ScoreBlock, unscored_block
from app.results.study_header import StudyHeader
from app.results.verdict_bar import VerdictBar
from app.state.session import Session
from engine.imaging.series import Series
from engine.store.rows import ReadingRow, WorklistRow

if TYPE_CHECKING:  # cards are read after the first frame
    import numpy.typing as npt
    from numpy import uint8

    from engine.models.card import Card
    from engine.models.shelf import InstalledBundle


class ResultsPanel(QWidget):
    """Signals:
    verdict(str): the reading.  series_chosen(str): key of a series.
    model_chosen(str): hash of the bundle whose overlay is wanted.
    score_wanted(str, str): series key and bundle hash: the reader names a model that is not applied by itself.
    drawing_wanted(str): hash of the bundle that is to draw what it takes for normal.
    """

    verdict = Signal(str)
    series_chosen = Signal(str)
    model_chosen = Signal(str)
    score_wanted = Signal(str, str)
    drawing_wanted = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("results")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setStyleSheet(f"#results {{ background: {appearance.PANEL}; }}")
        self.header = StudyHeader()
        self.header.series_chosen.connect(self.series_chosen)
        self.readings = VerdictBar()
        self.readings.verdict.connect(self.verdict)
        self._image_warnings: list[str] = []
        self._shown: tuple[object, ...] = ()
        self._blocks: dict[str, ScoreBlock] = {}
        self._parts = QWidget()
        self._column = QVBoxLayout(self._parts)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(10)
        self._scroll = QScrollArea()
        self._content = _Content()
        self._lay_out()
        self.show_nothing()

    def show_nothing(self) -> None:
        """No study is open."""
        self._shown = ()
        self._content.hide()
        self.readings.show_reading(None, [])

    def show_study(
        self,
        row: WorklistRow,
        session: Session,
        bundles: Sequence[InstalledBundle],
        readings: list[ReadingRow],
        alike: Mapping[str, npt.NDArray[uint8]] = MappingProxyType({}),
    ) -> None:
        """Everything known of the open study. Costs nothing when nothing changed, so that an open card stays open and the scroll stays.

        `alike`: the stored pictures that results name as their neighbours, by path.
        """
        self.readings.show_reading(row, readings)
        warnings = tuple(self._image_warnings)
        hashes = tuple(bundle.hash for bundle in bundles)
        shown = (row, session.series, session.series_key, session.results, hashes, warnings)
        if shown == self._shown:
            self._mark_drawn(session)
            return
        other_study = not self._shown or self._shown[1:3] != shown[1:3]
        self._shown = shown
        self.header.show_study(row, session)
        self._fill(row, session, bundles, alike)
        self._content.show()
        if other_study:
            self._scroll.verticalScrollBar().setValue(0)

    def set_image_warnings(self, warnings: list[str]) -> None:
        """What decoding found out about the image on screen; shown with the next `show_study`."""
        self._image_warnings = list(warnings)

    def _lay_out(self) -> None:
        column = QVBoxLayout(self._content)
        column.setContentsMargins(12, 10, 12, 12)
        column.setSpacing(10)
        column.addWidget(self.header)
        column.addWidget(rule())
        column.addWidget(self._parts)
        column.addStretch(1)
        self._scroll.setWidget(self._content)
        self._scroll.setWidgetResizable(True)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._content.setObjectName("content")
        self._content.setStyleSheet("#content { background: transparent; }")
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        outer.addWidget(self._scroll, 1)
        outer.addWidget(rule())
        outer.addWidget(self.readings)
        self.setMinimumWidth(260)

    def _fill(
        self,
        row: WorklistRow,
        session: Session,
        bundles: Sequence[InstalledBundle],
        alike: Mapping[str, npt.NDArray[uint8]],
    ) -> None:
        """Build the parts anew for the series on screen."""
        while item := self._column.takeAt(0):
            if widget := item.widget():
                widget.hide()
                widget.deleteLater()
        self._blocks.clear()
        cards: Mapping[str, Card] = {bundle.hash: bundle.card for bundle in bundles}
        series = session.current_series
        results = session.results_of(session.series_key)
        drawn, several = session.drawn_result(session.series_key), sum(row.state == "done" for row in results) > 1
        common = {w for w, said in Counter(w for row in results for w in set(row.warnings)).items() if said > 1}
        for result in results:
            card = cards.get(result.bundle_hash)
            if not result.scores:
                self._column.addWidget(unscored_block(result, card))
            else:
                pictures = alike.get(result.neighbours)
                own = replace(result, warnings=tuple(word for word in result.warnings if word not in common))
                block = ScoreBlock(own, card, drawn=result is drawn if several else None, alike=pictures)
                block.overlay_wanted.connect(self.model_chosen)
                block.drawing_wanted.connect(self.drawing_wanted)
                self._column.addWidget(block)
                if several:
                    self._blocks[result.bundle_hash] = block
            self._column.addWidget(rule())
        if series is not None:
            said = {word for row in results for word in row.warnings} - common
            self._add_warnings((*series.warnings, *self._image_warnings, *sorted(common)), said)
            asked = {result.bundle_hash for result in results}
            self._add_not_applied(series, [bundle for bundle in bundles if bundle.hash not in asked], alone=not results)
        if not bundles and not results:
            self._column.addWidget(heading("No model is installed"))
            words = "Studies can be read, but none is scored. Put a model bundle (.safetensors) into the models folder."
            self._column.addWidget(text(words, appearance.TEXT_QUIET))

    def _mark_drawn(self, session: Session) -> None:
        """Which block says that the overlay is its: another model's overlay rebuilds nothing."""
        drawn = session.drawn_result(session.series_key)
        for bundle_hash, block in self._blocks.items():
            block.show_drawn(drawn is not None and drawn.bundle_hash == bundle_hash)

    def _add_warnings(self, warnings: Sequence[str], said: set[str]) -> None:
        """What a reader must know of the images; what a result already says is not said twice."""
        left = [word for word in dict.fromkeys(warnings) if word not in said]
        if left:
            self._column.addWidget(heading("About these images"))
            for word in left:
                self._column.addWidget(caution(word))

    def _add_not_applied(self, series: Series, bundles: Sequence[InstalledBundle], *, alone: bool) -> None:
        """Why the other installed models say nothing of this series, and, where a person may insist, a way to."""
        if not bundles:
            return

        def make() -> NotApplied:
            body = NotApplied(series, bundles)
            body.score_wanted.connect(lambda bundle_hash: self.score_wanted.emit(series.key, bundle_hash))
            return body

        title = f"{len(bundles)} model{'' if len(bundles) == 1 else 's'} not applied"
        if alone:
            self._column.addWidget(text("Not scored", appearance.TEXT, appearance.TITLE_PIXELS, bold=True))
            title = f"Why: {title}"
        self._column.addWidget(Foldout(title, make, is_open=alone))


class _Content(QWidget):
    """As high as its wrapped text is at the panel's width: left to itself, Qt reserves what the text would need in a narrow column."""

    def minimumSizeHint(self) -> QSize:
        layout = self.layout()
        return QSize(0, layout.totalHeightForWidth(self.width()) if layout is not None and self.width() else 0)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.updateGeometry()
