"""No patient is on two sides, whatever their films; the same seed gives the same split whatever the files' order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trainers.split import Shares, Split, split_by_unit

images = st.lists(st.tuples(st.integers(0, 30).map(lambda n: f"P{n}"), st.booleans()), min_size=1, max_size=120)


@given(images, st.integers(0, 5))
def test_a_patient_is_in_one_part_and_every_image_is_in_exactly_one(cohort: list[tuple[str, bool]], seed: int) -> None:
    patients, abnormal = [p for p, _ in cohort], [a for _, a in cohort]
    split = split_by_unit(patients, abnormal, seed=seed, shares=Shares(selection=0.2))
    parts = [split.train, split.calibration, split.validation, split.selection]
    assert sorted(i for part in parts for i in part) == list(range(len(cohort)))
    owners = [{patients[i] for i in part} for part in parts]
    assert sum(len(part) for part in owners) == len(set().union(*owners))


@given(images)
def test_a_patient_with_any_abnormal_film_is_never_learned_from(cohort: list[tuple[str, bool]]) -> None:
    patients, abnormal = [p for p, _ in cohort], [a for _, a in cohort]
    split = split_by_unit(patients, abnormal, seed=0)
    sick = {p for p, is_abnormal in cohort if is_abnormal}
    assert not sick & {patients[i] for i in (*split.train, *split.calibration)}


@given(images, st.randoms())
def test_the_order_of_files_does_not_matter(cohort: list[tuple[str, bool]], random: object) -> None:
    shuffled = list(cohort)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    first, second = (
        split_by_unit([p for p, _ in side], [a for _, a in side], seed=3).who([p for p, _ in side])
        for side in (cohort, shuffled)
    )
    assert first == second


def test_shares_are_of_patients() -> None:
    patients = [f"P{i // 3}" for i in range(300)]
    split = split_by_unit(patients, [False] * 300, seed=1)
    parts = split.who(patients)
    assert [len(parts[name]) for name in ("train", "calibration", "validation")] == [70, 12, 18]


def test_a_small_cohort_calibrates_on_as_many_as_percentiles_need_and_keeps_somebody_to_validate() -> None:
    split = split_by_unit([f"P{n}" for n in range(20)], [False] * 20, seed=0)
    assert (len(split.train), len(split.calibration), len(split.validation)) == (14, 5, 1)


def test_more_patients_of_as_many_images_never_calibrate_on_too_few() -> None:
    before = 0
    for count in range(2, 60):
        patients = [f"P{n % count}" for n in range(60)]
        split = split_by_unit(patients, [False] * 60, seed=0)
        whose = split.who(patients)
        assert whose["train"] and len(split.calibration) >= 5
        assert before <= min(len(whose["calibration"]), 5)
        before = min(len(whose["calibration"]), 5)
    assert before == 5


@given(st.lists(st.integers(1, 30), min_size=6, max_size=40), st.integers(0, 5))
def test_six_patients_are_enough_to_calibrate_whatever_their_images(films: list[int], seed: int) -> None:
    patients = [f"P{n}" for n, count in enumerate(films) for _ in range(count)]
    split = split_by_unit(patients, [False] * len(patients), seed=seed)
    assert len(split.calibration) >= 5 and split.train


def test_a_patient_drawn_for_the_mixture_in_part_is_named_once() -> None:
    split = Split(train=(0,), calibration=(1,), validation=(2,), mixture=(3,), unused=(4, 5))
    assert split.who(["a", "b", "c", "d", "d", "e"])["unused"] == ("e",)
    assert split.who(["a", "b", "c", "d", "d", "e"])["mixture"] == ("d",)
