"""Which jobs a newly found series makes: one for each bundle that reads such series unasked. Never scores."""

from __future__ import annotations

from collections.abc import Sequence

from engine.imaging.series import Series
from engine.models.in_use import chosen_ids, readers
from engine.models.shelf import InstalledBundle
from engine.scoring.applicability import why_not
from engine.store import Store


def enqueue_applicable(store: Store, series: Sequence[Series], bundles: Sequence[InstalledBundle]) -> int:
    """Queue each series for the registered bundles that read it (`reading`); returns how many jobs are new."""
    chosen = chosen_ids()
    wanted: dict[str, list[str]] = {}
    for one in series:
        for bundle in reading(one, bundles, chosen):
            wanted.setdefault(bundle.hash, []).append(one.key)
    return sum(store.enqueue(keys, bundle) for bundle, keys in wanted.items())


def reading(
    series: Series, bundles: Sequence[InstalledBundle], chosen: frozenset[str] = frozenset()
) -> list[InstalledBundle]:
    """The bundles that read a series unasked: of those that apply by its tags, the ones in use (`engine.models.in_use`)."""
    return readers([bundle for bundle in bundles if not why_not(bundle.card, series, named=False)], chosen)
