"""The paediatric bundle does on its held-out patients what its card says, and its split holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.models.bundle import load_bundle
from engine.models.inference import Inference
from engine.models.shelf import SHIPPED
from trainers.cohort import Cohort, decoded, read_cohort
from trainers.judging import judge

pytestmark = pytest.mark.realdata
BUNDLE = SHIPPED / "chest-paediatric-alpha-gan.safetensors"


@pytest.fixture(scope="module")
def cohort(shared_data: Path) -> Cohort:
    return read_cohort(shared_data / "chest_paediatric" / "labels.csv")


def _of(cohort: Cohort, patients: tuple[str, ...], label: str) -> Cohort:
    chosen = [s for s in cohort.series if s.patient_id in set(patients) and s.label == label]
    return Cohort(cohort.path, tuple(chosen))


@pytest.mark.slow
def test_the_cards_figures_come_out_again(cohort: Cohort) -> None:
    bundle = load_bundle(BUNDLE)
    held = bundle.card.training.split["validation"]
    normals, abnormals = _of(cohort, held, "normal"), _of(cohort, held, "abnormal")
    assert len(normals.series) == bundle.card.training.n_validation_normal
    thinned = Cohort(cohort.path, abnormals.series[::6])
    for name, metric in judge(bundle, normals, thinned, device="cpu").metrics.items():
        low, high = bundle.card.evaluation[name].auroc_ci95
        assert low - 0.01 <= metric.auroc <= high + 0.01, name


def test_calibration_normals_spread_evenly_over_the_percentiles(cohort: Cohort) -> None:
    import numpy as np
    import torch

    from engine.scoring.calibration import cohort_units, percentile

    bundle = load_bundle(BUNDLE)
    card = bundle.card
    normals = _of(cohort, card.training.split["calibration"], "normal")
    found = decoded(normals.series[::2], card.preprocessing, card.input.size)
    x = torch.from_numpy(np.stack([item for item in found if isinstance(item, np.ndarray)]))
    anomaly = Inference(bundle, "cpu")(x)
    places = [percentile(float(value), card.calibration.scores["ssim"]) for value in anomaly.scores["ssim"]]
    assert np.mean(places) == pytest.approx(50, abs=6)
    assert anomaly.heatmap is not None and bundle.heatmap_mean is not None and bundle.heatmap_p99 is not None
    units = cohort_units(anomaly.heatmap[:, 0].numpy(), bundle.heatmap_mean.numpy(), bundle.heatmap_p99.numpy())
    assert units.mean() == pytest.approx(0, abs=0.1)
    assert 0.002 < (units > 1).mean() < 0.03
