"""Why installed models say nothing of a series, each reason said once, and where a person may insist, a button. Starts no scoring itself."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from app import appearance
from app.results.labels import Foldout, heading, text
from app.tab_stops import reach_with_tab
from engine.imaging.series import Series

if TYPE_CHECKING:  # cards are read after the first frame
    from engine.models.shelf import InstalledBundle

APPLIES = "it applies, and another model reads such images unasked"
MOST_SHOWN = 2
"""Models of one kind of image that are listed at once; of more, the best is, and the others are folded away."""


class NotApplied(QWidget):
    """Signals:
    score_wanted(str): hash of the bundle that the reader names.
    """

    score_wanted = Signal(str)

    def __init__(self, series: Series, bundles: Sequence[InstalledBundle], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        from engine.scoring.applicability import why_not

        column = QVBoxLayout(self)
        column.setContentsMargins(14, 2, 0, 0)
        column.setSpacing(3)
        alike: dict[tuple[bool, str], list[InstalledBundle]] = {}
        for bundle in bundles:
            reason = why_not(bundle.card, series, named=False) or APPLIES
            may_be_named = not why_not(bundle.card, series, named=True)
            alike.setdefault((not may_be_named, _of_several(reason, bundle.card.title)), []).append(bundle)
        hinted = False
        for (refused, words), group in sorted(alike.items(), key=lambda item: item[0]):
            if column.count():
                column.addSpacing(6)
            if len(group) == 1:  # then the reason may name the model
                words = why_not(group[0].card, series, named=False) or APPLIES
            column.addWidget(text(_sentence(words), appearance.TEXT_QUIET))
            if refused:
                column.addWidget(text(",  ".join(bundle.card.title for bundle in group), appearance.TEXT_FAINT))
            if refused:
                continue
            if not hinted:
                hinted = True
                hint = text("L scores the whole list with one model", appearance.TEXT_FAINT, appearance.SMALL_PIXELS)
                column.addWidget(hint)
            self._add_to_be_named(column, group)

    def _add_to_be_named(self, column: QVBoxLayout, bundles: Sequence[InstalledBundle]) -> None:
        """A button a model, by what they read: a person knows the body part and not the methods."""
        from engine.models.purpose import by_purpose

        kinds = by_purpose(bundles)
        for words, group in kinds:
            if len(kinds) > 1:
                column.addSpacing(4)
                column.addWidget(heading(words))
            shown = group if len(group) <= MOST_SHOWN else group[:1]
            for bundle in shown:
                column.addLayout(self._named(bundle))
            if others := group[len(shown) :]:
                column.addWidget(Foldout(f"{len(others)} others", partial(self._all_named, others)))

    def _all_named(self, bundles: Sequence[InstalledBundle]) -> QWidget:
        lines = QWidget()
        column = QVBoxLayout(lines)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(3)
        for bundle in bundles:
            column.addLayout(self._named(bundle))
        return lines

    def _named(self, bundle: InstalledBundle) -> QHBoxLayout:
        button = QPushButton("Score with it")
        button.setToolTip("You name the model: it scores this series although the file does not say that it applies")
        reach_with_tab(button)
        button.setFont(appearance.font(appearance.SMALL_PIXELS))
        button.setStyleSheet("padding: 2px 8px;")
        button.clicked.connect(lambda: self.score_wanted.emit(bundle.hash))
        line = QHBoxLayout()
        line.setSpacing(8)
        line.addWidget(text(bundle.card.title), 1)
        line.addWidget(button)
        return line


def _of_several(reason: str, title: str) -> str:
    """The reason as it reads for several models: "these read radiographs; this is a volume"."""
    for single, several in ((" reads ", " read "), (" was ", " were "), ("", "")):
        reason = reason.replace(f"{title}{single}", f"these{several}")
    return reason.replace("and says nothing", "and say nothing") if "these were" in reason else reason


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:] + ("" if words.endswith(".") else ".")
