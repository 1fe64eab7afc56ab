"""A study's score is the highest (or mean) percentile among its images, and studies are judged only where they have several."""

from __future__ import annotations

import numpy as np

from engine.imaging.series import Series
from engine.scoring.result import ScoreValue, SeriesResult
from trainers.judging import Evaluation
from trainers.metrics import measured
from trainers.studies import by_study


def evaluation(places: list[float], abnormal: list[bool], patients: list[str], studies: list[str]) -> Evaluation:
    results = [
        SeriesResult(
            Series(str(i), study, str(i), "radiograph", "dicom", (f"{i}.dcm",)),
            "",
            "",
            {"s": ScoreValue(place / 100, place, False)},
            "s",
        )
        for i, (place, study) in enumerate(zip(places, studies, strict=True))
    ]
    metric, curve = measured(places, abnormal, patients)
    return Evaluation(tuple(results), tuple(abnormal), tuple(patients), {"s": metric}, {"s": curve})


def test_one_bad_image_makes_the_study_abnormal_by_the_highest_but_not_by_the_mean() -> None:
    generator = np.random.default_rng(0)
    places, abnormal, owners, studies = [], [], [], []
    for study in range(40):
        ill = study >= 20
        images = generator.uniform(20, 80, 3)
        if ill:
            images[1] = generator.uniform(81, 100)  # the lesion shows on one of three views
            images[[0, 2]] = generator.uniform(0, 20, 2)
        places += images.tolist()
        abnormal += [ill] * 3
        owners += [f"p{study}"] * 3
        studies += [f"u{study}"] * 3
    judged = evaluation(places, abnormal, owners, studies)
    highest, mean = by_study(judged, [{}] * 120, "max"), by_study(judged, [{}] * 120, "mean")
    assert highest is not None and mean is not None and highest.n_with_several == 40
    assert highest.metrics["s"].auroc == 1.0 > judged.metrics["s"].auroc
    assert mean.metrics["s"].auroc < 0.5
    assert (highest.metrics["s"].n_normal, highest.metrics["s"].n_abnormal) == (20, 20)
    assert highest.to_json()["rule"] == "max" and "highest" in highest.to_json()["note"]


def test_a_study_column_joins_files_without_tags_and_single_images_are_not_judged_again() -> None:
    places, abnormal = [float(i) for i in range(40)], [i >= 20 for i in range(40)]
    judged = evaluation(places, abnormal, [f"p{i // 2}" for i in range(40)], [f"u{i}" for i in range(40)])
    assert by_study(judged, [{}] * 40, "max") is None
    joined = by_study(judged, [{"study_id": "first"}] * 40, "max")  # each patient's own first study
    assert joined is not None and joined.metrics["s"].n_abnormal == 10
