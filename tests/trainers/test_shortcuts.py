"""Borders and letters are taken away and nothing else is, and a model that reads them is found out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from engine.models.bundle import load_bundle
from engine.models.ratio_posterior import RatioPosterior
from tests.trainers.conftest import Make, drawn
from trainers.cohort import read_cohort
from trainers.ratio_study import with_findings
from trainers.shortcuts import altered_scores, shortcut_checks, without_border, without_markers


def test_a_border_is_hidden_and_the_rest_is_kept() -> None:
    image = np.random.default_rng(0).random((100, 50), np.float32)
    seen = without_border(image)
    assert np.array_equal(seen[8:92, 4:46], image[8:92, 4:46])
    for edge in (seen[:8], seen[92:], seen[:, :4], seen[:, 46:]):
        assert np.unique(edge).tolist() == [np.median(image[8:92, 4:46])]


def test_a_letter_is_painted_over() -> None:
    film = drawn(1, side=256) / np.float32(255)
    film[:, :40] = 0.05
    lettered = film.copy()
    lettered[20:36, 10:14] = lettered[32:36, 10:22] = 1  # an L in the air beside the body
    seen = without_markers(lettered)
    assert seen[20:36, 10:22].max() < 0.4
    assert np.abs(seen - lettered)[60:, 60:].max() < 0.05


class _ReadsBorders(RatioPosterior):
    """Abnormal is what is bright at the edge."""

    def anomaly(self, x: torch.Tensor):  # type: ignore[no-untyped-def]
        found = super().anomaly(x)
        found.scores["log_posterior"] = x[:, 0, :2].mean((1, 2))
        return found


def test_a_model_that_reads_borders_is_found_out(
    bundle_of: Callable[[RatioPosterior], Path], cohort_csv: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = cohort_csv(20, 20)
    for seed, file in enumerate(sorted(table.parent.glob("*.png"))[20:]):
        film = drawn(seed)  # as the normal ones, but for its border
        film[:3] = 255
        Image.fromarray(film).save(file)
    cohort = read_cohort(table)
    monkeypatch.setattr("engine.models.bundle.model_class", lambda name: _ReadsBorders)
    bundle = load_bundle(bundle_of(RatioPosterior(size=32, width=2, members=1)))
    found = shortcut_checks(bundle, cohort.labelled("normal"), cohort.labelled("abnormal"))
    assert found["auroc"] == 1
    assert found["without borders"]["change"] < -0.02
    assert abs(found["without markers"]["change"]) < 0.02
    assert found["without borders"]["change_ci95"][1] < 0


def test_an_unaltered_film_scores_as_everywhere(bundle_of: Callable[[RatioPosterior], Path], cohort_csv: Make) -> None:
    from trainers.judging import judge

    cohort = read_cohort(cohort_csv(10, 10))
    bundle = load_bundle(bundle_of(RatioPosterior(size=32, width=2, members=1)))
    normals, abnormals = cohort.labelled("normal"), cohort.labelled("abnormal")
    found = altered_scores(bundle, (*normals.series, *abnormals.series), "log_posterior")
    judged = judge(bundle, normals, abnormals, device="cpu").scores("log_posterior")
    np.testing.assert_allclose(found["as it is"], judged, rtol=1e-4, atol=1e-5)


def test_findings_are_added_to_a_card_without_changing_a_weight(bundle_of: Callable[[RatioPosterior], Path]) -> None:
    path = bundle_of(RatioPosterior(size=32, width=2, members=2))
    before = load_bundle(path)
    size = path.stat().st_size
    after = with_findings(path, {"shortcut_checks": {"auroc": 0.9}})
    assert after.card.recipe["shortcut_checks"] == {"auroc": 0.9}
    for name, value in before.model.state_dict().items():
        assert torch.equal(value, after.model.state_dict()[name])
    assert abs(path.stat().st_size - size) < 500
