"""What one model says of one series: each score in words and beside the cohort's histogram. Shows; never scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QToolButton, QVBoxLayout, QWidget

from app import appearance
from app.results.card_view import CardView
from app.results.histogram import Histogram, HistogramData, cut_off_score
from app.results.labels import Foldout, caution, text
from app.results.neighbours import NeighboursRow
from app.results.wording import (
    cohort_noun,
    compared,
    ordinal,
    place_in_words,
    raw_number,
    score_title,
    shown_percentile,
)
from engine.store.rows import ResultRow, ScoreRow

if TYPE_CHECKING:
    import numpy.typing as npt
    from numpy import uint8

    from engine.models.card import Card

PRIMARY_HEIGHT, OTHER_HEIGHT = 88, 44


class ScoreBlock(QWidget):
    """One result. `card` is None when the model is no longer installed: then numbers stand without their histogram, and it says so.

    `drawn` says whether the overlay is this model's, None where no other model's could be drawn instead. `alike`: [k, rows, columns] 8-bit
    pictures of the normals that the image is most like, where the model has them.

    Signals:
        overlay_wanted(str): hash of the bundle whose overlay is wanted.
        drawing_wanted(str): hash of the bundle that is to draw images.
    """

    overlay_wanted = Signal(str)
    drawing_wanted = Signal(str)

    def __init__(
        self,
        result: ResultRow,
        card: Card | None,
        parent: QWidget | None = None,
        *,
        drawn: bool | None = None,
        alike: npt.NDArray[uint8] | None = None,
    ) -> None:
        super().__init__(parent)
        self._card = card
        self._overlay = QToolButton(self)
        self._overlay.setVisible(drawn is not None)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(self._title(result, drawn))
        others = sorted(name for name in result.scores if name != result.primary)
        if result.primary in result.scores:
            self._add_primary(column, result)
        for name in others:
            self._add_other(column, name, result.scores[name])
        if result.posterior is not None:
            column.addWidget(text(self._posterior(result.posterior), appearance.TEXT_QUIET))
        if alike is not None:
            column.addWidget(NeighboursRow(alike))
        if card is None:
            column.addWidget(text("This model is no longer installed: its cohort cannot be shown.", appearance.WARNING))
        for warning in result.warnings:
            column.addWidget(caution(warning))
        if card is not None:
            column.addWidget(Foldout("Model card", lambda: self._card_view(card, result.bundle_hash)))

    def _title(self, result: ResultRow, drawn: bool | None) -> QHBoxLayout:
        """The model's name and, where several have scored, whether the overlay is its."""
        line = QHBoxLayout()
        line.setSpacing(8)
        line.addWidget(text(self._card.title if self._card else result.bundle_id, bold=True), 1)
        if drawn is not None:
            button = self._overlay
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            button.setFont(appearance.font(appearance.SMALL_PIXELS))
            button.clicked.connect(lambda: self.overlay_wanted.emit(result.bundle_hash))
            self.show_drawn(drawn)
            line.addWidget(button, 0, Qt.AlignmentFlag.AlignTop)
        return line

    def _card_view(self, card: Card, bundle_hash: str) -> CardView:
        view = CardView(card)
        view.drawing_wanted.connect(lambda: self.drawing_wanted.emit(bundle_hash))
        return view

    def show_drawn(self, drawn: bool) -> None:
        """Whether the overlay on screen is this model's."""
        self._overlay.setText("Overlay shown" if drawn else "Show overlay")
        self._overlay.setToolTip(
            "The overlay and the reconstruction on screen are this model's"
            if drawn
            else "Draw this model's overlay  (M: the next model's)"
        )
        self._overlay.setEnabled(not drawn)

    def _add_primary(self, column: QVBoxLayout, result: ResultRow) -> None:
        score = result.scores[result.primary]
        colour = appearance.FLAGGED if score.flagged else appearance.TEXT
        line = QHBoxLayout()
        line.setSpacing(10)
        if score.percentile is not None:
            figure = text(str(shown_percentile(score.percentile)), colour, appearance.FIGURE_PIXELS, bold=True)
            figure.setWordWrap(False)
            figure.setSizePolicy(figure.sizePolicy().Policy.Fixed, figure.sizePolicy().Policy.Fixed)
            line.addWidget(figure, 0, Qt.AlignmentFlag.AlignVCenter)
        words = QVBoxLayout()
        words.setSpacing(0)
        words.addWidget(text(self._compared(result.primary, score)))
        words.addWidget(text(self._verdict(score), colour if score.flagged else appearance.TEXT_QUIET))
        line.addLayout(words, 1)
        column.addLayout(line)
        self._add_histogram(column, result.primary, score, PRIMARY_HEIGHT)
        column.addLayout(self._caption(result.primary, score, primary=True))

    def _add_other(self, column: QVBoxLayout, name: str, score: ScoreRow) -> None:
        column.addSpacing(6)
        column.addLayout(self._caption(name, score, primary=False))
        self._add_histogram(column, name, score, OTHER_HEIGHT)

    def _caption(self, name: str, score: ScoreRow, *, primary: bool) -> QHBoxLayout:
        """The score's name on the left; on the right its percentile, or for the primary one, whose percentile stands above, the raw numbers."""
        raw = raw_number(score.score)
        if (cut_off := self._cut_off(name)) is not None:
            raw += f",  cut-off {raw_number(cut_off)}"
        right = raw
        if not primary and score.percentile is not None:
            calibration = self._card.calibration.scores.get(name) if self._card else None
            place = f"{ordinal(shown_percentile(score.percentile))} percentile"
            right = place_in_words(score.percentile, calibration.n) if calibration else place
        colour = appearance.FLAGGED if score.flagged and not primary else appearance.TEXT_QUIET
        title = text(score_title(name), appearance.TEXT_QUIET, appearance.SMALL_PIXELS)
        title.setToolTip("This score ranks the worklist" if primary else "This score does not rank the worklist")
        figure = text(right, colour, appearance.SMALL_PIXELS)
        figure.setWordWrap(False)
        figure.setSizePolicy(figure.sizePolicy().Policy.Minimum, figure.sizePolicy().Policy.Minimum)
        figure.setToolTip(f"Raw score {raw}")
        line = QHBoxLayout()
        line.addWidget(title, 1)
        line.addWidget(figure)
        return line

    def _add_histogram(self, column: QVBoxLayout, name: str, score: ScoreRow, height: int) -> None:
        calibration = self._card.calibration.scores.get(name) if self._card else None
        cut_off = self._cut_off(name)
        if calibration is None or cut_off is None or len(calibration.normal_scores) < 2:
            return
        data = HistogramData(calibration.normal_scores, score.score, cut_off, score.flagged)
        column.addWidget(Histogram(data, height))

    def _cut_off(self, name: str) -> float | None:
        calibration = self._card.calibration.scores.get(name) if self._card else None
        if self._card is None or calibration is None or not calibration.normal_scores:
            return None
        return cut_off_score(calibration.normal_scores, self._card.calibration.flag_percentile)

    def _compared(self, name: str, score: ScoreRow) -> str:
        calibration = self._card.calibration.scores.get(name) if self._card else None
        if score.percentile is None:
            return "Not calibrated: there are no normals to compare with"
        if self._card is None or calibration is None:
            return "percentile of the model's normal cohort"
        return compared(score.percentile, calibration.n, cohort_noun(self._card))

    def _verdict(self, score: ScoreRow) -> str:
        if self._card is None:
            return "Over the cut-off" if score.flagged else "Below the cut-off"
        at = ordinal(round(self._card.calibration.flag_percentile))
        return f"Flagged: over the {at} percentile" if score.flagged else f"Not flagged: below the {at} percentile"

    def _posterior(self, posterior: float) -> str:
        calibration = self._card.calibration.scores.get("posterior") if self._card else None
        number = f"Posterior log p(normal) {posterior:.4g}"
        if calibration is None or not calibration.normal_scores:
            return f"{number}, up to a constant; higher = more normal"
        middle = cut_off_score(calibration.normal_scores, 50)
        return f"{number}; median of {calibration.n} normals {middle:.4g}, higher = more normal"


def unscored_block(result: ResultRow, card: Card | None) -> QWidget:
    """A model that was asked and has not answered, or could not."""
    block = QWidget()
    column = QVBoxLayout(block)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(2)
    column.addWidget(text(card.title if card else result.bundle_id, bold=True))
    words = {"queued": "Waiting to be scored", "running": "Being scored…", "failed": "Could not be scored"}
    column.addWidget(text(words.get(result.state, "Not scored"), appearance.TEXT_QUIET))
    if result.error:
        colour = appearance.ERROR if result.state == "failed" else appearance.TEXT_QUIET
        column.addWidget(text(result.error, colour))
    return block
