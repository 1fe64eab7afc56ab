"""A model's card in words: what it is, what it learnt from, how well it does, what it is bad at. Shows; judges nothing, draws nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGridLayout, QPushButton, QVBoxLayout, QWidget

from app import appearance
from app.results.labels import heading, text
from app.results.wording import score_title
from app.tab_stops import reach_with_tab
from engine.models.sampling import can_draw

if TYPE_CHECKING:
    from engine.models.card import Card


def card_rows(card: Card) -> list[tuple[str, str]]:
    """(heading, words) of each part of the card that says something."""
    trained = card.training
    held_out = f"{trained.n_calibration:,} normals calibrate its scores"
    judged = f"{trained.n_validation_normal:,} normal, {trained.n_validation_abnormal:,} abnormal held out to judge it"
    rows = [
        ("What it is", card.summary),
        ("Trained on", f"{trained.n_train:,} normals of {trained.name}. {held_out}; {judged}. {training_time(card)}"),
        ("Made for", made_for(card)),
        ("Known limits", "\n".join(f"•  {limit}" for limit in card.limits)),
        ("On the evaluation", card.evaluation_note),
        ("Method", " – ".join(part for part in (card.method, card.paper.get("citation", "")) if part)),
        ("Data", ". ".join(part for part in (trained.source, trained.licence) if part)),
        ("Licence", card.licence),
    ]
    return [(name, words.strip()) for name, words in rows if words.strip()]


def training_time(card: Card) -> str:
    """How long training took and on what; empty where the card names no device, as older ones do: a time alone can be compared with nothing."""
    seconds, name, count = (card.recipe.get(key) for key in ("seconds", "device_name", "devices"))
    if not isinstance(seconds, int | float) or not name:
        return ""
    took = f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:,.0f} min"
    if not isinstance(count, int) or count < 2:
        return f"Training took {took} on {name}."
    if card.recipe.get("device") == "cpu":
        # they share the processor, and its threads
        return f"Training took {took} in {count} processes on {name}."
    return f"Training took {took} on {count} × {name}."


def made_for(card: Card) -> str:
    """The studies the model may be asked about."""
    limits = card.applicability
    parts = [" or ".join(limits.modality), " or ".join(limits.body_part).lower(), " or ".join(limits.view)]
    if limits.age_years:
        parts.append(f"ages {limits.age_years[0]:g} to {limits.age_years[1]:g}")
    if limits.synthetic:
        parts.append("synthetic phantoms only")
    return ", ".join(part for part in parts if part)


def evaluation_lines(card: Card) -> list[tuple[str, str]]:
    """(score, "AUROC 0.81 (0.77 to 0.85)") with the score that ranks first."""
    names = sorted(card.evaluation, key=lambda name: (name != card.primary_score, name))
    lines = []
    for name in names:
        metric = card.evaluation[name]
        low, high = metric.auroc_ci95
        lines.append((score_title(name), f"AUROC {metric.auroc:.2f} ({low:.2f} to {high:.2f})"))
    return lines


class CardView(QWidget):
    """The card, laid out.

    Signals:
        drawing_wanted(): images that the model draws are wanted; asked only of a model that can.
    """

    drawing_wanted = Signal()

    def __init__(self, card: Card, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 2, 0, 6)
        column.setSpacing(2)
        rows = card_rows(card)
        self._add(column, rows[:2])
        if card.evaluation:
            column.addSpacing(6)
            column.addWidget(heading(self._evaluation_heading(card)))
            column.addLayout(self._evaluation(card))
        if can_draw(card):
            column.addSpacing(8)
            column.addWidget(self._drawing_button(), 0, Qt.AlignmentFlag.AlignLeft)
        self._add(column, rows[2:])

    def _drawing_button(self) -> QPushButton:
        button = QPushButton("Show what it takes for normal")
        button.setToolTip("The model draws images from what it has learned; they show no patient")
        reach_with_tab(button)
        button.setFont(appearance.font(appearance.SMALL_PIXELS))
        button.setStyleSheet("padding: 2px 8px;")
        button.clicked.connect(self.drawing_wanted)
        return button

    @staticmethod
    def _add(column: QVBoxLayout, rows: list[tuple[str, str]]) -> None:
        for name, words in rows:
            column.addSpacing(6)
            column.addWidget(heading(name))
            column.addWidget(text(words, appearance.TEXT_QUIET))

    @staticmethod
    def _evaluation_heading(card: Card) -> str:
        metric = next(iter(card.evaluation.values()))
        return f"Evaluated on {metric.n_normal:,} normal and {metric.n_abnormal:,} abnormal (95% interval)"

    @staticmethod
    def _evaluation(card: Card) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(1)
        grid.setColumnStretch(0, 1)
        for i, (name, measured) in enumerate(evaluation_lines(card)):
            grid.addWidget(text(name, appearance.TEXT_QUIET), i, 0)
            figure = text(measured, appearance.TEXT if i == 0 else appearance.TEXT_QUIET)
            figure.setWordWrap(False)
            figure.setSizePolicy(figure.sizePolicy().Policy.Minimum, figure.sizePolicy().Policy.Minimum)
            grid.addWidget(figure, i, 1)
        return grid
