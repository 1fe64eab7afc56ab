"""The scroll benchmark measures what it says: every timed step paints, in the viewer as in its peer."""

from __future__ import annotations

import pytest
from pytestqt.qtbot import QtBot

from tests.benchmarks import scroll


def test_the_benchmark_runs_and_reports_a_ratio(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scroll, "SLICES", 8)
    monkeypatch.setattr(scroll, "SIDE", 128)
    monkeypatch.setattr(scroll, "BLOCK", 4)
    (measured,) = scroll.run()
    assert measured.ours_seconds > 0 and measured.peer_seconds > 0
    assert measured.ratio == pytest.approx(measured.ours_seconds / measured.peer_seconds)
