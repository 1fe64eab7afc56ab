"""What an interrupted run left of its prepared images is taken up as it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from engine.models.card import Preprocessing
from trainers.cohort import prepare_cohort, read_cohort


def test_a_resumed_run_sees_no_black_images_and_remembers_what_failed(
    cohort_csv: Callable[..., Path], tmp_path: Path
) -> None:
    series = read_cohort(source := cohort_csv(normals=6)).series
    broken = source.parent / "002.png"
    broken.write_bytes(broken.read_bytes()[:60])
    first, again = (prepare_cohort(series, Preprocessing(name="chest"), (16, 16), tmp_path / "run") for _ in range(2))
    assert len(first.failures) == 1 and first.kept == (0, 1, 3, 4, 5)
    assert [str(error) for error in again.failures] == [str(error) for error in first.failures]
    assert again.kept == first.kept and np.array_equal(again.images, first.images)
    assert not list((tmp_path / "run").glob("*.partial*"))
