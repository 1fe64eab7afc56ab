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
from trainers.method import MethodTrainer
from trainers.plan import TrainingPlan
from trainers.registry import trainer_class
from trainers.split import Shares, split_by_patient

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
    split = split_by_patient(patients, abnormal, seed=seed, shares=shares)
    drawn = [abnormal[i] for i in split.mixture]
    assert sum(drawn) / len(drawn) == pytest.approx(rate, abs=0.02)
    other = split_by_patient(patients, abnormal, seed=seed, shares=Shares(mixture_abnormals=0.5))
    assert (split.validation, split.calibration) == (other.validation, other.calibration)


def test_a_mixture_from_the_same_table_shares_nobody_with_the_known_normals(cohort_csv: Make) -> None:
    table = cohort_csv(normals=120, abnormals=80)
    cohort, split = drawn_cohorts(_Unlabelled(mixture_rate=0.5), table, table)
    parts = [set(part) for part in split.patients(cohort.patients).values()]
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


def test_a_method_that_needs_a_mixture_says_so(cohort_csv: Make) -> None:
    with pytest.raises(CohortRejected, match="unlabelled mixture") as caught:
        drawn_cohorts(_Unlabelled(), cohort_csv(), None)
    assert "--mixture" in caught.value.cure


def test_images_that_are_neither_normal_nor_abnormal_are_nobodys_example(cohort_csv: Make) -> None:
    table = cohort_csv(normals=60, abnormals=10)
    table.write_text(table.read_text().replace("000.png,P0,normal", "000.png,P0,uncertain"))
    cohort, _ = drawn_cohorts(_Unlabelled(mixture_rate=None), table, table)
    assert len(cohort.series) == 69 and "P0" not in cohort.patients
