"""A device is named as its maker does, wherever it can be found out."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest
import torch

from trainers.device_name import device_name

CPU = torch.device("cpu")


def test_a_graphics_card_has_its_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"a card for {device}")
    assert device_name(torch.device("cuda")) == "a card for cuda"


def test_a_processor_is_named_with_its_threads_and_instructions(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "processor\t: 0\nvendor_id\t: Some\nmodel name\t: Some Processor 7000\nprocessor\t: 1\nmodel name\t: Some Processor 7000\n"
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: text)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 6)
    assert device_name(CPU) == f"Some Processor 7000, 6 threads, {torch.backends.cpu.get_cpu_capability()}"


def test_a_processor_that_the_system_does_not_name_is_called_by_its_family(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*_: object, **__: object) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", absent)
    monkeypatch.setattr(platform, "processor", lambda: "")
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    assert device_name(CPU).startswith("arm64, ")
