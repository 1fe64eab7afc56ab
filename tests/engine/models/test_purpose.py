"""Models are looked through by what they read: a person knows the body part of a film without tags, and not the methods."""

from __future__ import annotations

from pathlib import Path

from engine.models.card import Applicability, Card, InputSpec
from engine.models.purpose import by_purpose, purpose
from engine.models.shelf import SHIPPED, InstalledBundle
from tests.cards import metric_of, plain_card

KNEES = Applicability(modality=("CR",), body_part=("KNEE",), age_years=(40, 85))
HEADS = Applicability(modality=("CT",), body_part=("HEAD",), synthetic=True)
VOLUME = InputSpec(spatial_dims=3, size=(8, 8, 8))


def bundle(name: str, auroc: float = 0.5, folder: Path = SHIPPED, **values: object) -> InstalledBundle:
    card: Card = plain_card(id=name, title=name, evaluation={"error": metric_of(auroc)}, **values)
    return InstalledBundle(name, folder / f"{name}.safetensors", name, card)


def test_what_a_model_reads_is_said_in_words() -> None:
    assert purpose(plain_card(applicability=KNEES)) == "Knee radiographs, ages 40 to 85"
    assert purpose(plain_card(applicability=HEADS, input=VOLUME)) == "Head CT phantoms"
    assert purpose(plain_card(applicability=Applicability(synthetic=True))) == "Radiograph phantoms"
    several = Applicability(body_part=("ELBOW", "LEFT_HAND"))
    assert purpose(plain_card(applicability=several)) == "Elbow/left hand radiographs"
    assert purpose(plain_card()) == "Radiographs"


def test_models_of_one_body_part_stand_together_the_best_first_and_phantoms_last(tmp_path: Path) -> None:
    heads = bundle("a", applicability=HEADS, input=VOLUME)
    worse, better = bundle("b", 0.7, applicability=KNEES), bundle("c", 0.9, applicability=KNEES)
    own = bundle("d", 0.6, tmp_path, applicability=KNEES)
    chest = bundle("e", applicability=Applicability(body_part=("CHEST",)))
    assert by_purpose([heads, worse, better, own, chest]) == [
        ("Chest radiographs", [chest]),
        ("Knee radiographs, ages 40 to 85", [own, better, worse]),
        ("Head CT phantoms", [heads]),
    ]
