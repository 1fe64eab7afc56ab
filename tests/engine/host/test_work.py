"""What the work loop does when the disk is full, and which models stay loaded."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.errors import BundleRejected, DeviceExhausted, StorageUnavailable
from engine.host import work as work_module
from engine.host.events import Events, Stop
from engine.host.warm import WarmModels
from engine.host.work import Work
from engine.imaging.series import Series
from engine.models.card import Applicability
from engine.models.shelf import InstalledBundle
from engine.scoring.result import ScoreValue, SeriesResult
from engine.store import Store
from engine.store.rows import QueueCounts
from engine.store.workers import this_worker
from tests.cards import plain_card


class Model:
    """Gives every series the same score."""

    title, bundle_id, device, batch = "Same", "double-d", "cpu", 4

    def __init__(self, hash: str = "d" * 16) -> None:
        self.hash = hash

    def why_not(self, series: Series, *, named: bool) -> str:
        return ""

    def score(self, series: Iterable[Series], *, cancelled: Callable[[], bool]) -> Iterator[SeriesResult]:
        for one in series:
            yield SeriesResult(
                one, "double-d", "d" * 16, {"s": ScoreValue(1, 50, False)}, "s", None, np.ones((3, 3), np.float16)
            )


def test_a_full_disk_pauses_the_work_and_loses_no_result(
    store: Store, add_studies: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_studies(*[""] * 5)
    write, refusals = store.arrays.write, iter(range(3))

    def full_at_first(name: str, array: Any) -> str:
        if next(refusals, None) is not None:
            raise StorageUnavailable("the disk is full", where=store.folder, cure="Free some space and try again.")
        return write(name, array)

    monkeypatch.setattr(store.arrays, "write", full_at_first)
    monkeypatch.setattr(work_module, "PAUSES", (0.05,))
    reader, writer = os.pipe()
    stop = Stop()
    work = Work(store, this_worker(), WarmModels("cpu", open_model=lambda *_: Model()), Events(writer), stop)
    loop = threading.Thread(target=work.run)
    loop.start()
    events: list[dict[str, Any]] = []
    with os.fdopen(reader) as lines:
        for line in lines:
            events.append(json.loads(line))
            if events[-1]["event"] == "idle":
                break
        stop.ask("enough")
        loop.join(20)
    os.close(writer)
    assert [event["error"] for event in events if event["event"] == "paused"] == [
        f"{store.folder}: the disk is full. Free some space and try again."
    ] * 3
    assert store.counts() == QueueCounts(done=5)


def test_the_most_recently_used_models_stay_loaded() -> None:
    opened: list[str] = []

    def open_model(path: str, device: str, batch: int) -> Model:
        opened.append(path)
        return Model(path[1:])

    models = WarmModels("cpu", open_model=open_model, most=2)
    for name in ("a", "b", "a", "c", "a", "b"):
        models.get(name, f"/{name}")
    assert opened == ["/a", "/b", "/c", "/b"]


def test_a_model_that_does_not_fit_is_tried_smaller_then_on_the_processor() -> None:
    tried: list[tuple[str, int]] = []

    def open_model(path: str, device: str, batch: int) -> Model:
        tried.append((device, batch))
        if path == "/never" or device != "cpu":
            raise MemoryError
        return Model("a")

    models = WarmModels("cuda", open_model=open_model)
    models.get("a", "/large")
    assert tried == [("cuda", 16), ("cuda", 1), ("cpu", 1)]
    with pytest.raises(DeviceExhausted, match="not enough memory for the model"):
        models.get("b", "/never")


def test_a_model_file_that_was_replaced_is_refused_each_time() -> None:
    models = WarmModels("cpu", open_model=lambda *_: Model("b" * 16))
    for _ in range(2):
        with pytest.raises(BundleRejected, match="replaced by another model"):
            models.get("a" * 16, "/models/chest.safetensors")
    assert models.get("b" * 16, "/models/chest.safetensors").hash == "b" * 16


def test_an_idle_hour_is_never_counted_against_the_job_that_ends_it(store: Store, add_studies: Any) -> None:
    add_studies("")
    reader, writer = os.pipe()
    silences: list[float] = []

    class Watched(Work):
        def __setattr__(self, name: str, value: Any) -> None:
            super().__setattr__(name, value)
            if name == "in_hand" and value:
                silences.append(time.monotonic() - self.last_activity)
                self.stop.ask("seen")

    work = Watched(store, this_worker(), WarmModels("cpu", open_model=lambda *_: Model()), Events(writer), Stop())
    work.last_activity -= 3600
    work.run()
    os.close(reader)
    os.close(writer)
    assert len(silences) == 1
    assert silences[0] < 60


def test_a_result_of_pixels_that_changed_meanwhile_is_dropped_for_that_of_the_new_ones(
    store: Store, add_studies: Any
) -> None:
    (uid,) = add_studies("")
    (old,) = store.series_of(uid)
    reader, writer = os.pipe()
    stop = Stop()

    class Slow(Model):
        """Reads ahead: while the first series is scored, its file changes, is imported and claimed again."""

        def score(self, series: Iterable[Series], *, cancelled: Callable[[], bool]) -> Iterator[SeriesResult]:
            upcoming = iter(series)
            first = next(upcoming)
            store.add_series([replace(first, fingerprint="new")])
            try:
                for one in (first, next(upcoming)):
                    percentile = 10 if one.fingerprint == "new" else 99
                    yield SeriesResult(one, "double-d", "d" * 16, {"s": ScoreValue(1, percentile, False)}, "s")
            finally:
                stop.ask("enough")

    assert old.fingerprint == ""
    work = Work(store, this_worker(), WarmModels("cpu", open_model=lambda *_: Slow()), Events(writer), stop)
    work.run()
    os.close(reader)
    os.close(writer)
    assert [row.percentile for row in store.results_of(uid)] == [10]
    assert store.counts() == QueueCounts(done=1)


@pytest.mark.parametrize("named", [False, True])
def test_what_a_broken_bundle_was_to_read_unasked_another_reads(
    store: Store, monkeypatch: pytest.MonkeyPatch, named: bool
) -> None:
    chests = Applicability(modality=("DX",), body_part=("CHEST",))
    broken, sound = (
        InstalledBundle(name, Path(f"/{name}.safetensors"), name[0] * 16, plain_card(id=name, applicability=chests))
        for name in ("broken", "double-d")
    )
    monkeypatch.setattr(work_module, "installed", lambda: [broken, sound])
    film = Series("1", "2", "1", "radiograph", "dicom", ("/a.dcm",), modality="DX", body_part="CHEST")
    store.add_series([film])
    store.register_bundle(broken)
    store.enqueue([film.key], broken.hash, named=named)

    def open_model(path: str, device: str, batch: int) -> Model:
        if path == str(broken.path):
            raise BundleRejected("its weights are not its card's", where=path, cure="Ask its maker.")
        return Model()

    reader, writer = os.pipe()
    stop = Stop()
    work = Work(store, this_worker(), WarmModels("cpu", open_model=open_model), Events(writer), stop)
    loop = threading.Thread(target=work.run)
    loop.start()
    with os.fdopen(reader) as lines:
        for line in lines:
            if json.loads(line)["event"] == "idle":
                break
        stop.ask("enough")
        loop.join(20)
    os.close(writer)
    states = {row.bundle_id: row.state for row in store.results_of("2")}
    assert states == {"broken": "failed"} | ({} if named else {"double-d": "done"})
