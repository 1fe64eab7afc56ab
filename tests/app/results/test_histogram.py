"""The cohort's histogram: every normal in a bin, this study where its score is, and a sign when it is off the axis."""

from __future__ import annotations

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from app.results.histogram import Histogram, HistogramData, cut_off_score
from engine.models.card import ScoreCalibration
from engine.scoring.calibration import percentile

NORMALS = tuple(np.linspace(10, 20, 161))


def data(score: float) -> HistogramData:
    return HistogramData(NORMALS, score, cut_off_score(NORMALS, 95), score > 19.5)


@pytest.mark.parametrize("score", [5.0, 10.0, 15.0, 20.0, 24.0, 1e6])
def test_every_normal_is_counted_wherever_the_study_lies(score: float) -> None:
    assert sum(data(score).counts()) == len(NORMALS)


@pytest.mark.parametrize("normals", [1, 2, 12, 20, 161, 1000])
@pytest.mark.parametrize("flag", [50.0, 90.0, 95.0, 99.0, 100.0])
def test_what_lies_over_the_drawn_cut_off_is_what_the_engine_flags(normals: int, flag: float) -> None:
    scores = tuple(np.sort(np.random.default_rng(normals).normal(size=normals)))
    calibration = ScoreCalibration(normal_scores=scores, n=normals)
    cut_off = cut_off_score(scores, flag)
    for score in (*scores, *(value + 1e-9 for value in scores), scores[0] - 1, scores[-1] + 1):
        assert (score > cut_off) == (percentile(score, calibration) >= flag), f"at {score}"


def test_few_normals_make_few_bins() -> None:
    few = HistogramData(tuple(np.linspace(0, 1, 12)), 0.5, 0.9, False)
    assert (few.bins, data(15).bins) == (8, 25)
    assert min(few.counts()[1:-1]) > 0, "a comb of gaps says nothing"


def test_places_keep_their_order() -> None:
    shown = data(22)
    assert shown.place(10) < shown.place(shown.cut_off) < shown.place(22) <= 1


def test_a_study_far_beyond_does_not_squeeze_the_cohort() -> None:
    far = data(1e6)
    assert far.off_axis == 1
    assert far.place(20) > 0.5
    assert data(22).off_axis == 0
    assert data(-1e6).off_axis == -1


def test_normals_that_are_all_alike_can_be_drawn(qtbot: QtBot) -> None:
    alike = HistogramData((2.0,) * 20, 2.0, 2.0, False)
    assert sum(alike.counts()) == 20
    widget = Histogram(alike, 60)
    qtbot.addWidget(widget)
    widget.resize(200, 60)
    assert not widget.grab().isNull()


def test_flagged_study_is_drawn_in_the_colour_of_a_flag(qtbot: QtBot) -> None:
    colours = []
    for score in (12.0, 21.0):
        widget = Histogram(data(score), 80)
        qtbot.addWidget(widget)
        widget.resize(240, 80)
        image = widget.grab().toImage()
        x = round(1 + 238 * data(score).place(score))
        colours.append(image.pixelColor(x, 30).name())
    assert colours == ["#5fb0ee", "#f2a541"]
