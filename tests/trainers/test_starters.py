"""What is shipped can be made again: the recipe of a starter is the one that its bundle's card tells of."""

from __future__ import annotations

import pytest
import torch

from engine.models.shelf import SHIPPED, read_card
from trainers.planning import default_plan
from trainers.starters.recipes import STARTERS

MACHINES = {"precision"}
"""Fields that the machine decides unless it is asked otherwise."""


@pytest.mark.parametrize("name", sorted(STARTERS))
def test_a_starters_recipe_is_the_one_its_shipped_card_tells_of(name: str) -> None:
    starter, card = STARTERS[name], read_card(SHIPPED / f"{name}.safetensors")
    plan = default_plan(starter.method, None, None, 0, torch.device("cpu"), {"seed": 2021, **starter.plan})
    values, told = plan.model_dump(mode="json"), card.recipe["plan"]
    augmentation = values.pop("augmentation")
    # a field that came later than the card did is at its default, which is what was done before there was one
    assert {field: values[field] for field in told if field in values.keys() - MACHINES} == {
        field: told[field] for field in told if field in values.keys() - MACHINES
    }
    assert {field: augmentation[field] for field in told["augmentation"]} == told["augmentation"]
    assert {field: card.recipe.get(field) for field in starter.recipe} == starter.recipe
    assert set(starter.limits) <= set(card.limits)
