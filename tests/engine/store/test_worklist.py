"""The worklist: filtered as one types, ordered by any column, in pages."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from engine.store import Store
from engine.store.rows import SORTABLE


@pytest.fixture
def filled(store: Store, make_series: Any) -> Store:
    store.add_series(
        [
            make_series(
                1, patient_name="Müller^Änne", patient_id="HX-77", study_date="2024-03-05", accession_number="ACC%1"
            ),
            make_series(
                2, patient_name="SMITH^JOHN", body_part="HAND", modality="DX", study_description="After a fall"
            ),
            make_series(3, patient_name="JOHNSON^MARY", modality="CT", body_part="HEAD", kind="volume"),
        ]
    )
    return store


def names(store: Store, text: str) -> list[str]:
    return sorted(row.patient_name for row in store.worklist(text))


TYPED = [
    ("", ["JOHNSON^MARY", "Müller^Änne", "SMITH^JOHN"]),
    ("john", ["JOHNSON^MARY", "SMITH^JOHN"]),
    ("john smith", ["SMITH^JOHN"]),
    ("hand SMITH", ["SMITH^JOHN"]),
    ("ohns", ["JOHNSON^MARY"]),
    ("muller", ["Müller^Änne"]),
    ("MÜLLER änne", ["Müller^Änne"]),
    ("j", ["JOHNSON^MARY", "SMITH^JOHN"]),
    ("jo ct", ["JOHNSON^MARY"]),
    ("oh", []),  # two letters are the beginning of a word
    ("2024-03", ["Müller^Änne"]),
    ("hx-77", ["Müller^Änne"]),
    ("acc%1", ["Müller^Änne"]),
    ("acc%", ["Müller^Änne"]),
    ("%%%", []),
    ("fall", ["SMITH^JOHN"]),
    ('"', []),
    ("a OR b*", []),
    ("   ", ["JOHNSON^MARY", "Müller^Änne", "SMITH^JOHN"]),
]


def test_typed_words_are_found_in_any_order(filled: Store) -> None:
    for typed, found in TYPED:
        assert (typed, names(filled, typed)) == (typed, found)
        assert filled.worklist_size(typed) == len(found)


def test_a_corrected_name_is_found_and_the_old_one_no_longer(filled: Store, make_series: Any) -> None:
    assert filled.add_series([make_series(2, patient_name="SCHMIDT^JOHN")]) == 0
    assert names(filled, "schmidt") == ["SCHMIDT^JOHN"]
    assert names(filled, "smith") == []


def test_every_column_orders_the_list_and_pages_do_not_overlap(store: Store, make_series: Any, score_all: Any) -> None:
    store.add_series(
        make_series(i, modality=("CR", "DX", "CT")[i % 3], study_date=f"20{i % 4 + 10}-01-01", view=("AP", "PA")[i % 2])
        for i in range(23)
    )
    score_all({f"1.2.{i}": float(i * 37 % 100) for i in range(15)})
    for order, descending in product(SORTABLE, (True, False)):
        rows = [
            row
            for start in range(0, 25, 5)
            for row in store.worklist(order=order, descending=descending, limit=5, offset=start)
        ]
        assert len({row.study_uid for row in rows}) == len(rows) == 23
        values = [getattr(row, order) for row in rows]
        stated = [value for value in values if value is not None]
        assert stated == sorted(stated, reverse=descending), order
        assert values[: len(stated)] == stated, "unscored studies come last in either direction"


def test_studies_that_score_alike_or_not_yet_stand_as_they_came(store: Store, make_series: Any, score_all: Any) -> None:
    store.add_series([make_series(number) for number in range(6)])
    score_all({"1.2.1": 30.0, "1.2.4": 80.0, "1.2.5": 30.0})
    order = [row.study_uid for row in store.worklist(order="percentile", descending=True)]
    assert order == ["1.1.4", "1.1.1", "1.1.5", "1.1.0", "1.1.2", "1.1.3"]


def test_of_studies_beyond_all_normals_the_farthest_stands_first(
    store: Store, make_series: Any, make_bundle: Any, make_result: Any
) -> None:
    store.add_series([make_series(number) for number in range(5)])
    installed = make_bundle()
    store.register_bundle(installed)
    excess = {"1.2.0": 0.0, "1.2.1": 0.5, "1.2.2": 7.0, "1.2.3": 0.5, "1.2.4": 2.0}
    store.enqueue(excess, installed.hash)
    for job in store.claim("elsewhere/1/1", 5):
        place = 99.0 if job.series.key == "1.2.4" else 100.0
        assert store.finish(job, make_result(job, place, excess=excess[job.series.key]))
    for score in ("highest", "mean"):
        falling = [row.study_uid for row in store.worklist(study_score=score)]
        assert falling == ["1.1.2", "1.1.1", "1.1.3", "1.1.0", "1.1.4"]
        rising = [row.study_uid for row in store.worklist(study_score=score, descending=False)]
        assert rising == falling[::-1]


def test_an_order_that_is_no_column_is_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="not ordered by"):
        store.worklist(order="study_uid; DROP TABLE studies")


@pytest.mark.parametrize("ahead", [2, 5, 100])
def test_a_filter_with_many_matches_keeps_the_order(
    store: Store, make_series: Any, monkeypatch: pytest.MonkeyPatch, ahead: int
) -> None:
    monkeypatch.setattr("engine.store.worklist._FEW", 3)  # the plans that large stores take, on a small one
    monkeypatch.setattr("engine.store.worklist._AHEAD", ahead)
    store.add_series(
        make_series(i, study_date=f"2020-01-{i + 1:02}", body_part="HAND" if i % 3 == 0 else "CHEST") for i in range(12)
    )
    pages = [store.worklist("chest", order="study_date", limit=3, offset=start) for start in (0, 3, 6)]
    days = [[int(row.study_date[-2:]) for row in page] for page in pages]
    assert days == [[12, 11, 9], [8, 6, 5], [3, 2]]
    assert store.worklist_size("chest") == 8


def test_a_study_of_two_modalities_is_found_by_either(store: Store, make_series: Any) -> None:
    store.add_series(
        [make_series(1, study="1.9", modality="DX"), make_series(2, study="1.9", modality="CR"), make_series(3)]
    )
    assert store.modalities() == ["CR", "DX"]
    assert [row.modality for row in store.worklist(modality="DX")] == ["CR/DX"]
    assert len(store.worklist(modality="CR")) == 2
    assert store.worklist(modality="CT") == []


def test_a_study_takes_the_highest_percentile_of_its_series_or_their_mean(
    store: Store, make_series: Any, score_all: Any
) -> None:
    store.add_series([make_series(1, study="1.9"), make_series(2, study="1.9"), make_series(3)])
    score_all({"1.2.1": 20.0, "1.2.2": 97.0, "1.2.3": 60.0})
    highest = {row.study_uid: (row.percentile, row.flagged, row.score_name) for row in store.worklist()}
    assert highest == {"1.9": (97.0, True, "error"), "1.1.3": (60.0, False, "error")}
    mean = [(row.study_uid, row.percentile) for row in store.worklist(study_score="mean")]
    assert mean == [("1.1.3", 60.0), ("1.9", 58.5)]


def test_series_come_back_as_they_were_found(store: Store, make_series: Any) -> None:
    found = [
        make_series(1, study="1.9", warnings=("tilted",), sources=("a.zip!/b.dcm", "c.dcm")),
        make_series(2, study="1.9"),
    ]
    assert store.add_series(iter(found)) == 2
    assert store.series_of("1.9") == found
    row = store.study("1.9")
    assert row is not None
    assert row.series_count == 2
    assert row.status == "not scored"
    assert store.study("no such") is None


def test_a_series_that_moved_to_another_study_leaves_the_first(store: Store, make_series: Any) -> None:
    store.add_series([make_series(1, study="1.8"), make_series(2, study="1.8")])
    store.add_series([make_series(2, study="1.9", patient_id="P0008")])
    assert {row.study_uid: row.series_count for row in store.worklist()} == {"1.8": 1, "1.9": 1}


def test_slow_discovery_shows_what_it_has_found_so_far(
    store: Store, make_series: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(1000))
    monkeypatch.setattr("engine.store.studies.time.monotonic", lambda: float(next(clock)))
    seen = []

    def slowly() -> Any:
        for number in range(4):
            seen.append(store.worklist_size())
            yield make_series(number)

    store.add_series(slowly())
    assert seen == [0, 1, 2, 3]
