"""An ensemble's score is the mean of its members' percentiles, over those that apply, and it says who they were."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.errors import BundleRejected
from engine.imaging.discovery import open_study
from engine.imaging.series import Series
from engine.models import shelf
from engine.models.bundle import load_bundle, save_bundle
from engine.models.card import ScoreCalibration
from engine.models.shelf import InstalledBundle
from engine.scoring import ensemble
from engine.scoring.ensemble import EnsembleScorer, find_ensemble
from engine.scoring.scorer import Scorer


@pytest.fixture
def two(tmp_path: Path, tiny_bundle_file: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[InstalledBundle, ...]:
    """Two installed bundles whose primary scores and cohorts differ."""
    bundle = load_bundle(tiny_bundle_file)
    folder = tmp_path / "shelf"
    folder.mkdir()
    for name, primary, top in (("tiny-a", "reconstruction_error", 1.0), ("tiny-b", "ssim", 3.0)):
        table = ScoreCalibration(normal_scores=tuple(np.linspace(0, top, 40)), n=40)
        scores = dict.fromkeys(bundle.card.calibration.scores, table)
        card = bundle.card.model_copy(
            update={
                "id": name,
                "primary_score": primary,
                "calibration": bundle.card.calibration.model_copy(update={"scores": scores}),
            }
        )
        save_bundle(folder / f"{name}.safetensors", bundle.model, card, bundle.heatmap_mean, bundle.heatmap_p99)
    monkeypatch.setattr(shelf, "SHIPPED", folder)
    monkeypatch.setattr(shelf, "user_folder", lambda: tmp_path / "none")
    return tuple(shelf.installed())


@pytest.fixture
def films(tmp_path: Path) -> list[Series]:
    generator = np.random.default_rng(0)
    (tmp_path / "films").mkdir()
    for index in range(5):
        Image.fromarray(generator.integers(0, 255, (24, 24), np.uint8)).save(tmp_path / "films" / f"{index}.png")
    return list(open_study(tmp_path / "films"))


def test_the_score_is_the_mean_of_the_members_percentiles(
    two: tuple[InstalledBundle, ...], films: list[Series], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ensemble, "AT_ONCE", 2)  # several turns
    found = list(EnsembleScorer(find_ensemble("ensemble:tiny-*"), "cpu").score(films))
    each = [list(Scorer(load_bundle(member.path), "cpu").score(films)) for member in two]
    for result, first, second in zip(found, *each, strict=True):
        assert result.percentile == pytest.approx((first.percentile + second.percentile) / 2)
        assert result.scores["ensemble"].score == result.percentile and result.series is first.series
        assert "tiny-a" in result.warnings[0] and "tiny-b" in result.warnings[0]
    assert any(first.percentile != second.percentile for first, second in zip(*each, strict=True))


def test_only_members_that_apply_by_the_tags_are_asked(two: tuple[InstalledBundle, ...], films: list[Series]) -> None:
    everyone = find_ensemble("ensemble")
    limits = two[1].card.applicability.model_copy(update={"body_part": ("KNEE",)})
    knee = two[1].card.model_copy(update={"applicability": limits})
    mixed = replace(everyone, members=(two[0], replace(two[1], card=knee)))
    chest, hand = (replace(films[0], format="dicom", modality="DX", body_part=part) for part in ("CHEST", "HAND"))
    assert mixed.why_not(chest) == "" and "HAND" in mixed.why_not(hand)
    untagged = next(EnsembleScorer(everyone, "cpu").score(films))
    assert untagged.error_kind == "NotApplicable" and "ensemble:ID,ID" in untagged.error


def test_a_member_that_fails_leaves_the_others_mean_and_is_named(
    two: tuple[InstalledBundle, ...], films: list[Series], monkeypatch: pytest.MonkeyPatch
) -> None:
    score = Scorer.score

    def failing(self: Scorer, *arguments: object, **options: object) -> Iterator[object]:
        for result in score(self, *arguments, **options):
            yield replace(result, scores={}, error="no finite ssim") if self.bundle.card.id == "tiny-b" else result

    monkeypatch.setattr(Scorer, "score", failing)
    result = next(EnsembleScorer(find_ensemble("ensemble:tiny-a,tiny-b"), "cpu").score(films))
    alone = next(score(Scorer(load_bundle(two[0].path), "cpu"), films))
    assert result.percentile == alone.percentile and any("no finite ssim" in warning for warning in result.warnings)


def test_a_name_that_fits_no_model_is_refused(two: tuple[InstalledBundle, ...]) -> None:
    with pytest.raises(BundleRejected, match="no model is called 'knee-salad'"):
        find_ensemble("ensemble:tiny-a,knee-salad")
