"""The queue: every job belongs to one worker at most, ends once, and survives the death of whoever had it."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from engine.store import Store
from engine.store.jobs import MOST_ATTEMPTS, MOST_CRASHES
from engine.store.rows import QueueCounts
from engine.store.workers import is_dead, this_worker

BUNDLE = "a" * 16
ELSEWHERE = "another-machine/12/345"


@pytest.fixture
def queue(store: Store, make_series: Any, make_bundle: Any) -> Store:
    """Ten studies of one series, queued."""
    store.add_series(make_series(i) for i in range(10))
    store.register_bundle(make_bundle())
    assert store.enqueue([f"1.2.{i}" for i in range(10)], BUNDLE) == 10
    return store


def a_dead_worker() -> str:
    code = "from engine.store.workers import this_worker; print(this_worker())"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_asking_twice_queues_once_and_may_only_raise_the_priority(queue: Store) -> None:
    assert queue.enqueue(["1.2.3", "1.2.4"], BUNDLE, priority=5) == 0
    assert queue.enqueue(["1.2.3"], BUNDLE, priority=2) == 0
    claimed = queue.claim(ELSEWHERE, 3)
    assert [(job.series.key, job.priority) for job in claimed] == [("1.2.3", 5), ("1.2.4", 5), ("1.2.0", 0)]


def test_what_is_on_screen_goes_first(queue: Store) -> None:
    queue.bring_forward(["1.1.7"])
    queue.bring_forward(["1.1.4"])
    assert [job.series.key for job in queue.claim(ELSEWHERE, 3)] == ["1.2.4", "1.2.7", "1.2.0"]


def test_what_was_declined_unasked_is_scored_once_the_model_is_named(queue: Store) -> None:
    (job,) = queue.claim(ELSEWHERE, 1)
    queue.decline(job, "no tags; name the model")
    assert queue.enqueue(["1.2.0", "1.2.1"], BUNDLE) == 0
    assert queue.enqueue(["1.2.0", "1.2.1"], BUNDLE, priority=3, named=True) == 1
    assert [(job.series.key, job.named) for job in queue.claim(ELSEWHERE, 2)] == [("1.2.0", True), ("1.2.1", True)]


def test_unknown_series_and_bundles_are_refused(queue: Store) -> None:
    with pytest.raises(IntegrityError):
        queue.enqueue(["no such"], BUNDLE)
    with pytest.raises(IntegrityError):
        queue.enqueue(["1.2.1"], "f" * 16)
    assert queue.counts() == QueueCounts(queued=10)


def test_workers_never_share_a_job(queue: Store) -> None:
    def work(number: int) -> list[int]:
        mine: list[int] = []
        while jobs := queue.claim(f"machine/{number}/1", 2):
            mine.extend(job.id for job in jobs)
        return mine

    with ThreadPoolExecutor(4) as pool:
        taken = [number for mine in pool.map(work, range(4)) for number in mine]
    assert len(taken) == len(set(taken)) == 10


def test_one_models_jobs_are_claimed_unless_another_models_are_more_urgent(queue: Store, make_bundle: Any) -> None:
    queue.register_bundle(make_bundle("b" * 16, "other"))
    queue.enqueue(["1.2.0"], "b" * 16)
    assert {job.bundle_id for job in queue.claim(ELSEWHERE, 4, BUNDLE)} == {"chest-model"}
    queue.enqueue(["1.2.0"], "b" * 16, priority=1)
    assert queue.claim(ELSEWHERE, 4, BUNDLE) == []
    assert [job.bundle_id for job in queue.claim(ELSEWHERE, 1)] == ["other"]


def test_a_result_is_written_once_and_only_by_who_has_the_job(queue: Store, make_result: Any) -> None:
    (job,) = queue.claim(ELSEWHERE, 1)
    assert queue.finish(job, make_result(job, 70.0))
    assert not queue.finish(job, make_result(job, 10.0)), "a result is never replaced"
    (row,) = queue.results_of(job.series.study_uid)
    assert row.percentile == 70.0
    assert row.scores["other"].percentile == 50.0
    assert row.posterior == -3.5
    assert row.warnings == ("spacing unknown",)
    assert float(queue.arrays.open(row.heatmap)[0, 0]) == pytest.approx(0.7, abs=1e-3)
    assert queue.arrays.open(row.reconstruction).shape == (8, 6)
    assert queue.arrays.open(row.neighbours).shape == (4, 3, 3)
    assert float(queue.arrays.open(row.difference)[0, 0]) == 0.25
    assert queue.counts() == QueueCounts(queued=9, done=1)


def test_the_study_follows_its_jobs(queue: Store, make_result: Any) -> None:
    def status() -> tuple[str, str]:
        row = queue.study("1.1.0")
        assert row is not None
        return row.status, row.error

    assert status() == ("queued", "")
    (job,) = queue.claim(ELSEWHERE, 1)
    assert status() == ("scoring", "")
    queue.release([job])
    assert status() == ("queued", "")
    (job,) = queue.claim(ELSEWHERE, 1)
    assert queue.fail(job, "x.dcm: truncated. Fetch it again.", retry=False) == "failed"
    assert status() == ("failed", "x.dcm: truncated. Fetch it again.")
    assert queue.retry(["1.1.0"]) == 1
    (job,) = queue.claim(ELSEWHERE, 1)
    queue.decline(job, "modality US")
    assert status() == ("not scored", "modality US")
    assert queue.results_of("1.1.0")[0].error == "modality US"


def test_a_study_that_failed_in_part_says_so_beside_its_score(
    store: Store, make_series: Any, make_bundle: Any, make_result: Any
) -> None:
    store.add_series([make_series(1), make_series(2, "1.1.1"), make_series(3, "1.1.1")])
    store.register_bundle(make_bundle())
    store.enqueue(["1.2.1", "1.2.2", "1.2.3"], BUNDLE)
    first, second, third = store.claim(ELSEWHERE, 3)
    store.finish(first, make_result(first, 70.0))
    store.fail(second, "x.dcm: truncated. Fetch it again.", retry=False)
    store.decline(third, "modality US")
    row = store.study("1.1.1")
    assert row is not None
    assert (row.status, row.percentile) == ("failed", 70.0)
    assert row.error == "1 of 3 series failed, the score is of the rest. x.dcm: truncated. Fetch it again."


def test_a_failure_that_may_pass_is_tried_three_times(queue: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.store.jobs._WAITS", (0.0,))
    queue.bring_forward(["1.1.5"])
    states = []
    for _ in range(MOST_ATTEMPTS):
        (job,) = queue.claim(ELSEWHERE, 1)
        assert job.series.key == "1.2.5"
        states.append(queue.fail(job, "the network folder is gone", retry=True))
    assert states == ["queued", "queued", "failed"]


def test_another_attempt_waits_a_moment_and_lets_others_go_first(queue: Store) -> None:
    (job,) = queue.claim(ELSEWHERE, 1)
    assert queue.fail(job, "busy", retry=True) == "queued"
    assert job.series.key not in [other.series.key for other in queue.claim(ELSEWHERE, 20)]
    assert queue.most_urgent() is None
    assert queue.counts().queued == 1


def test_jobs_of_a_dead_process_are_queued_again_at_once(queue: Store, make_result: Any) -> None:
    queue.claim(a_dead_worker(), 2)
    mine = queue.claim(this_worker(), 1)
    remote = queue.claim(ELSEWHERE, 1)
    assert sorted(queue.requeue_lost()) == [("1.2.0", "queued"), ("1.2.1", "queued")]
    assert queue.counts() == QueueCounts(queued=8, running=2)
    assert queue.requeue_lost(older_than_s=-1) == [(remote[0].series.key, "queued")], "silent on another machine"
    assert not queue.finish(remote[0], make_result(remote[0], 1.0)), "it came back after its job was given away"
    queue.heartbeat(this_worker())
    assert queue.counts().running == len(mine)


def test_what_was_in_hand_when_an_engine_died_waits_for_the_others_and_fails_the_third_time(queue: Store) -> None:
    dead = a_dead_worker()
    (bad,) = queue.claim(dead, 1)
    queue.requeue_lost()
    assert bad.series.key not in [job.series.key for job in queue.claim(ELSEWHERE, 9)]
    for crash in range(2, MOST_CRASHES + 1):
        (again,) = queue.claim(dead, 1)
        assert (again.series.key, again.crashes) == (bad.series.key, crash - 1)
        ((_, state),) = queue.requeue_lost()
    assert state == "failed"
    row = queue.study(bad.series.study_uid)
    assert row is not None
    assert row.status == "failed"
    assert "engine stopped while scoring this study" in row.error


def test_a_process_number_that_was_given_to_another_process_is_not_taken_for_alive() -> None:
    node, pid, _ = this_worker().rsplit("/", 2)
    assert is_dead(this_worker()) is False
    assert is_dead(f"{node}/{pid}/1") is True
    assert is_dead(f"{node}/999999999/1") is True
    assert is_dead(ELSEWHERE) is None
    assert is_dead("") is None


def test_a_new_bundle_of_the_same_id_takes_over_the_ranking_and_gives_it_back(
    store: Store, make_series: Any, make_bundle: Any, score_all: Any
) -> None:
    store.add_series([make_series(1), make_series(2)])
    score_all({"1.2.1": 99.0, "1.2.2": 40.0}, hash="1" * 16)

    def percentiles() -> dict[str, float | None]:
        return {row.study_uid: row.percentile for row in store.worklist()}

    store.register_bundle(make_bundle("2" * 16))
    assert percentiles() == {"1.1.1": 99.0, "1.1.2": 40.0}, "a new bundle does not empty the worklist"
    score_all({"1.2.1": 30.0}, hash="2" * 16)
    assert percentiles() == {"1.1.1": 30.0, "1.1.2": 40.0}
    assert [row.current for row in store.results_of("1.1.1")] == [True, False]
    store.register_bundle(make_bundle("1" * 16))
    assert percentiles() == {"1.1.1": 99.0, "1.1.2": 40.0}
    before = store.change_token()
    store.register_bundle(make_bundle("1" * 16))
    assert store.change_token() == before


def test_readings_are_appended_with_what_the_worklist_showed(store: Store, make_series: Any, score_all: Any) -> None:
    store.add_series([make_series(1)])
    score_all({"1.2.1": 96.0})
    store.add_reading("1.1.1", "abnormal", "nodule", "r1")
    store.add_reading("1.1.1", "unsure", "", "r2")
    readings = store.readings_of("1.1.1")
    assert [(r.verdict, r.note, r.reader, r.percentile) for r in readings] == [
        ("abnormal", "nodule", "r1", 96.0),
        ("unsure", "", "r2", 96.0),
    ]
    assert store.worklist(read_state="unsure")[0].read_state == "unsure"
    with pytest.raises(ValueError, match="a reading is one of"):
        store.add_reading("1.1.1", "fine")  # type: ignore[arg-type]


def test_the_change_token_grows_with_changes_of_any_process(
    queue: Store, store_url: str | None, tmp_path: Path
) -> None:
    before = queue.change_token()
    queue.worklist()
    queue.heartbeat("x")
    assert queue.change_token() == before
    other = Store(store_url, tmp_path / "data")
    other.set_setting("study_score", "mean")
    other.close()
    assert queue.change_token() > before
    assert queue.setting("study_score") == "mean"
    assert queue.setting("none", "default") == "default"
