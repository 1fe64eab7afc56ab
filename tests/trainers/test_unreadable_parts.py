"""Files of any part that cannot be read cost no finished training: enough to calibrate on is made sure of first, and the card counts what was read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from engine.errors import CohortRejected
from trainers.cae import CAEPlan
from trainers.cohort import read_cohort
from trainers.run import train
from trainers.split import Split, split_by_unit

Make = Callable[..., Path]
PLAN = CAEPlan(size=(32, 32), epochs=1, width=2, bottleneck=4, batch=8)


def _split(source: Path) -> tuple[list[Path], Split]:
    cohort = read_cohort(source)
    abnormal = [series.label == "abnormal" for series in cohort.series]
    return [Path(series.path) for series in cohort.series], split_by_unit(cohort.patients, abnormal, seed=0)


def _cut_off(files: Iterable[Path]) -> None:
    for file in files:
        file.write_bytes(file.read_bytes()[:-400])


def test_a_cohort_without_enough_readable_images_to_calibrate_on_is_refused_before_anything_is_learned(
    cohort_csv: Make, tmp_path: Path
) -> None:
    source = cohort_csv(normals=60)
    files, split = _split(source)
    _cut_off(files[index] for index in split.calibration[:3])
    epochs: list[int] = []
    with pytest.raises(CohortRejected, match="only 4 of the 7 images to calibrate on could be read") as caught:
        train(
            "cae", source, out=tmp_path / "m.safetensors", plan=PLAN, on_progress=lambda made: epochs.append(made.epoch)
        )
    assert files[split.calibration[0]].name in str(caught.value) and not any(epochs)


def test_a_card_counts_what_was_read_and_the_rest_is_told(cohort_csv: Make, tmp_path: Path) -> None:
    source = cohort_csv(normals=60)
    files, split = _split(source)
    broken = [files[index] for index in (*split.train[:3], *split.calibration[:2])]
    _cut_off(broken)
    trained = train("cae", source, out=tmp_path / "m.safetensors", plan=PLAN)
    assert (trained.card.training.n_train, trained.card.training.n_calibration) == (39, 5)
    assert any("Percentiles come from 5 normals" in limit for limit in trained.card.limits)
    told = " ".join(str(failure) for failure in trained.failures)
    assert all(file.name in told for file in broken)


def test_a_model_whose_validation_images_cannot_be_read_is_kept_and_says_that_it_was_not_measured(
    cohort_csv: Make, tmp_path: Path
) -> None:
    source = cohort_csv(normals=60, abnormals=6)
    _cut_off(source.parent / f"{index:03d}.png" for index in range(60, 66))
    trained = train("cae", source, out=tmp_path / "m.safetensors", plan=PLAN)
    assert trained.card.evaluation == {}
    assert "Not measured: only 11 normal and 0 abnormal images could be scored" in trained.card.evaluation_note
