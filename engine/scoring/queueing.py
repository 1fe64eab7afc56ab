"""Which jobs a newly found series makes: one for every bundle that applies. Never scores."""

from __future__ import annotations

from collections.abc import Sequence

from engine.imaging.series import Series
from engine.models.shelf import InstalledBundle
from engine.scoring.applicability import why_not
from engine.store import Store


def enqueue_applicable(store: Store, series: Sequence[Series], bundles: Sequence[InstalledBundle]) -> int:
    """Queue each series for every registered bundle that applies to it unasked; returns how many jobs are new."""
    queued = 0
    for bundle in bundles:
        keys = [one.key for one in series if not why_not(bundle.card, one, named=False)]
        if keys:
            queued += store.enqueue(keys, bundle.hash)
    return queued
