"""Which of the installed bundles read unasked. Several fit the same film; were all to read it, one normal in twenty would be flagged by each of them.

A person's choice is kept as ids in `in_use.json` among the user's own bundles. Never loads weights.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from engine.errors import StorageUnavailable
from engine.models.card import Card
from engine.models.shelf import SHIPPED, InstalledBundle, user_folder


def readers(applying: Sequence[InstalledBundle], chosen: frozenset[str]) -> list[InstalledBundle]:
    """Of the bundles that apply to one series, those that read it: all that a person chose, else one.

    That one is a site's own bundle before one that ships, and then the one whose ranking score did best on its validation patients, by the lower end
    of its interval, so that a figure from a handful of patients does not win, less what it lost when films were shown without borders and letters.
    """
    named = [bundle for bundle in applying if bundle.id in chosen]
    return named or ([max(applying, key=standing)] if applying else [])


def standing(bundle: InstalledBundle) -> tuple[bool, float]:
    """What `readers` chooses by, the greatest first."""
    metric = bundle.card.evaluation.get(bundle.card.primary_score)
    surely = metric.auroc_ci95[0] + min(0.0, shortcut_change(bundle.card)) if metric is not None else 0.0
    return not bundle.path.is_relative_to(SHIPPED), surely


def shortcut_change(card: Card) -> float:
    """Change of AUROC without borders and burned-in letters (trainers/shortcuts.py); 0 where the card's recipe does not say."""
    try:
        return float(card.recipe["shortcut_checks"]["without either"]["change"])
    except (KeyError, TypeError, ValueError):
        return 0.0


def chosen_ids() -> frozenset[str]:
    """The ids a person chose; none when nobody has, or when the file cannot be understood (then the rule decides, as it does without one)."""
    try:
        values = json.loads(_file().read_text(encoding="utf-8"))
        return frozenset(str(value) for value in values["in_use"])
    except (OSError, ValueError, KeyError, TypeError):
        return frozenset()


def choose(ids: frozenset[str]) -> None:
    """Keep the choice for this user. Raises StorageUnavailable when it cannot be written."""
    file = _file()
    temporary = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps({"in_use": sorted(ids)}), encoding="utf-8")
        temporary.replace(file)
    except OSError as error:
        raise StorageUnavailable(
            f"the choice of models cannot be kept ({error.strerror or error})",
            where=file,
            cure="Free some space, or give yourself the right to write there.",
        ) from error


def _file() -> Path:
    return user_folder() / "in_use.json"
