"""Studies as real PNG files in a store, and host processes that work on them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine.imaging.series import Series
from engine.store import Store
from tests.cards import plain_card

DOUBLE = Path(__file__).with_name("double_engine.py")
BUNDLE = "d" * 16


class Host:
    """A running host process, its events as they come, and its standard input."""

    def __init__(self, folder: Path, *arguments: str, command: tuple[str, ...], environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *command, "--data", str(folder), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"} | environment,
        )
        self.events: list[dict[str, Any]] = []
        self.log = ""
        self._readers = [threading.Thread(target=read, daemon=True) for read in (self._read, self._read_log)]
        for reader in self._readers:
            reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.events.append(json.loads(line))

    def _read_log(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.log += line

    def named(self, event: str) -> list[dict[str, Any]]:
        return [found for found in self.events if found["event"] == event]

    def wait_for(self, event: str, count: int = 1, seconds: float = 60) -> dict[str, Any]:
        until = time.monotonic() + seconds
        while len(self.named(event)) < count:
            if time.monotonic() > until or (self.process.poll() is not None and not self._readers[0].is_alive()):
                if len(self.named(event)) >= count:
                    break
                raise AssertionError(f"no {event} from the host: {self.events[-5:]}\n{self.log}")
            time.sleep(0.01)
        return self.named(event)[count - 1]

    def send(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def ended(self, seconds: float = 60) -> int:
        status = self.process.wait(seconds)
        for reader in self._readers:
            reader.join(5)
        return status

    def kill(self) -> None:
        self.process.kill()
        self.ended()


@pytest.fixture
def start_host(tmp_path: Path) -> Iterator[Callable[..., Host]]:
    """Start a host on the test's data folder; it does not outlive the test."""
    hosts: list[Host] = []

    def start(*arguments: str, command: tuple[str, ...] = (str(DOUBLE),), **environment: str) -> Host:
        hosts.append(Host(tmp_path / "data", *arguments, command=command, environment=environment))
        return hosts[-1]

    yield start
    for host in hosts:
        if host.process.poll() is None:
            host.kill()
        for pipe in (host.process.stdin, host.process.stdout, host.process.stderr):
            assert pipe is not None
            pipe.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(None, tmp_path / "data")
    yield opened
    opened.close()


@pytest.fixture
def register(store: Store) -> Callable[..., None]:
    def register(hash: str = BUNDLE, path: str = "") -> None:
        card = plain_card(id=f"double-{hash[0]}", title="Mean grey", method="none", primary_score="grey")
        store.register_bundle(SimpleNamespace(path=path or f"/models/{hash}.safetensors", hash=hash, card=card))

    return register


@pytest.fixture
def add_studies(store: Store, tmp_path: Path, register: Callable[..., None]) -> Callable[..., list[str]]:
    """Write a PNG for each description, and queue it."""
    register()
    numbers = iter(range(10_000))

    def add(*descriptions: str, named: bool = True, priority: int = 0, bundle: str = BUNDLE) -> list[str]:
        found = []
        for description in descriptions:
            number = next(numbers)
            file = tmp_path / f"{number}.png"
            Image.fromarray(np.full((24, 16), number % 256, np.uint8)).save(file)
            uid = f"1.{number}"
            found.append(Series(uid, f"2.{number}", uid, "radiograph", "raster", (str(file),), description=description))
        store.add_series(found)
        store.enqueue([series.key for series in found], bundle, priority, named=named)
        return [series.study_uid for series in found]

    return add
