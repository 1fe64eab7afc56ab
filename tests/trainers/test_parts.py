"""A model of several body parts says so, is judged part by part, and never on a part of a patient that it has learned from."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import CohortRejected
from engine.imaging.series import Series
from engine.models.bundle import load_bundle
from engine.models.card import Applicability, Card, CohortSummary
from tests.cards import plain_card
from trainers.alpha_gan import AlphaGANPlan
from trainers.cohort import Cohort
from trainers.evaluate import evaluate
from trainers.judging import read_sides, without_learned
from trainers.model_card import CardText
from trainers.parts import check_one_part, part_of_patient, patient_of
from trainers.recalibrate import recalibrate
from trainers.repartition import repartition
from trainers.report.split_picture import split_picture
from trainers.run import train

Make = Callable[..., Path]


def film(patient: str, part: str, label: str, number: int = 0) -> Series:
    name = f"{patient}-{part}-{number}"
    return Series(name, name, name, "radiograph", "raster", (f"/{name}.png",), patient, body_part=part, label=label)


def side(patients: range, parts: tuple[str, ...], label: str) -> Cohort:
    return Cohort("films", tuple(film(f"p{number:03d}", part, label) for number in patients for part in parts))


def by_part(**split: tuple[str, ...]) -> Card:
    training = CohortSummary(name="limbs", split_by="patient-and-body-part", split=split)
    return plain_card(training=training, applicability=Applicability(body_part=("ELBOW", "WRIST")))


names = st.text("aW/ -", max_size=4)


@given(names, names, names, names)
def test_no_two_units_share_a_name(patient: str, part: str, other: str, another: str) -> None:
    unit = part_of_patient(patient, part)
    assert patient_of(unit) == patient
    if patient != other:
        assert unit != part_of_patient(other, another)
    assert part_of_patient(patient, "Thorax") == part_of_patient(patient, "chest") != part_of_patient(patient, "hand")


def test_parts_that_a_model_knows_are_no_mixture_and_any_other_is() -> None:
    both = side(range(5), ("WRIST", "ELBOW"), "normal").series
    with pytest.raises(CohortRejected, match="several body parts"):
        check_one_part(both, "films")
    check_one_part(both, "films", together=("Elbow", "WRIST"))
    with pytest.raises(CohortRejected, match="1 HAND"):
        check_one_part((*both, film("p", "HAND", "normal")), "films", together=("ELBOW", "WRIST"))


def test_a_part_that_was_learned_from_is_left_out_and_the_same_patients_other_part_is_judged() -> None:
    normals, abnormals = side(range(20), ("WRIST", "ELBOW"), "normal"), side(range(20, 30), ("WRIST",), "abnormal")
    card = by_part(train=tuple(f"WRIST/p{number:03d}" for number in range(12)), validation=("ELBOW/p000",))
    good, bad, out = without_learned(normals, abnormals, [card])
    assert {(one.patient_id, one.body_part) for one in out} == {(f"p{n:03d}", "WRIST") for n in range(12)}
    assert len(good.series) == 28 and len(bad.series) == 10
    whole = card.model_copy(update={"training": CohortSummary(name="", split={"train": ("p000", "p001")})})
    good, _, out = without_learned(normals, abnormals, [card, whole])
    assert {one.patient_id for one in out if one.body_part == "ELBOW"} == {"p000", "p001"}, "each card by its own units"


def test_an_image_that_does_not_say_which_part_of_a_learned_patient_it_shows_is_left_out() -> None:
    normals, abnormals = side(range(20), ("", "WRIST"), "normal"), side(range(20, 30), ("",), "abnormal")
    card = by_part(train=tuple(f"WRIST/p{number:03d}" for number in range(12)))
    _, _, out = without_learned(normals, abnormals, [card])
    assert {(one.patient_id, one.body_part) for one in out} == {
        (f"p{n:03d}", p) for n in range(12) for p in ("", "WRIST")
    }


def test_a_sites_own_short_numbers_are_not_mistaken_for_the_cards() -> None:
    normals = Cohort("", tuple(film(str(number), "WRIST", "normal") for number in range(20)))
    abnormals = Cohort("", tuple(film(str(number), "WRIST", "abnormal") for number in range(20, 30)))
    card = by_part(train=tuple(f"WRIST/{number}" for number in range(100)))
    assert without_learned(normals, abnormals, [card])[2] == ()


def test_units_are_counted_as_normal_mixed_or_abnormal_in_each_part_of_the_split() -> None:
    series = (
        film("a", "WRIST", "normal"),
        film("a", "WRIST", "abnormal", 1),
        film("a", "ELBOW", "normal"),
        film("b", "WRIST", "abnormal"),
        film("c", "ELBOW", "normal"),
    )
    card = by_part(train=("ELBOW/a", "ELBOW/gone"), validation=("ELBOW/c", "WRIST/a", "WRIST/b"))
    found = repartition(card, Cohort("", series), Cohort("", series[:2]))
    train, validation = found.split
    assert (train.normal, train.mixed, train.abnormal, train.elsewhere, train.images) == (1, 0, 0, 1, 1)
    assert (validation.normal, validation.mixed, validation.abnormal, validation.images) == (1, 1, 1, 4)
    assert (found.judged.mixed, found.judged.here) == (1, 1)
    assert [(row.name, row.normal, row.mixed, row.abnormal) for row in found.parts] == [
        ("elbow", 2, 0, 0),
        ("wrist", 0, 1, 1),
    ]


def test_the_split_picture_says_its_counts_and_what_the_card_does_not_name() -> None:
    series = (film("a", "WRIST", "normal"), film("a", "WRIST", "abnormal", 1), film("b", "ELBOW", "normal"))
    given = Cohort("", series)
    for card, said in (
        (
            by_part(train=("ELBOW/b", "ELBOW/x")),
            {"1 normal, 1 not here  (1 image)", "1 mixed  (2 images)", "elbow", "wrist"},
        ),
        (by_part(train=("0123456789ab",)), {"1, whom the card does not name"}),
    ):
        figure = split_picture("Limbs", repartition(card, given, given))
        words = {text.get_text() for axes in figure.axes for text in (*axes.texts, *axes.get_yticklabels())}
        assert said <= words
        plt.close(figure)


@pytest.mark.usefixtures("undrawn")
def test_a_model_of_several_parts_says_so_and_is_judged_part_by_part(cohort_csv: Make, tmp_path: Path) -> None:
    table = cohort_csv(normals=100, abnormals=20)
    head, *rows = table.read_text().splitlines()
    cells = [row.split(",") for row in rows]
    lines = [f"{path},P{i // 2},{label},{('wrist', 'elbow')[i % 2]}" for i, (path, _, label) in enumerate(cells)]
    table.write_text("\n".join([f"{head},body_part", *lines]))
    plan = AlphaGANPlan(size=(16, 16), epochs=2, width=16, code=4, split_by="patient-and-body-part")
    made = train("alpha-gan", table, out=tmp_path / "m.safetensors", plan=plan, text=CardText(public_patients=True))
    card = made.card
    assert card.applicability.body_part == ("ELBOW", "WRIST") and card.training.split_by == "patient-and-body-part"
    limits = " ".join(card.limits)
    assert "One model of 2 body parts" in limits and "different parts of one patient" in limits
    judged = next(iter(card.evaluation.values()))

    metrics = evaluate(made.path, table, table, tmp_path / "report")
    assert metrics["ssim"].n_normal == judged.n_normal == 18, "those that the card's figures were made of"
    groups = json.loads((tmp_path / "report" / "groups.json").read_text())["scores"]["ssim"]["body_part"]
    assert set(groups) == {"ELBOW", "WRIST"} and sum(part["n_normal"] for part in groups.values()) == 18

    again = load_bundle(recalibrate(made.path, table, tmp_path / "again.safetensors").path)
    assert again.card.calibration.scores == card.calibration.scores and again.card.evaluation == card.evaluation
    with pytest.raises(CohortRejected, match="several body parts"):
        read_sides(table, table, [plain_card(applicability=Applicability(body_part=("WRIST",)))])
