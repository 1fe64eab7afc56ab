"""Two patients whose files share UIDs are two studies, also when they are opened one after the other: a picture never stands under another name."""

from __future__ import annotations

from typing import Any

import pytest

from engine.store import Store

ANNA = {"patient_id": "A1", "patient_name": "ADLER^ANNA", "fingerprint": "anna"}
BENO = {"patient_id": "B2", "patient_name": "BRANDT^BENO", "fingerprint": "beno"}


def test_a_second_patient_under_the_same_uids_gets_a_row_of_her_own_and_both_say_so(
    store: Store, make_series: Any
) -> None:
    store.add_series([make_series(1, **ANNA)])
    assert store.add_series([make_series(1, **BENO)]) == 1
    rows = {row.patient_name: row for row in store.worklist()}
    assert set(rows) == {"ADLER^ANNA", "BRANDT^BENO"}
    for name, other in (("ADLER^ANNA", "B2 BRANDT^BENO"), ("BRANDT^BENO", "A1 ADLER^ANNA")):
        (series,) = store.series_of(rows[name].study_uid)
        assert series.patient_name == name
        assert any(other in words for words in series.warnings)


def test_scores_of_the_first_patient_stay_hers(store: Store, make_series: Any, score_all: Any) -> None:
    store.add_series([make_series(1, **ANNA)])
    score_all({"1.2.1": 99.0})
    store.add_series([make_series(1, **BENO)])
    assert {row.patient_id: row.percentile for row in store.worklist()} == {"A1": 99.0, "B2": None}


def test_opened_again_each_finds_its_own_row(store: Store, make_series: Any) -> None:
    for patient in (ANNA, BENO, ANNA, BENO):
        store.add_series([make_series(1, **patient)])
    assert store.worklist_size() == 2
    assert all(len(store.series_of(row.study_uid)) == 1 for row in store.worklist())


def test_both_in_one_batch_and_two_series_of_each(store: Store, make_series: Any) -> None:
    store.add_series([make_series(n, study="1.1", **patient) for patient in (ANNA, BENO) for n in (1, 2)])
    assert {row.patient_id: row.series_count for row in store.worklist()} == {"A1": 2, "B2": 2}


def test_what_an_import_queues_is_what_was_stored(store: Store, make_series: Any) -> None:
    store.add_series([make_series(1, **ANNA)])
    (apart,) = store.told_apart([make_series(1, **BENO)])
    store.add_series([apart])
    (row,) = store.worklist("brandt")
    assert [series.key for series in store.series_of(row.study_uid)] == [apart.key]


@pytest.mark.parametrize(
    "change",
    [
        {"patient_name": "ADLER^ANNE"},  # corrected in the archive
        {"patient_id": ""},
        {"patient_id": "", "patient_name": "Adler^Anna^^"},
        {"patient_id": "pseudonym-7", "patient_name": ""},  # a cohort table about the same file
    ],
)
def test_the_same_patient_written_otherwise_stays_one_study(
    store: Store, make_series: Any, change: dict[str, str]
) -> None:
    store.add_series([make_series(1, **ANNA)])
    store.add_series([make_series(1, **(ANNA | change))])
    assert store.worklist_size() == 1
    assert len(store.series_of("1.1.1")) == 1
