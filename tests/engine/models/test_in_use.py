"""One model reads a film unasked unless a person chose others: every further one would flag its own twentieth of the normals."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import StorageUnavailable
from engine.models import in_use, shelf
from engine.models.card import Card
from engine.models.in_use import choose, chosen_ids, readers
from engine.models.shelf import SHIPPED, InstalledBundle
from tests.cards import metric_of

NOBODY: frozenset[str] = frozenset()


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(in_use, "user_folder", lambda: tmp_path / "models")
    return tmp_path / "models"


def bundle(card: Card, name: str, auroc: float | None, low: float = 0.0, folder: Path = SHIPPED) -> InstalledBundle:
    evaluation = {} if auroc is None else {card.primary_score: metric_of(auroc, low)}
    path = folder / f"{name}{shelf.SUFFIX}"
    return InstalledBundle(name, path, name, card.model_copy(update={"id": name, "evaluation": evaluation}))


def test_the_one_that_surely_did_best_reads(card: Card) -> None:
    few, many, unmeasured = bundle(card, "few", 0.95, 0.6), bundle(card, "many", 0.9, 0.88), bundle(card, "new", None)
    assert readers([few, many, unmeasured], NOBODY) == [many]
    assert readers([], NOBODY) == []


def test_one_that_reads_the_film_instead_of_the_patient_stands_back(card: Card) -> None:
    def checked(change: object) -> Card:
        return card.model_copy(update={"recipe": {"shortcut_checks": {"without either": {"change": change}}}})

    border, body = bundle(checked(-0.08), "border", 0.98, 0.97), bundle(checked(-0.005), "body", 0.95, 0.94)
    assert readers([border, body], NOBODY) == [body]
    better = bundle(checked(0.2), "better", 0.98, 0.93)  # hiding borders may help; that is no merit
    assert readers([better, body], NOBODY) == [body]
    unreadable = bundle(checked("much"), "unreadable", 0.98, 0.97)
    assert readers([unreadable, body], NOBODY) == [unreadable]


def test_a_sites_own_model_reads_before_one_that_ships(card: Card, own_folder: Path) -> None:
    ours = bundle(card, "ours", 0.7, 0.6, own_folder)
    assert readers([bundle(card, "shipped", 0.9, 0.88), ours], NOBODY) == [ours]


def test_a_persons_choice_is_kept_and_goes_before_any_rule(card: Card) -> None:
    best, other, third = bundle(card, "best", 0.9, 0.88), bundle(card, "other", 0.6, 0.5), bundle(card, "third", None)
    assert chosen_ids() == NOBODY
    choose(frozenset({"other", "third", "of another body part"}))
    assert readers([best, other, third], chosen_ids()) == [other, third]
    choose(NOBODY)
    assert readers([best, other, third], chosen_ids()) == [best]


def test_a_choice_that_cannot_be_read_is_none_and_one_that_cannot_be_written_is_an_error(own_folder: Path) -> None:
    own_folder.mkdir()
    (own_folder / "in_use.json").write_text('{"in_use": 3')
    assert chosen_ids() == NOBODY
    (own_folder / "in_use.json").unlink()
    own_folder.rmdir()
    own_folder.write_text("a file where the folder should be")
    with pytest.raises(StorageUnavailable) as caught:
        choose(frozenset({"x"}))
    assert caught.value.cure
