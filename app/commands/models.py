"""`normascope models`: what is installed, as a table or as the cards themselves."""

from __future__ import annotations

import json
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

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
    table = Table(title="Installed models (research use only)", title_justify="left")
    for heading in ("id", "in use", "method", "input", "trained on", "ranks by", "AUROC of that score (95% interval)"):
        table.add_column(heading, overflow="fold")
    for bundle in bundles:
        card = bundle.card
        metric = card.evaluation.get(card.primary_score)
        measured = "not measured"
        if metric is not None:
            low, high = metric.auroc_ci95
            measured = (
                f"{metric.auroc:.3f} ({low:.3f} to {high:.3f}), {metric.n_normal} normal, {metric.n_abnormal} abnormal"
            )
        table.add_row(
            card.id,
            "chosen" if card.id in chosen else "",
            card.method,
            " x ".join(map(str, card.input.size)),
            f"{card.training.n_train} normals of {card.training.name}",
            card.primary_score,
            measured,
        )
    Console().print(table)
    return 0
