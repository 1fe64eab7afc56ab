"""The host as its parent sees it: events, commands, one host a folder, and bad studies that do not stop the good ones."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.store import Store
from engine.store.rows import QueueCounts

AddStudies = Callable[..., list[str]]


def test_it_scores_what_is_queued_and_says_so(store: Store, add_studies: AddStudies, start_host: Any) -> None:
    uids = add_studies(*[""] * 6)
    host = start_host()
    host.wait_for("idle")
    assert store.counts() == QueueCounts(done=6)
    assert {event["study_uid"] for event in host.named("done")} == set(uids)
    (model,) = [event for event in host.named("model") if event["state"] == "ready"]
    assert (model["hash"], model["title"]) == ("d" * 16, "Mean grey")
    assert [event["device"] for event in host.named("device")] == ["cpu"]
    assert host.named("progress")[-1] | {"queued": 0, "running": 0, "done": 6} == host.named("progress")[-1]
    assert host.named("progress")[-1]["studies_a_minute"] > 0
    (result,) = store.results_of(uids[3])
    assert store.arrays.open(result.heatmap).shape == (24, 16)
    add_studies("")  # while it waits
    host.wait_for("done", 7)
    host.send("nonsense")
    host.send('{"command": "stop"}')
    assert host.ended() == 0
    assert host.events[-1]["reason"] == "asked to stop"
    assert "not a command" in host.log
    assert "a library that prints" in host.log


@pytest.mark.parametrize("how", ["terminated", "parent died"])
def test_when_it_is_stopped_at_work_the_rest_is_queued_as_before(
    store: Store, add_studies: AddStudies, start_host: Any, how: str
) -> None:
    add_studies(*[""] * 40)
    host = start_host(DOUBLE_SECONDS="0.05")
    host.wait_for("done", 2)
    if how == "terminated":
        host.process.send_signal(signal.SIGTERM)
    else:
        host.process.stdin.close()
    assert host.ended() == 0
    counts = store.counts()
    assert counts.running == 0
    assert counts.done == len(host.named("done")) < 40
    assert counts.queued == 40 - counts.done
    claimed = store.claim("x/1/1", 40)
    assert {(job.crashes, job.attempts) for job in claimed} == {(0, 0)}


@pytest.mark.parametrize("how", ["command", "terminated", "parent died"])
def test_closing_the_window_in_the_middle_of_a_series_is_no_crash(
    store: Store, add_studies: AddStudies, start_host: Any, how: str
) -> None:
    add_studies("hang", "", "")
    host = start_host()
    while store.counts().running == 0:
        time.sleep(0.02)
    host.wait_for("model", 2)
    if how == "command":
        host.send('{"command": "stop"}')
    elif how == "terminated":
        host.process.send_signal(signal.SIGTERM)
    else:
        host.process.stdin.close()
    until = time.monotonic() + 4
    while store.counts().running and time.monotonic() < until:
        time.sleep(0.02)
    assert host.process.poll() is None, "the series still hangs"
    host.kill()
    assert store.requeue_lost() == []
    assert {(job.crashes, job.attempts) for job in store.claim("x/1/1", 3)} == {(0, 0)}


def test_a_second_host_on_the_folder_leaves_with_a_clear_message(store: Store, start_host: Any) -> None:
    first = start_host()
    first.wait_for("idle")
    second = start_host()
    assert second.ended() == 4
    assert "already works on" in second.events[-1]["reason"]
    assert str(first.process.pid) in second.events[-1]["reason"]
    first.kill()
    start_host().wait_for("idle")


def test_a_store_that_cannot_be_opened_is_said_and_ends_it(tmp_path: Path, start_host: Any) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "normascope.sqlite").write_bytes(b"no database at all, but long enough to be one" * 40)
    host = start_host()
    assert host.ended() == 5
    assert "not a Normascope database" in host.events[-1]["reason"]


def test_bad_studies_fail_with_their_reason_and_the_others_are_scored(
    store: Store, add_studies: AddStudies, start_host: Any
) -> None:
    good = add_studies("", "", "")
    (unreadable,) = add_studies("unreadable")
    (fault,) = add_studies("fault")
    (memory,) = add_studies("memory")
    (untagged,) = add_studies("", named=False)
    good += add_studies("", "", "")
    host = start_host()
    host.wait_for("done", 7)
    rows = {row.study_uid: row for row in store.worklist()}
    assert {rows[uid].status for uid in [*good, memory]} == {"done"}
    assert rows[unreadable].status == "failed"
    assert rows[unreadable].error.endswith("truncated. Fetch it again.")
    assert rows[untagged].status == "not scored"
    assert "name the model" in rows[untagged].error
    event = next(event for event in host.named("failed") if event["study_uid"] == fault)
    assert event["state"] == "queued", "a fault may pass: it is tried again"
    assert "division by zero" in event["error"]


def test_a_model_that_is_rejected_or_too_large_does_not_stop_the_others(
    store: Store, register: Any, add_studies: AddStudies, start_host: Any
) -> None:
    register("e" * 16, "/models/rejected.safetensors")
    register("f" * 16, f"/models/huge/{'f' * 16}.safetensors")
    rejected = add_studies("", "", bundle="e" * 16)
    huge = add_studies("", bundle="f" * 16)
    good = add_studies("")
    host = start_host()
    host.wait_for("idle")
    rows = {row.study_uid: row for row in store.worklist()}
    assert {rows[uid].status for uid in rejected} == {"failed"}
    assert "Fetch the model again" in rows[rejected[0]].error
    assert rows[huge[0]].status == rows[good[0]].status == "done"
    told = [event for event in host.named("model") if event["hash"] == "e" * 16]
    assert [event["state"] for event in told] == ["loading", "rejected"]
    assert (told[1]["where"], told[1]["cure"]) == ("/models/rejected.safetensors", "Fetch the model again.")


def test_what_comes_on_screen_overtakes_what_is_in_hand(store: Store, add_studies: AddStudies, start_host: Any) -> None:
    uids = add_studies(*[""] * 60)
    host = start_host(DOUBLE_SECONDS="0.03")
    host.wait_for("done", 2)
    store.bring_forward([uids[-1]])
    host.wait_for("done", 30)
    order = [event["study_uid"] for event in host.named("done")]
    assert order.index(uids[-1]) < 20


def test_a_series_that_hangs_ends_the_host_which_says_so(
    store: Store, add_studies: AddStudies, start_host: Any
) -> None:
    add_studies("", "hang", "")
    host = start_host("--stall", "1")
    assert host.ended() == 6
    assert "took longer than" in host.events[-1]["reason"]
    assert len(store.requeue_lost()) >= 1


def test_events_that_nobody_reads_do_not_stop_the_work(store: Store, add_studies: AddStudies, tmp_path: Path) -> None:
    add_studies(*[""] * 5)
    script = Path(__file__).with_name("double_engine.py")
    command = [sys.executable, str(script), "--data", str(tmp_path / "data")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.close()
        until = time.monotonic() + 20
        while store.counts().done < 5 and time.monotonic() < until:
            time.sleep(0.05)
        process.stdin.close()
        assert process.wait(20) == 0
    assert store.counts() == QueueCounts(done=5)
