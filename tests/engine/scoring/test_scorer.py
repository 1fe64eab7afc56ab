"""Scoring a stream: every series gets exactly one result in its order, a bad file never stops the rest, and a batch never changes a score."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from engine.imaging.discovery import open_study
from engine.imaging.series import Series
from engine.models.base import Anomaly
from engine.models.bundle import Bundle, load_bundle
from engine.models.inference import Inference
from engine.preprocess import prepare
from engine.scoring.scorer import Scorer


@pytest.fixture(scope="module")
def bundle(tiny_bundle_file: Path) -> Bundle:
    return load_bundle(tiny_bundle_file)


@pytest.fixture
def films(tmp_path: Path) -> list[Series]:
    """Seven pictures of different shapes, the fourth of them cut short on disk."""
    generator = np.random.default_rng(1)
    for index in range(7):
        pixels = generator.integers(0, 255, (40 + 9 * index, 64), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"film_{index}.png")
    films = [series for index in range(7) for series in open_study(tmp_path / f"film_{index}.png")]
    broken = tmp_path / "film_3.png"
    broken.write_bytes(broken.read_bytes()[:120])
    return films


def test_every_series_has_one_result_in_order_and_only_the_broken_one_an_error(
    bundle: Bundle, films: list[Series]
) -> None:
    results = list(Scorer(bundle, "cpu", batch=2).score(films))
    assert [result.series.key for result in results] == [series.key for series in films]
    assert [bool(result.error) for result in results] == [index == 3 for index in range(7)]
    assert "film_3.png" in results[3].error and not results[3].scores
    for index, result in enumerate(results):
        if index != 3:
            # of what the network gives, the scores that the card places among normals, and no other
            assert set(result.scores) == {"code_norm", "reconstruction_error", "ssim"}
            assert result.heatmap is not None and result.heatmap.dtype == np.float16
            rows, columns = result.heatmap.shape
            assert rows / columns == pytest.approx((40 + 9 * index) / 64, rel=0.1), "the map must cover this very film"


def test_pictures_of_the_nearest_normals_reach_each_result_as_bytes(
    bundle: Bundle, films: list[Series], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Inference.__call__

    def remembers(self: Inference, x: torch.Tensor) -> Anomaly:
        pictures = torch.linspace(-1, 1, 256).view(1, 1, 16, 16).expand(len(x), 2, 16, 16)
        return replace(plain(self, x), neighbours=pictures)

    assert next(Scorer(bundle, "cpu").score(films[:1])).neighbours is None
    monkeypatch.setattr(Inference, "__call__", remembers)
    (result,) = Scorer(bundle, "cpu").score(films[:1])
    assert result.neighbours is not None and result.neighbours.dtype == np.uint8
    assert np.array_equal(result.neighbours, np.tile(np.arange(256).reshape(16, 16), (2, 1, 1)))


def test_the_difference_is_that_of_what_the_network_saw_and_what_it_made(bundle: Bundle, tmp_path: Path) -> None:
    """Not of the file's own greys: preparation changes them, and the change would pass for an error."""
    pixels = np.random.default_rng(3).integers(0, 255, (64, 64), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "film.png")
    (film,) = open_study(tmp_path / "film.png")
    (result,) = Scorer(bundle, "cpu").score([film])
    prepared = prepare(film.load_radiograph(), bundle.card.preprocessing, bundle.card.input.size)
    assert result.reconstruction is not None and result.difference is not None
    assert result.difference.shape == result.reconstruction.shape and result.difference.dtype == np.float16
    seen = (prepared.tensor[0] + 1) / 2
    made = (Inference(bundle, "cpu")(torch.from_numpy(prepared.tensor[None])).reconstruction[0, 0].numpy() + 1) / 2
    wanted = prepared.to_field(np.abs(seen - np.clip(made, 0, 1)), max(bundle.card.input.size))
    np.testing.assert_allclose(result.difference.astype(np.float32), wanted, atol=2e-3)


def test_a_score_does_not_depend_on_the_batch_it_came_in(bundle: Bundle, films: list[Series]) -> None:
    whole = [series for index, series in enumerate(films) if index != 3]
    together = list(Scorer(bundle, "cpu", batch=6).score(whole))
    alone = [result for series in whole for result in Scorer(bundle, "cpu", batch=1).score([series])]
    for one, other in zip(together, alone, strict=True):
        for name in one.scores:
            assert one.scores[name].score == pytest.approx(other.scores[name].score, rel=1e-4)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("no room"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 9 bytes"),
    ],
    ids=["CUDA", "CPU"],
)
def test_running_out_of_memory_halves_the_batch_and_loses_no_study(
    bundle: Bundle, films: list[Series], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    whole = [series for index, series in enumerate(films) if index != 3]
    plain = list(Scorer(bundle, "cpu", batch=6).score(whole))
    scorer = Scorer(bundle, "cpu", batch=6)
    enough = type(scorer.inference).__call__

    def only_two_fit(self, batch):  # type: ignore[no-untyped-def]
        if len(batch) > 2:
            raise error
        return enough(self, batch)

    monkeypatch.setattr(type(scorer.inference), "__call__", only_two_fit)
    results = list(scorer.score(whole))
    assert scorer.batch <= 3
    assert [r.scores["ssim"].score for r in results] == pytest.approx([r.scores["ssim"].score for r in plain], rel=1e-4)


def test_no_memory_for_one_image_is_an_error_for_that_image_in_words(
    bundle: Bundle, films: list[Series], monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer = Scorer(bundle, "cpu", batch=4)

    def never(self, batch):  # type: ignore[no-untyped-def]
        raise torch.OutOfMemoryError("no room")

    monkeypatch.setattr(type(scorer.inference), "__call__", never)
    results = list(scorer.score(films[:2]))
    assert len(results) == 2
    assert all(result.error_kind == "DeviceExhausted" and "memory" in result.error for result in results)


def test_a_fault_in_the_network_is_an_error_for_its_batch_and_never_an_exception(
    bundle: Bundle, films: list[Series], monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer = Scorer(bundle, "cpu", batch=2)
    calls = iter(range(100))
    sound = type(scorer.inference).__call__

    def fails_once(self, batch):  # type: ignore[no-untyped-def]
        if next(calls) == 0:
            raise RuntimeError("shape mismatch")
        return sound(self, batch)

    monkeypatch.setattr(type(scorer.inference), "__call__", fails_once)
    results = list(scorer.score([film for index, film in enumerate(films) if index != 3]))
    assert [result.error_kind for result in results] == ["Unexpected"] * 2 + [""] * 4
    assert "shape mismatch" in results[0].error and results[0].series.path in results[0].error


def test_a_model_that_was_only_asked_by_name_says_so_beside_its_score(bundle: Bundle, films: list[Series]) -> None:
    (named,) = Scorer(bundle, "cpu", named=True).score(films[:1])
    assert named.scores and "no DICOM tags" in named.warnings[0]


def test_cancelling_stops_without_waiting_for_the_rest(bundle: Bundle, films: list[Series]) -> None:
    asked = 0

    def endless() -> Iterator[Series]:
        nonlocal asked
        while True:
            asked += 1
            yield films[0]

    seen: list[str] = []
    for result in Scorer(bundle, "cpu", batch=2).score(endless(), cancelled=lambda: len(seen) >= 4):
        seen.append(result.series.key)
    assert 4 <= len(seen) < 16 and asked < 40
