"""Copies of one image, whatever they are called, are never learned from on one side of a split and calibrated or judged on at the other."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from engine.errors import CohortRejected
from trainers.alpha_gan import AlphaGANPlan
from trainers.cohort import read_cohort
from trainers.copies import copies_within, units_with_copies
from trainers.draw import drawn_cohorts
from trainers.one_device import fabric_on
from trainers.ratio_posterior import RatioPosteriorPlan
from trainers.registry import trainer_of
from trainers.run import train
from trainers.split import Split

Make = Callable[..., Path]
PLAN = AlphaGANPlan(size=(16, 16), epochs=1, width=32, code=8)


def split_of(source: Path) -> tuple[list[str], Split]:
    """The names of the files, and who is where."""
    cohort, split = drawn_cohorts(trainer_of(PLAN, fabric_on(torch.device("cpu"), PLAN.precision)), source, None)
    return [Path(one.path).stem for one in cohort.series], split


def sides(names: list[str], split: Split) -> dict[str, str]:
    """By the file's name, the part that it is in."""
    parts = {"train": split.train, "calibration": split.calibration, "validation": split.validation}
    return {names[index]: part for part, indices in parts.items() for index in indices}


@pytest.fixture
def with_copies(cohort_csv: Make) -> Path:
    """Files of 30 images that name no patient, each of them there a second time under another name."""
    folder = cohort_csv(normals=30).parent
    (folder / "cohort.csv").unlink()
    for file in sorted(folder.glob("*.png")):
        shutil.copy(file, folder / f"again-{file.name}")
    return folder


def test_copies_without_patients_are_on_one_side_of_the_split(with_copies: Path) -> None:
    found = sides(*split_of(with_copies))
    assert len(found) == 60 and set(found.values()) == {"train", "calibration", "validation"}
    assert all(found[name] == found[f"again-{name}"] for name in found if not name.startswith("again"))


def test_patients_who_share_an_image_are_on_one_side_with_all_their_images(cohort_csv: Make) -> None:
    table = cohort_csv(normals=120, patients=60)  # P0 has 000 and 060
    for one, other in (("000", "001"), ("061", "002")):  # of P0 and P1, then of P1 and P2
        shutil.copy(table.parent / f"{one}.png", table.parent / f"{other}.png")
    found = sides(*split_of(table))
    assert len({found[name] for name in ("000", "060", "001", "061", "002", "062")}) == 1


def test_a_cohort_without_copies_is_split_as_ever(cohort_csv: Make) -> None:
    cohort = read_cohort(cohort_csv(normals=30))
    assert units_with_copies(cohort.patients, copies_within(cohort.series)) == cohort.patients
    # what ties units together does not depend on the order of the files
    assert units_with_copies(["b", "c", "a", "c"], [(0, 1), (2, 3)]) == ("a", "a", "a", "a")
    assert units_with_copies(["c", "a", "c", "b"], [(0, 3), (1, 2)]) == ("a", "a", "a", "a")


def test_copies_are_told_while_training_and_in_the_card(with_copies: Path, tmp_path: Path) -> None:
    for file in sorted(with_copies.glob("again-*.png"))[1:]:
        file.unlink()
    lines: list[str] = []
    card = train(
        "alpha-gan", with_copies, out=tmp_path / "m.safetensors", plan=PLAN, on_progress=lambda p: lines.append(str(p))
    ).card
    assert "1 image is a copy of another, byte for byte" in lines[0]
    assert sum("byte for byte" in limit for limit in card.limits) == 1


def test_who_shares_an_image_with_a_known_patient_is_not_in_a_mixture_under_another_name(cohort_csv: Make) -> None:
    normals = cohort_csv(normals=40, patients=20)
    other = cohort_csv(normals=80, patients=40, name="other")  # Q0 has 000 and 040
    other.write_text(other.read_text().replace(",P", ",Q"))
    for file in other.parent.glob("*.png"):
        file.write_bytes(file.read_bytes() + b"another image")
    shutil.copy(normals.parent / "007.png", other.parent / "000.png")  # so that Q0 is P7
    shutil.copy(other.parent / "040.png", other.parent / "001.png")  # and Q1 is Q0
    plan = RatioPosteriorPlan()
    cohort, split = drawn_cohorts(trainer_of(plan, fabric_on(torch.device("cpu"), plan.precision)), normals, other)
    drawn = {cohort.series[index].patient_id for index in split.mixture}
    assert drawn == {f"Q{number}" for number in range(2, 40)}


def test_copies_of_one_image_are_not_normal_and_abnormal(cohort_csv: Make) -> None:
    table = cohort_csv(normals=40, abnormals=6)
    shutil.copy(table.parent / "003.png", table.parent / "044.png")
    with pytest.raises(CohortRejected, match=r"labelled normal and abnormal .*003\.png.*044\.png"):
        split_of(table)
