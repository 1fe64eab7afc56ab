"""A score that only measures black is unmasked, and what the frame alone would reach is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.imaging.discovery import open_study
from engine.imaging.series import Series
from engine.scoring.result import ScoreValue, SeriesResult
from trainers.background import background_of, background_share
from trainers.judging import Evaluation
from trainers.metrics import measured


@pytest.fixture
def films(tmp_path: Path) -> list[Series]:
    """Twenty-four films with a black border of growing width; the last twelve are the abnormal ones."""
    generator = np.random.default_rng(0)
    for index in range(24):
        film = generator.integers(60, 255, (48, 48)).astype(np.uint8)
        film[:, : index + 1] = 0
        Image.fromarray(film).save(tmp_path / f"{index:02d}.png")
    return list(open_study(tmp_path))


def evaluation(films: list[Series], scores: dict[str, list[float]]) -> Evaluation:
    abnormal = [index >= 12 for index in range(24)]
    owners = [str(index) for index in range(24)]
    results = [
        SeriesResult(one, "", "", {name: ScoreValue(values[i], 0, False) for name, values in scores.items()}, "black")
        for i, one in enumerate(films)
    ]
    found = {name: measured(values, abnormal, owners) for name, values in scores.items()}
    metrics, curves = ({name: pair[k] for name, pair in found.items()} for k in (0, 1))
    return Evaluation(tuple(results), tuple(abnormal), tuple(owners), metrics, curves)


def test_the_share_of_black_is_the_borders(films: list[Series]) -> None:
    assert background_share(films[11]) == pytest.approx(12 / 48, abs=0.02)


def test_a_score_that_follows_the_frame_is_told_from_one_that_does_not(films: list[Series]) -> None:
    other = np.random.default_rng(2).permutation(24.0 * np.arange(24)).tolist()
    found = background_of(evaluation(films, {"black": list(map(float, range(24))), "other": other}))
    assert found is not None and found.rank_correlation("black") == pytest.approx(1)
    assert abs(found.rank_correlation("other")) < 0.6
    assert found.to_json()["auroc_of_the_share_alone"] == 1.0


def test_files_that_have_gone_leave_no_background_to_speak_of(films: list[Series], tmp_path: Path) -> None:
    for file in tmp_path.glob("*.png"):
        file.unlink()
    assert background_of(evaluation(films, {"black": list(map(float, range(24)))})) is None
