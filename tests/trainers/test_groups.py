"""Findings stand against all normals, groups against their own; small parts have no figure, and the CSV's further columns are found."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trainers.cohort import read_cohort
from trainers.groups import age_band, facts_of, grouped


def test_findings_stand_against_all_normals_and_groups_against_their_own() -> None:
    truth = [False] * 20 + [True] * 20
    facts = [{"view": "PA" if i % 2 else "AP"} for i in range(20)]
    facts += [
        {"view": "PA" if i % 2 else "AP", "findings": "Mass|Effusion" if i < 6 else "Effusion"} for i in range(20)
    ]
    scores = [float(i % 7) for i in range(20)] + [9.0] * 6 + [float(i % 7) for i in range(14)]
    found = grouped({"s": scores}, truth, [str(i) for i in range(40)], facts)
    findings, view = found.metrics["s"]["findings"], found.metrics["s"]["view"]
    assert (findings["Mass"].n_normal, findings["Mass"].n_abnormal, findings["Mass"].auroc) == (20, 6, 1.0)
    assert findings["Effusion"].n_abnormal == 20 and findings["Effusion"].auroc < 0.8
    assert {value: (m.n_normal, m.n_abnormal) for value, m in view.items()} == {"AP": (10, 10), "PA": (10, 10)}


def test_a_part_with_too_few_of_either_class_is_named_without_a_figure() -> None:
    truth = [False] * 10 + [True] * 10
    facts = [{}] * 10 + [{"cause": "virus"}] * 4 + [{"cause": "bacteria"}] * 6
    found = grouped({"s": list(range(20))}, truth, [str(i) for i in range(20)], facts)
    assert list(found.metrics["s"]["cause"]) == ["bacteria"]
    assert found.left_out == ({"column": "cause", "value": "virus", "n_normal": 10, "n_abnormal": 4},)


@pytest.mark.parametrize(
    ("age", "band"),
    [("057Y", "40 to 59"), ("57", "40 to 59"), ("018M", "1 to 5"), ("0", "under 1"), ("75", "75 and over"), ("?", "")],
)
def test_ages_fall_into_bands_whether_tags_or_numbers(age: str, band: str) -> None:
    assert age_band(age) == band


def test_a_cohorts_further_columns_are_found_for_files_and_for_folders(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    for name in ("a.png", "one/b.png"):
        Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)).save(tmp_path / name)
    with (tmp_path / "cohort.csv").open("w", newline="") as file:
        csv.writer(file, delimiter=";").writerows([["path", "Sex", "finding"], ["a.png", "F", ""], ["one", "M", "KL3"]])
    cohort = read_cohort(tmp_path / "cohort.csv")
    assert facts_of(cohort.series, tmp_path / "cohort.csv") == [{"sex": "F"}, {"sex": "M", "finding": "KL3"}]
    corrected = [replace(one, sex="O") for one in cohort.series]
    assert [fact["sex"] for fact in facts_of(corrected, tmp_path / "cohort.csv")] == ["O", "O"], "the file is believed"
    assert facts_of(cohort.series, tmp_path) == [{"sex": "F"}, {"sex": "M"}]
