"""Installed bundles by the kind of image that they read: a list of twenty models is looked through by body part, not by name. Never loads weights."""

from __future__ import annotations

from collections.abc import Sequence

from engine.models.card import Card
from engine.models.in_use import standing
from engine.models.shelf import InstalledBundle


def purpose(card: Card) -> str:
    """What a model reads, in a few words: "Knee radiographs, ages 40 to 85", "Head CT phantoms", "Radiographs" where the card says no more."""
    limits = card.applicability
    parts = "/".join(part.replace("_", " ").lower() for part in limits.body_part)
    kind = "CT" if card.input.spatial_dims == 3 else "radiograph" if limits.synthetic else "radiographs"
    words = " ".join(word for word in (parts, kind, "phantoms" if limits.synthetic else "") if word)
    ages = f", ages {limits.age_years[0]:g} to {limits.age_years[1]:g}" if limits.age_years else ""
    return words[:1].upper() + words[1:] + ages


def by_purpose(bundles: Sequence[InstalledBundle]) -> list[tuple[str, list[InstalledBundle]]]:
    """What bundles read, each with its bundles: the one that would read unasked first. Those of patients stand before those of phantoms."""
    groups: dict[str, list[InstalledBundle]] = {}
    for bundle in sorted(bundles, key=lambda bundle: (bundle.card.applicability.synthetic, purpose(bundle.card))):
        groups.setdefault(purpose(bundle.card), []).append(bundle)
    return [(words, sorted(group, key=standing, reverse=True)) for words, group in groups.items()]
