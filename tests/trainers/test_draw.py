"""A mixture shares no image and no patient with the known normals, holds the asked share of abnormal images, and never moves who validates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import CohortRejected
from trainers import draw
from trainers.cohort import Cohort, read_cohort
from trainers.draw import drawn_cohorts
from trainers.judging import read_sides
from trainers.method import MethodTrainer
from trainers.plan import TrainingPlan
from trainers.registry import trainer_class
from trainers.split import Shares, split_by_unit

Make = Callable[..., Path]


class _Unlabelled(MethodTrainer):
    """Only what `drawn_cohorts` asks a trainer."""

    mixture = "always"

    def __init__(self, **values: object) -> None:
        self.plan = TrainingPlan.model_validate({"method": "ratio-posterior", "mixture_normals": 0.5} | values)


for _name in ("begin_epoch", "step", "scoring_model"):
    setattr(_Unlabelled, _name, None)
_Unlabelled.__abstractmethods__ = frozenset()  # type: ignore[attr-defined]


@given(st.floats(0.02, 1.0), st.integers(0, 3))
def test_a_mixture_holds_the_asked_share_and_moves_nobody_else(rate: float, seed: int) -> None:
    patients = [f"P{i}" for i in range(300)]
    abnormal = [i >= 150 for i in range(300)]
    shares = Shares(mixture_normals=0.5, mixture_abnormals=0.5, mixture_rate=rate)
    split = split_by_unit(patients, abnormal, seed=seed, shares=shares)
    drawn = [abnormal[i] for i in split.mixture]
    assert sum(drawn) / len(drawn) == pytest.approx(rate, abs=0.02)
    other = split_by_unit(patients, abnormal, seed=seed, shares=Shares(mixture_abnormals=0.5))
    assert (split.validation, split.calibration) == (other.validation, other.calibration)


def test_a_mixture_from_the_same_table_shares_nobody_with_the_known_normals(cohort_csv: Make) -> None:
    table = cohort_csv(normals=120, abnormals=80)
    cohort, split = drawn_cohorts(_Unlabelled(mixture_rate=0.5), table, table)
    parts = [set(part) for part in split.who(cohort.patients).values()]
    assert sum(map(len, parts)) == len(set().union(*parts))
    assert {cohort.series[i].label for i in split.mixture} == {"normal", "abnormal"}
    assert {cohort.series[i].label for i in split.train} == {"normal"}


@pytest.mark.parametrize("method", ["glow-posterior", "ratio-posterior"])
def test_by_default_no_method_that_needs_a_mixture_gets_one_of_abnormal_images_alone(
    method: str, cohort_csv: Make
) -> None:
    kind = trainer_class(method)
    table = cohort_csv(normals=120, abnormals=40)
    trainer = _Unlabelled()
    trainer.plan = kind.plan_class()
    cohort, split = drawn_cohorts(trainer, table, table)
    assert {cohort.series[i].label for i in split.mixture} == {"normal", "abnormal"}


def test_a_mixture_of_its_own_loses_the_patients_among_the_normals(cohort_csv: Make) -> None:
    normals = cohort_csv(normals=60, name="normals")
    archive = cohort_csv(normals=90, abnormals=10, name="archive")  # its first 60 patients have the normals' IDs
    cohort, split = drawn_cohorts(_Unlabelled(), normals, archive)
    assert len(split.mixture) == 40 and len(split.train) == 42
    assert not {cohort.patients[i] for i in split.mixture} & {cohort.patients[i] for i in split.train}


def test_a_mixture_of_its_own_loses_copies_of_the_normals_under_other_names(cohort_csv: Make, tmp_path: Path) -> None:
    normals = cohort_csv(normals=60, name="normals").parent
    archive = cohort_csv(normals=90, abnormals=10, name="archive").parent  # its first 60 images are the normals'
    for folder in (normals, archive):
        (folder / "cohort.csv").unlink()  # nobody says whose an image is
    for file in archive.glob("*.png"):
        file.rename(file.with_name(f"renamed-{file.name}"))
    cohort, split = drawn_cohorts(_Unlabelled(), normals, archive)
    assert sorted(Path(cohort.series[i].path).name[8:11] for i in split.mixture) == [f"{i:03d}" for i in range(60, 100)]


def test_a_mixture_of_another_body_part_is_refused(cohort_csv: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    normals, archive = cohort_csv(normals=60, name="normals"), cohort_csv(normals=30, name="archive")

    def tagged(path: str | Path) -> Cohort:
        part = "CHEST" if path == normals else "HAND"
        cohort = read_cohort(path)
        return replace(cohort, series=tuple(replace(one, body_part=part) for one in cohort.series))

    monkeypatch.setattr(draw, "read_cohort", tagged)
    with pytest.raises(CohortRejected, match="60 CHEST, 30 HAND"):
        drawn_cohorts(_Unlabelled(), normals, archive)


class _Normals(_Unlabelled):
    mixture = "never"


def _of_parts(table: Path, part_of: Callable[[int], str], patient_of: Callable[[int], str]) -> Path:
    """The table with a body part and another patient for each row."""
    head, *rows = table.read_text().splitlines()
    cells = [row.split(",") for row in rows]
    lines = [f"{path},{patient_of(i)},{label},{part_of(i)}" for i, (path, _, label) in enumerate(cells)]
    table.write_text("\n".join([f"{head},body_part", *lines]))
    return table


def _two_each(table: Path) -> Path:
    """Every patient has a wrist and an elbow."""
    return _of_parts(table, lambda i: "wrist" if i % 2 else "Elbow", lambda i: f"P{i // 2}")


def test_body_parts_that_only_a_table_names_are_refused_together_and_the_cure_names_the_option(
    cohort_csv: Make,
) -> None:
    table = _two_each(cohort_csv(normals=60, abnormals=8))
    with pytest.raises(CohortRejected, match="34 ELBOW, 34 WRIST") as caught:
        drawn_cohorts(_Normals(), table, None)
    assert "--option several_parts=true" in caught.value.cure


def test_an_abnormal_side_of_another_body_part_is_refused_too(cohort_csv: Make) -> None:
    table = _of_parts(cohort_csv(60, 8), lambda i: "chest" if i < 60 else "hand", lambda i: f"P{i}")
    with pytest.raises(CohortRejected, match="60 CHEST, 8 HAND"):
        drawn_cohorts(_Normals(), table, None)
    with pytest.raises(CohortRejected, match=r"no normal image shows what others do \(8 HAND\)"):
        drawn_cohorts(_Normals(several_parts=True), table, None)


def test_several_parts_split_by_patient_keep_a_patient_together(cohort_csv: Make) -> None:
    cohort, split = drawn_cohorts(_Normals(several_parts=True), _two_each(cohort_csv(normals=120, abnormals=20)), None)
    whose = split.who(cohort.patients)
    assert sum(map(len, whose.values())) == len(set().union(*whose.values())) == 70


def test_a_split_by_body_part_keeps_each_part_of_a_patient_together_and_may_divide_the_patient(
    cohort_csv: Make,
) -> None:
    # of every patient two wrists and two elbows; one wrist of the last five is abnormal
    table = _of_parts(cohort_csv(120, 5), lambda i: "wrist" if i % 4 < 2 else "elbow", lambda i: f"P{i // 4}")
    table.write_text(
        "\n".join(
            line if ",abnormal," not in line else f"{line.split(',')[0]},P{i - 100},abnormal,wrist"
            for i, line in enumerate(table.read_text().splitlines())
        )
    )
    cohort, split = drawn_cohorts(_Normals(split_by="patient-and-body-part"), table, None)
    units = split.who(cohort.units("patient-and-body-part"))
    assert sum(map(len, units.values())) == len(set().union(*units.values())) == 60
    assert set(units["train"]) & {f"ELBOW/P{i}" for i in range(21, 26)}, (
        "the other part of an abnormal patient is normal"
    )
    mixed = {f"WRIST/P{i}" for i in range(21, 26)}
    assert mixed <= set(units["validation"]), "a unit with normal and abnormal images goes wholly to one side"
    patients = {part: {unit.split("/")[1] for unit in who} for part, who in units.items()}
    assert patients["train"] & patients["validation"]


def test_several_parts_must_be_known_for_every_image(cohort_csv: Make) -> None:
    table = _of_parts(cohort_csv(60), lambda i: "" if i < 3 else "wrist", lambda i: f"P{i}")
    with pytest.raises(CohortRejected, match="3 images do not say which body part") as caught:
        drawn_cohorts(_Normals(split_by="patient-and-body-part"), table, None)
    assert "body_part" in caught.value.cure


@pytest.mark.parametrize(
    ("arguments", "words"),
    [((60, 0), "same as the normals"), ((60, 4), "too small a mixture")],
)
def test_mixtures_that_cannot_be_learned_from_are_refused(
    cohort_csv: Make, arguments: tuple[int, int], words: str
) -> None:
    table = cohort_csv(*arguments)
    with pytest.raises(CohortRejected, match=words) as caught:
        drawn_cohorts(_Unlabelled(mixture_rate=0.5), table, table)
    assert caught.value.cure


@pytest.mark.parametrize("count", [2, 3, 4, 5])
def test_a_few_patients_with_many_images_each_are_taken(cohort_csv: Make, count: int) -> None:
    _, split = drawn_cohorts(_Normals(), cohort_csv(normals=30, patients=count), None)
    assert len(split.calibration) >= 5 and len(split.train) >= 5


def test_too_few_images_to_calibrate_on_are_refused_with_how_many_patients_are_enough(cohort_csv: Make) -> None:
    table = _of_parts(cohort_csv(normals=30), lambda _: "chest", lambda i: "few" if i < 4 else "many")
    seed = next(s for s in range(20) if _first_of("few", "many", seed=s) == "many")
    with pytest.raises(CohortRejected, match="4 images, of the normals not learned from, are too few") as caught:
        drawn_cohorts(_Normals(split_seed=seed), table, None)
    assert "6 patients" in caught.value.cure


def test_too_few_images_to_learn_from_are_told_before_any_is_prepared_and_not_as_files_that_cannot_be_read(
    cohort_csv: Make,
) -> None:
    table = _of_parts(cohort_csv(normals=30), lambda _: "chest", lambda i: "few" if i < 4 else "many")
    seed = next(s for s in range(20) if _first_of("few", "many", seed=s) == "few")
    with pytest.raises(CohortRejected, match="4 normal images are left to learn from") as caught:
        drawn_cohorts(_Normals(split_seed=seed), table, None)
    assert "split_seed" in caught.value.cure


def _first_of(*patients: str, seed: int) -> str:
    """Who of them is learned from."""
    return split_by_unit(patients, [False] * len(patients), seed=seed).who(patients)["train"][0]


def test_a_method_that_needs_a_mixture_says_so(cohort_csv: Make) -> None:
    with pytest.raises(CohortRejected, match="unlabelled mixture") as caught:
        drawn_cohorts(_Unlabelled(), cohort_csv(), None)
    assert "--mixture" in caught.value.cure


def test_images_that_are_neither_normal_nor_abnormal_are_nobodys_example(cohort_csv: Make) -> None:
    table = cohort_csv(normals=60, abnormals=10)
    table.write_text(table.read_text().replace("000.png,P0,normal", "000.png,P0,uncertain"))
    cohort, _ = drawn_cohorts(_Unlabelled(mixture_rate=None), table, table)
    assert len(cohort.series) == 69 and "P0" not in cohort.patients


def test_labels_that_nobody_knows_are_not_taken_for_normals(cohort_csv: Make) -> None:
    table = cohort_csv(normals=40, abnormals=10)
    written = table.read_text()
    table.write_text(written.replace(",normal", ",0").replace(",abnormal", ",1"))
    why = "no label of this table is normal or abnormal \\(it has '0', '1'\\)"
    with pytest.raises(CohortRejected, match=why):
        drawn_cohorts(_Unlabelled(mixture_rate=0.5), table, table)
    with pytest.raises(CohortRejected, match=why):
        read_sides(table, table, [])
