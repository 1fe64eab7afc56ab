"""A result counts for the pixels it was made of: when a series holds others, it is kept, but no longer shown, and the series is scored anew."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from engine.store import Store
from engine.store.rows import QueueCounts
from engine.store.tables import superseded_results

BUNDLE = "a" * 16
WORKER = "elsewhere/1/1"


@pytest.fixture
def scored(store: Store, make_series: Any, score_all: Any) -> Store:
    """A study of one series, scored at 99."""
    store.add_series([make_series(1, fingerprint="before")])
    score_all({"1.2.1": 99.0})
    return store


def test_other_pixels_under_the_same_key_lose_the_result_and_are_queued(
    scored: Store, make_series: Any, make_result: Any
) -> None:
    (before,) = scored.results_of("1.1.1")
    assert scored.add_series([make_series(1, fingerprint="after", patient_name="ROE^JANE")]) == 0
    row = scored.study("1.1.1")
    assert row is not None
    assert (row.status, row.percentile, row.flagged, row.patient_name) == ("queued", None, False, "ROE^JANE")
    (waiting,) = scored.results_of("1.1.1")
    assert (waiting.state, waiting.scores, waiting.heatmap) == ("queued", {}, "")
    (job,) = scored.claim(WORKER, 1)
    assert job.series.fingerprint == "after"
    assert scored.finish(job, make_result(job, 20.0))
    (after,) = scored.results_of("1.1.1")
    assert after.percentile == 20.0
    assert after.heatmap != before.heatmap
    with scored._database.reading() as connection:
        (kept,) = connection.execute(select(superseded_results)).all()
    assert (kept.percentile, kept.heatmap, kept.created_at) == (99.0, before.heatmap, before.created_at)
    assert float(scored.arrays.open(kept.heatmap)[0, 0]) == pytest.approx(0.99, abs=1e-3)


def test_files_that_only_moved_keep_the_result(scored: Store, make_series: Any) -> None:
    scored.add_series([make_series(1, fingerprint="before", sources=("/moved/1.dcm",))])
    row = scored.study("1.1.1")
    assert row is not None
    assert (row.status, row.percentile) == ("done", 99.0)
    assert scored.series_of("1.1.1")[0].sources == ("/moved/1.dcm",)


def test_what_failed_half_transferred_is_tried_when_it_is_whole(
    store: Store, make_series: Any, make_bundle: Any
) -> None:
    store.add_series([make_series(1, fingerprint="half")])
    store.register_bundle(make_bundle())
    store.enqueue(["1.2.1"], BUNDLE)
    (job,) = store.claim(WORKER, 1)
    store.fail(job, "truncated", retry=False)
    store.add_series([make_series(1, fingerprint="whole")])
    assert store.counts() == QueueCounts(queued=1)


def test_what_is_being_scored_of_the_old_pixels_is_not_taken(
    store: Store, make_series: Any, make_bundle: Any, make_result: Any
) -> None:
    store.add_series([make_series(1, fingerprint="before")])
    store.register_bundle(make_bundle())
    store.enqueue(["1.2.1"], BUNDLE)
    (job,) = store.claim(WORKER, 1)
    store.add_series([make_series(1, fingerprint="after")])
    assert not store.finish(job, make_result(job, 99.0))
    assert store.counts() == QueueCounts(queued=1)


def test_a_model_that_is_no_longer_in_use_is_not_asked_again(scored: Store, make_series: Any, make_bundle: Any) -> None:
    scored.register_bundle(make_bundle("b" * 16))
    scored.enqueue(["1.2.1"], "b" * 16)
    scored.add_series([make_series(1, fingerprint="after")])
    assert scored.counts() == QueueCounts(queued=1, not_scored=1)
    assert [row.percentile for row in scored.results_of("1.1.1")] == [None, None]


def test_a_study_can_be_scored_again_on_request(scored: Store, make_series: Any, make_result: Any) -> None:
    assert scored.retry(["1.1.1"]) == 0
    for percentile in (50.0, 60.0):
        assert scored.score_again(["1.1.1"]) == 1
        (job,) = scored.claim(WORKER, 1)
        assert scored.finish(job, make_result(job, percentile))
    assert scored.results_of("1.1.1")[0].percentile == 60.0
    with scored._database.reading() as connection:
        assert connection.execute(select(superseded_results.c.percentile)).scalars().all() == [99.0, 50.0]


def test_a_series_that_changed_study_with_its_content_leaves_nothing_behind(scored: Store, make_series: Any) -> None:
    scored.add_series([replace(make_series(1, fingerprint="after"), study_uid="1.1.9")])
    left, joined = scored.study("1.1.1"), scored.study("1.1.9")
    assert left is not None
    assert joined is not None
    assert (left.status, left.percentile, joined.status) == ("not scored", None, "queued")


def test_a_reading_of_images_that_are_no_longer_there_is_outdated_and_kept(scored: Store, make_series: Any) -> None:
    scored.add_reading("1.1.1", "normal")
    scored.add_series([make_series(1, fingerprint="before", sources=("/moved/1.dcm",))])
    assert read_state(scored) == "normal", "the same images elsewhere are the same images"
    scored.add_series([make_series(1, fingerprint="after")])
    assert read_state(scored) == "outdated"
    assert [reading.verdict for reading in scored.readings_of("1.1.1")] == ["normal"]
    assert [row.study_uid for row in scored.worklist(read_state="unread")] == ["1.1.1"]
    scored.add_reading("1.1.1", "abnormal")
    assert read_state(scored) == "abnormal"


def test_more_images_of_a_study_outdate_its_reading_but_not_that_nobody_read_it(
    scored: Store, make_series: Any
) -> None:
    scored.add_series([make_series(2, study="1.1.1")])
    assert read_state(scored) == "unread"
    scored.add_reading("1.1.1", "normal")
    scored.add_series([make_series(3, study="1.1.1")])
    assert read_state(scored) == "outdated"


def read_state(store: Store) -> str:
    row = store.study("1.1.1")
    assert row is not None
    return row.read_state
