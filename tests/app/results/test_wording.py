"""Numbers in words: never without what they are compared to, never rounded up into something they are not."""

from __future__ import annotations

import pytest

from app.results.wording import (
    compared,
    ordinal,
    person_name,
    place_in_words,
    raw_number,
    score_title,
    shown_percentile,
)


@pytest.mark.parametrize(
    ("percentile", "expected"),
    [
        (97.2, "97th percentile of 161 normal chests"),
        (91.9, "91st percentile of 161 normal chests"),
        (99.99, "99th percentile of 161 normal chests"),
        (100.0, "higher than all 161 normal chests"),
        (0.0, "lower than all 161 normal chests"),
    ],
)
def test_percentile_names_its_cohort(percentile: float, expected: str) -> None:
    assert compared(percentile, 161, "normal chests") == expected


def test_the_ends_are_said_in_few_words_too() -> None:
    assert [place_in_words(p, 12) for p in (100, 0, 91.7)] == ["above all 12", "below all 12", "91st percentile"]


def test_only_the_very_top_reads_100() -> None:
    assert [shown_percentile(value) for value in (99.999, 100.0, -1.0)] == [99, 100, 0]


def test_ordinals() -> None:
    assert [ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 93)] == [
        "1st",
        "2nd",
        "3rd",
        "4th",
        "11th",
        "12th",
        "13th",
        "21st",
        "93rd",
    ]


@pytest.mark.parametrize(
    ("dicom", "read"),
    [("Doe^Jane", "Doe, Jane"), ("Doe^Jane^Q^Dr", "Doe, Jane Q Dr"), ("Doe", "Doe"), ("", ""), ("^Jane", "Jane")],
)
def test_person_names(dicom: str, read: str) -> None:
    assert person_name(dicom) == read


def test_names_in_other_scripts_keep_the_alphabetic_part() -> None:
    assert person_name("Yamada^Tarou=山田^太郎=やまだ^たろう") == "Yamada, Tarou"


def test_score_names_and_raw_numbers() -> None:
    assert [score_title(name) for name in ("reconstruction_error", "ssim", "code-norm")] == [
        "Reconstruction error",
        "SSIM",
        "Code norm",
    ]
    assert [raw_number(value) for value in (0.70712, 1234.6, 0.0000123, 0.0)] == ["0.707", "1.23e+03", "1.23e-05", "0"]
