"""Whether a model reads the film instead of the patient: its borders and burned-in letters are taken away, and AUROC measured again. Trains nothing."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.metrics import roc_auc_score

from engine.imaging.series import Series
from engine.imaging.windowing import Window
from engine.models.bundle import Bundle
from engine.models.inference import Inference
from engine.preprocess import prepare
from engine.preprocess.markers import painted_markers
from engine.preprocess.prepared import Map
from trainers.cohort import Cohort
from trainers.metrics import resampled_areas, resampled_patients

BORDER = 0.08
"""Of each side: what is hidden at every edge."""
MOST_CHANGE = 0.02
"""Of AUROC: a model that moves further without borders or letters has learned from them."""
BATCH = 32

FORMS = ("as it is", "without borders", "without markers", "without either")


def without_border(image: Map) -> Map:
    """[rows, columns] in [0, 1] -> the same, the outer 8% of each side in the median grey of the rest."""
    rows, columns = (round(BORDER * extent) for extent in image.shape)
    inner = image[rows : image.shape[0] - rows, columns : image.shape[1] - columns]
    hidden = np.full_like(image, np.median(inner))
    hidden[rows : image.shape[0] - rows, columns : image.shape[1] - columns] = inner
    return hidden


def without_markers(image: Map) -> Map:
    """Likewise, burned-in letters and signs painted over (engine.preprocess.markers)."""
    return painted_markers(image)[0]


def altered(image: Map) -> dict[str, Map]:
    """The film as it is, and in each altered form."""
    painted = without_markers(image)
    return dict(zip(FORMS, (image, without_border(image), painted, without_border(painted)), strict=True))


def altered_scores(
    bundle: Bundle, series: Sequence[Series], score: str, workers: int = 2
) -> dict[str, npt.NDArray[np.float64]]:
    """[N] of one score for each alteration, on the CPU. Every image must be a radiograph that can be read."""
    inference = Inference(bundle, "cpu")

    def inputs(item: Series) -> npt.NDArray[np.float32]:
        film = item.load_radiograph()
        seen = []
        for shown in altered(film.presentation()).values():
            window = Window(0.5, 1.0, "LINEAR_EXACT")
            changed = replace(film, pixels=shown, window=window, minimum_is_white=False)
            seen.append(prepare(changed, bundle.card.preprocessing, bundle.card.input.size).tensor)
        return np.stack(seen)  # [alterations, 1, S, S]

    found: list[npt.NDArray[np.float64]] = []
    with ThreadPoolExecutor(workers) as pool:
        for first in range(0, len(series), BATCH):
            images = np.stack(list(pool.map(inputs, series[first : first + BATCH])))  # [B, alterations, 1, S, S]
            scores = inference(torch.from_numpy(images.reshape(-1, *images.shape[2:]))).scores[score]
            found.append(scores.double().numpy().reshape(images.shape[:2]))
    return dict(zip(FORMS, np.concatenate(found).T, strict=True))


def shortcut_checks(bundle: Bundle, normals: Cohort, abnormals: Cohort) -> dict[str, Any]:
    """AUROC of the primary score as images are and with each alteration, and the change with its 95% interval over patients; for a card."""
    score = bundle.card.primary_score
    scores = altered_scores(bundle, (*normals.series, *abnormals.series), score)
    truth = np.repeat([False, True], [len(normals.series), len(abnormals.series)])
    drawn = list(resampled_patients(truth, (*normals.patients, *abnormals.patients)))
    plain, *others = FORMS
    areas = {name: float(roc_auc_score(truth, values)) for name, values in scores.items()}
    redrawn = {name: resampled_areas(values.tolist(), truth, drawn) for name, values in scores.items()}
    checks: dict[str, Any] = {}
    for name in others:
        low, high = np.quantile(redrawn[name] - redrawn[plain], (0.025, 0.975))
        checks[name] = {
            "auroc": round(areas[name], 4),
            "change": round(areas[name] - areas[plain], 4),
            "change_ci95": [round(float(low), 4), round(float(high), 4)],
        }
    return {
        "note": (
            f"AUROC of {score} with the outer {BORDER:.0%} of each side hidden in one grey, and with burned-in letters and signs painted over, on "
            f"{len(normals.series)} normal and {len(abnormals.series)} abnormal images; a change of more than {MOST_CHANGE} would mean that the "
            "model reads them."
        ),
        "auroc": round(areas[plain], 4),
        **checks,
    }
