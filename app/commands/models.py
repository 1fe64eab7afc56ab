"""`normascope models`: what is installed, as a table or as the cards themselves."""

from __future__ import annotations

import json

from rich.console import Console
from rich.table import Table

from engine.models.shelf import installed


def run_models(*, as_json: bool) -> int:
    """Print the installed bundles; 0."""
    bundles = installed()
    if as_json:
        cards = [
            {**bundle.card.model_dump(mode="json"), "hash": bundle.hash, "path": str(bundle.path)} for bundle in bundles
        ]
        print(json.dumps(cards, indent=2))
        return 0
    table = Table(title="Installed models (research use only)", title_justify="left")
    for heading in ("id", "method", "input", "trained on", "ranks by", "AUROC of that score (95% interval)"):
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
            card.method,
            " x ".join(map(str, card.input.size)),
            f"{card.training.n_train} normals of {card.training.name}",
            card.primary_score,
            measured,
        )
    Console().print(table)
    return 0
