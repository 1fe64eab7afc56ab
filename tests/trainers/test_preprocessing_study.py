"""The study's figures: AUROC as scikit-learn has it, intervals over patients, and differences on the same patients."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

from engine.preprocess import PlanarOptions
from trainers import preprocessing_study
from trainers.cohort import read_cohort, write_table
from trainers.preprocessing_study import CONFIGURATIONS, SCORES, SIZE, Judged, StudySet, areas, prepared_set
from trainers.run import Trained, train


def split(seed: int, shift: float, films_of_each: int = 1) -> Judged:
    generator = np.random.default_rng(seed)
    patients = [f"{kind}{index}" for kind in ("well", "ill") for index in range(15) for _ in range(films_of_each)]
    abnormal = np.array([patient.startswith("ill") for patient in patients])
    return Judged(tuple(patients), abnormal, {"mse": generator.normal(size=len(patients)) + shift * abnormal})


def test_the_mean_over_splits_is_the_mean_of_their_areas() -> None:
    splits = [split(0, 1.0), split(1, 0.5)]
    expected = np.mean([roc_auc_score(one.abnormal, one.scores["mse"]) for one in splits])
    assert areas(splits, "mse")[0] == pytest.approx(expected)


def test_many_films_of_a_patient_do_not_narrow_the_interval() -> None:
    once = split(0, 0.8)
    copied = Judged(once.patients * 4, np.tile(once.abnormal, 4), {"mse": np.tile(once.scores["mse"], 4)})
    np.testing.assert_allclose(np.quantile(areas([once], "mse"), 0.025), np.quantile(areas([copied], "mse"), 0.025))


def test_a_configuration_that_scores_alike_differs_by_nothing_in_every_resample() -> None:
    first, other = split(0, 1.0), split(0, 1.0)
    other.scores["mse"] = other.scores["mse"] * 3 + 1
    assert np.abs(areas([first], "mse") - areas([other], "mse")).max() == 0


def test_the_switches_that_are_studied_are_switches_that_there_are() -> None:
    plain = PlanarOptions().model_dump()
    chosen = {name: PlanarOptions.model_validate(options).model_dump() for name, options in CONFIGURATIONS.items()}
    for name, options in CONFIGURATIONS.items():
        assert chosen[name] == plain | options


def test_images_are_prepared_once_as_the_network_would_be_shown_them(tmp_path: Path) -> None:
    rows, columns = np.mgrid[:90, :70]
    Image.fromarray((rows + columns).astype(np.uint8)).save(tmp_path / "film.png")
    Image.fromarray(np.full((40, 40), 9, np.uint8)).save(tmp_path / "grey.png")
    listed = [{"path": name, "patient_id": name, "label": "normal"} for name in ("film.png", "grey.png")]
    write_table(tmp_path / "labels.csv", ("path", "patient_id", "label"), listed)
    cohort = read_cohort(tmp_path / "labels.csv")
    csv, content, failed = prepared_set(cohort, ["a", "b"], {"grey": "equalised"}, tmp_path / "made")
    assert failed == 1
    (kept,) = read_cohort(csv).series
    assert kept.patient_id == "a" and kept.load_radiograph().pixels.shape == (SIZE, SIZE)
    assert prepared_set(cohort, ["a", "b"], {"grey": "equalised"}, tmp_path / "again")[1] == content
    assert prepared_set(cohort, ["a", "b"], {}, tmp_path / "raw")[1] != content


def test_a_study_that_was_interrupted_goes_on_and_each_row_is_written_when_it_is_known(
    cohort_csv: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = cohort_csv(normals=40, abnormals=6, name="films").rename(tmp_path / "films" / "labels.csv").parent
    configurations = {"raw": {}, "the same": {"carrier": "keep"}, "equalised": {"grey": "equalised"}}
    monkeypatch.setattr(preprocessing_study, "SETS", {"films": StudySet("films", splits=1, epochs=1)})
    monkeypatch.setattr(preprocessing_study, "CONFIGURATIONS", configurations)
    trained: list[Path] = []

    def counted(*asked: object, out: Path, **more: Any) -> Trained:
        if len(trained) == 1 and interrupted:
            raise KeyboardInterrupt
        trained.append(out)
        return train(*asked, out=out, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(preprocessing_study, "train", counted)
    command = ["study", "--data", str(data.parent), "--out", str(tmp_path / "out"), "--sets", "films"]
    monkeypatch.setattr(sys, "argv", command)
    interrupted = True
    with pytest.raises(KeyboardInterrupt):
        preprocessing_study.main()
    table = tmp_path / "out" / "preprocessing_study.csv"
    first = table.read_text().splitlines()
    assert len(first) == 1 + 2 * len(SCORES), "raw, and the same images again"
    interrupted = False
    preprocessing_study.main()
    assert table.read_text().splitlines()[: len(first)] == first
    assert len(table.read_text().splitlines()) == 1 + 3 * len(SCORES)
    assert len(trained) == 2, "one network for the raw images, and one for the equalised"
