"""What is shipped can be made again: the recipe of a starter is the one that its bundle's card tells of."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engine.models.shelf import SHIPPED, find, read_card
from trainers.planning import default_plan
from trainers.starters import __main__ as command
from trainers.starters import figures
from trainers.starters import starter as starter_of
from trainers.starters.recipes import STARTERS

MACHINES = {"precision"}
"""Fields that the machine decides unless it is asked otherwise."""


class Enough(Exception):
    """What was asked of `train` has been seen."""


@pytest.mark.parametrize(("words", "devices"), [("", None), (" --devices 2", 2)])
def test_a_command_trains_on_as_many_devices_as_it_is_asked_for(
    words: str, devices: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[object] = []

    def watched(*given: object, **named: object) -> None:
        seen.append(named["devices"])
        raise Enough

    monkeypatch.setattr(starter_of, "train", watched)
    monkeypatch.setattr(sys, "argv", f"starters knee-cae --data {tmp_path} --out {tmp_path}{words}".split())
    with pytest.raises(Enough):
        command.main()
    assert seen == [devices]


@pytest.mark.parametrize(
    ("finished", "begun", "resumes"), [(True, False, False), (True, True, True), (False, True, True)]
)
def test_a_starter_is_made_again_and_goes_on_only_with_a_making_that_was_interrupted(
    finished: bool, begun: bool, resumes: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Resuming a finished one is refused: a bundle that ships could not be made anew in its place."""
    seen: list[object] = []
    monkeypatch.setattr(starter_of, "train", lambda *_, **named: seen.append(named["resume"]))
    if finished:
        (tmp_path / "knee-cae.safetensors").touch()
    if begun:
        (tmp_path / "knee-cae.run").mkdir()
        (tmp_path / "knee-cae.run" / "plan.json").write_text("{}")
    STARTERS["knee-cae"].make(tmp_path, tmp_path, "cpu")
    assert seen == [resumes]


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


@pytest.mark.parametrize(
    ("told", "words"), [({}, "| 3 min |"), ({"device_name": "NVIDIA H100"}, "| 3 min (NVIDIA H100) |")]
)
def test_a_training_time_in_the_manual_names_the_device_where_the_card_does(
    told: dict[str, str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "_milliseconds", lambda bundle: 1.0)
    bundle = find(SHIPPED / "knee-cae.safetensors")
    card = bundle.card.model_copy(update={"recipe": {"seconds": 180, "device": "cuda", **told}})
    first, *others = figures._rows(replace(bundle, card=card), "knee")
    assert words in first and not any("min" in line for line in others)
