"""Killing the host loses nothing, at whatever moment; a study that kills it is found, and the others are scored."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.store import Store
from engine.store.rows import QueueCounts

AddStudies = Callable[..., list[str]]


def everything_is_done_once(store: Store, uids: list[str], tmp_path: Path) -> None:
    assert store.counts() == QueueCounts(done=len(uids))
    referenced = set()
    for uid in uids:
        (result,) = store.results_of(uid)
        assert result.state == "done"
        grey = int(uid.split(".")[1])
        assert result.scores["grey"].score == grey
        assert float(store.arrays.open(result.heatmap).mean()) == pytest.approx(grey / 255, abs=1e-3)
        assert float(store.arrays.open(result.reconstruction).mean()) == pytest.approx(grey / 255, abs=1e-6)
        referenced |= {result.heatmap, result.reconstruction}
        row = store.study(uid)
        assert row is not None
        assert row.percentile == result.percentile
        assert row.status == "done"
    store.close()
    arrays = tmp_path / "data" / "arrays"
    Store(None, tmp_path / "data").close()  # opening clears away what the dead left unfinished
    there = {str(path.relative_to(arrays)) for path in arrays.rglob("*") if path.is_file()}
    assert there == referenced


@pytest.mark.slow
def test_killed_at_random_moments_every_job_ends_done_exactly_once(
    store: Store, add_studies: AddStudies, start_host: Any, tmp_path: Path
) -> None:
    uids = add_studies(*[""] * 40)
    moments = random.Random(20260101)
    killed_at_work = 0
    for finished in (0, 1, 4, 2, 0):
        host = start_host(DOUBLE_SECONDS="0.1")
        host.wait_for(*(("done", finished) if finished else ("started",)))
        time.sleep(moments.uniform(0.0, 0.05))
        host.kill()
        killed_at_work += store.counts().running > 0
    assert killed_at_work >= 2, "the kills must hit the host while it has jobs in hand"
    host = start_host(DOUBLE_SECONDS="0.001")
    host.wait_for("idle", seconds=100)
    everything_is_done_once(store, uids, tmp_path)


@pytest.mark.slow
def test_a_study_that_kills_the_host_is_failed_after_three_and_the_others_are_scored(
    store: Store, add_studies: AddStudies, start_host: Any
) -> None:
    good = add_studies(*[""] * 6)
    (bad,) = add_studies("crash")
    good += add_studies(*[""] * 6)
    deaths = 0
    for _ in range(6):
        host = start_host(DOUBLE_SECONDS="0.001")
        while host.process.poll() is None and not host.named("idle"):
            time.sleep(0.02)
        if host.process.poll() is None:
            break
        assert host.ended() < 0, "died of a signal"
        deaths += 1
    assert deaths == 3
    assert store.counts() == QueueCounts(done=12, failed=1)
    row = store.study(bad)
    assert row is not None
    assert "engine stopped while scoring this study" in row.error
    assert {store.study(uid).status for uid in good} == {"done"}  # type: ignore[union-attr]
