"""Scores a whole list with one model, or with all that apply: for files without tags, and for models that came after the studies.

The menu that asks which, and the work of queueing, off the GUI thread. Never decodes a pixel and never scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QMenu, QWidget

from app.state.worklist_query import WorklistQuery, fetch_page
from app.tasks import TaskControl
from engine.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.models.shelf import InstalledBundle

ROWS_AT_A_TIME = 500
LOOKED_AT = 200
"""Studies that tell whether a new model is worth a word: enough of them, and no wait in a list of a hundred thousand."""


@dataclass(frozen=True)
class Queued:
    """What came of it: series looked at, and jobs that are new. `title` of the model that was named, "" for all that apply."""

    series: int
    jobs: int
    title: str

    def in_words(self) -> str:
        """One line for the status bar."""
        by = f"for {self.title}" if self.title else "for the models that apply"
        if not self.jobs:
            return f"Nothing to score {by}: it is scored or queued already, or they do not read such images"
        return f"Queued {self.jobs:,} of {self.series:,} image series {by}"


def queue_list(
    store: Store,
    query: WorklistQuery,
    bundles: Sequence[InstalledBundle],
    named: InstalledBundle | None,
    control: TaskControl,
) -> Queued:
    """Queue every series of the studies that match (worker thread) for the model that was `named`, or for those that read them unasked.

    What a model has scored already, or is about to, stays as it is. Raises StorageUnavailable.
    """
    from engine.scoring.applicability import why_not
    from engine.scoring.queueing import enqueue_applicable

    # in an order that scoring does not change, or pages would overlap while it goes on
    steady = replace(query, order="added_at", descending=False)
    seen = jobs = offset = 0
    while not control.cancelled() and (rows := fetch_page(store, steady, offset, ROWS_AT_A_TIME).rows):
        offset += len(rows)
        series = [one for row in rows for one in store.series_of(row.study_uid)]
        seen += len(series)
        if named is None:
            jobs += enqueue_applicable(store, series, bundles)
        else:
            keys = [one.key for one in series if not why_not(named.card, one, named=True)]
            store.register_bundle(named)
            jobs += store.enqueue(keys, named.hash, named=True)
        control.progress(None, f"Looking through the list: {offset:,} studies…")
    return Queued(seen, jobs, named.card.title if named is not None else "")


def with_something_to_score(
    store: Store, new: Sequence[InstalledBundle], bundles: Sequence[InstalledBundle]
) -> list[InstalledBundle]:
    """Those `new` ones of all `bundles` that would read any of the patients added last unasked, or could be named for a file without tags.

    Phantoms do not count: they are there to show what there is.
    """
    from engine.models.in_use import chosen_ids
    from engine.scoring.applicability import why_not
    from engine.scoring.queueing import reading

    latest = store.worklist(order="added_at", limit=LOOKED_AT)
    series = [one for row in latest if not row.synthetic for one in store.series_of(row.study_uid)]
    chosen = chosen_ids()
    unasked = {bundle.hash for one in series for bundle in reading(one, bundles, chosen)}
    untagged = [one for one in series if one.format != "dicom"]

    def may_be_named(bundle: InstalledBundle) -> bool:
        of_patients = not bundle.card.applicability.synthetic
        return of_patients and any(not why_not(bundle.card, one, named=True) for one in untagged)

    return [bundle for bundle in new if bundle.hash in unasked or may_be_named(bundle)]


def model_menu(
    parent: QWidget,
    studies: int,
    bundles: Sequence[InstalledBundle],
    chosen: Callable[[InstalledBundle | None], object],
) -> QMenu:
    """Which model is to score the `studies` of the list, by what models read; `chosen(None)` asks for all that apply."""
    from engine.models.purpose import by_purpose

    menu = QMenu(parent)
    many = "the study" if studies == 1 else f"all {studies:,} studies"
    menu.addAction(f"Score {many} of this list with…").setEnabled(False)  # a section's words are not drawn by the style
    menu.addSeparator()
    menu.addAction("Every model that applies by itself", partial(chosen, None))
    menu.addSeparator()
    for words, group in by_purpose(bundles):
        place = menu.addMenu(words) if len(group) > 1 else menu
        for bundle in group:
            place.addAction(bundle.card.title, partial(chosen, bundle))
    return menu
