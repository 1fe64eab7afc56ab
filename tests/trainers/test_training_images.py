"""A training image that is seen in several ways stays its patient's, and nobody who only watches is seen in more ways than one."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from engine.models.card import Preprocessing
from trainers.cohort import read_cohort
from trainers.method import TrainingImages
from trainers.split import Split
from trainers.training_images import training_images

PLAIN, EQUALISED = (Preprocessing(name="chest", options=options) for options in ({}, {"grey": "equalised"}))


def test_every_view_of_a_training_image_is_one_more_image_of_its_patient(
    cohort_csv: Callable[..., Path], tmp_path: Path
) -> None:
    cohort = read_cohort(cohort_csv(normals=20))
    split = Split(tuple(range(8)), (), (), mixture=tuple(range(8, 14)), stopping=tuple(range(14, 20)))

    def seen(*views: Preprocessing) -> TrainingImages:
        return training_images(cohort, split, views, (16, 16), tmp_path / "run", lambda _: None)[0]

    plain, equalised, both = seen(PLAIN), seen(EQUALISED), seen(PLAIN, EQUALISED)
    assert not np.array_equal(plain.normal, equalised.normal)
    np.testing.assert_array_equal(both.normal, np.concatenate([plain.normal, equalised.normal]))
    np.testing.assert_array_equal(both.mixture, np.concatenate([plain.mixture, equalised.mixture]))
    np.testing.assert_array_equal(both.held, plain.held)
    np.testing.assert_array_equal(both.normal_patients, np.tile(plain.normal_patients, 2))
    np.testing.assert_array_equal(both.mixture_patients, np.tile(plain.mixture_patients, 2))


def test_copies_of_one_image_are_of_one_patient_whatever_they_are_called(
    cohort_csv: Callable[..., Path], tmp_path: Path
) -> None:
    """A fold that is left out of one part of a ratio posterior would else hold what the part learned from."""
    source = cohort_csv(normals=12)
    shutil.copy(source.parent / "001.png", source.parent / "005.png")
    shutil.copy(source.parent / "007.png", source.parent / "010.png")
    split = Split(tuple(range(6)), (), (), mixture=tuple(range(6, 12)))
    images, *_ = training_images(read_cohort(source), split, (PLAIN,), (16, 16), tmp_path / "run", lambda _: None)
    for patients, pair in ((images.normal_patients, (1, 5)), (images.mixture_patients, (1, 4))):
        assert patients[pair[0]] == patients[pair[1]] and len(set(patients)) == 5


def test_a_file_that_cannot_be_read_is_named_once_and_missing_in_every_view(
    cohort_csv: Callable[..., Path], tmp_path: Path
) -> None:
    cohort = read_cohort(source := cohort_csv(normals=12))
    broken = source.parent / "002.png"
    broken.write_bytes(broken.read_bytes()[:60])
    split = Split(tuple(range(12)), (), ())
    images, failures, unread = training_images(
        cohort, split, (PLAIN, EQUALISED), (16, 16), tmp_path / "run", lambda _: None
    )
    assert len(failures) == 1 and "002.png" in str(failures[0]) and unread == {2}
    assert len(images.normal) == len(images.normal_patients) == 22
