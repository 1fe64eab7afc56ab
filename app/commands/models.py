"""`normascope models`: what is installed, as a table or as the cards themselves."""

from __future__ import annotations

import json
from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from app.research_use import RESEARCH_USE
from engine.models.in_use import choose, chosen_ids
from engine.models.shelf import find, installed

AUTO = "auto"


def run_models(*, as_json: bool, use: Sequence[str] | None = None) -> int:
    """Print the installed bundles, after changing which read unasked where `use` names any ("auto": the rule decides again); 0."""
    bundles = installed()
    if use:
        asked = {find(name).id for name in use if name != AUTO}
        choose(frozenset() if AUTO in use else chosen_ids() | asked)
    if as_json:
        cards = [
            {**bundle.card.model_dump(mode="json"), "hash": bundle.hash, "path": str(bundle.path)} for bundle in bundles
        ]
        print(json.dumps(cards, indent=2))
        return 0
    chosen = chosen_ids()
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for heading in ("id", "ranks by", "AUROC (95%)"):
        table.add_column(heading, no_wrap=True)
    for bundle in bundles:
        card = bundle.card
        metric = card.evaluation.get(card.primary_score)
        measured = "not measured"
        if metric is not None:
            low, high = metric.auroc_ci95
            measured = f"{metric.auroc:.3f} ({low:.3f}-{high:.3f})"
        table.add_row(f"{card.id} *" if card.id in chosen else card.id, card.primary_score, measured)
    Console().print(table)
    if chosen:
        print("* chosen to read unasked.")
    print("AUROC of that score on the card's validation patients; normascope models --json has the cards.")
    print(RESEARCH_USE)
    return 0
