"""Who is in which part of a shipped starter's cohort, drawn anew today, is who its card names: nobody it learned from is judged on later."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from engine.models.shelf import SHIPPED, read_card
from trainers.draw import drawn_cohorts
from trainers.planning import default_plan
from trainers.registry import trainer_class
from trainers.starters.recipes import STARTERS

pytestmark = pytest.mark.realdata


@pytest.mark.parametrize(
    "name", ["chest-adult-glow-posterior", "chest-paediatric-alpha-gan", "knee-ratio-posterior", "knee-salad"]
)
def test_a_starters_split_drawn_again_is_the_one_in_its_card(name: str, shared_data: Path) -> None:
    starter, card = STARTERS[name], read_card(SHIPPED / f"{name}.safetensors")
    plan = default_plan(starter.method, None, None, 0, torch.device("cpu"), {"seed": 2021, **starter.plan})
    asks: Any = SimpleNamespace(plan=plan, mixture=trainer_class(starter.method).mixture)  # all that a draw asks for
    table = starter.images.table(shared_data)
    cohort, split = drawn_cohorts(asks, table, table if starter.mixture else None)
    assert split.who(cohort.units(plan.split_by)) == {part: tuple(who) for part, who in card.training.split.items()}
