"""The host with a real network: what it stores is what the scorer says, and a kill in the middle changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from engine.imaging.discovery import open_study
from engine.models import shelf
from engine.models.alpha_gan import AlphaGAN
from engine.models.bundle import load_bundle, save_bundle
from engine.scoring.scorer import Scorer
from engine.store import Store
from engine.store.rows import QueueCounts
from tests.cards import card_of

REAL_HOST = ("-m", "engine.host")


@pytest.fixture
def bundle(tmp_path: Path) -> shelf.InstalledBundle:
    """A tiny alpha-GAN with arbitrary weights: the numbers mean nothing, but they are a network's."""
    torch.manual_seed(7)
    model = AlphaGAN(size=32, code=8, width=16)
    with torch.inference_mode():
        names = list(model.eval().anomaly(torch.zeros(1, 1, 32, 32)).scores)
    card = card_of(model, np.linspace(0, 2, 50), names)
    path = tmp_path / "tiny.safetensors"
    save_bundle(path, model, card, torch.zeros(1, 32, 32), torch.ones(1, 32, 32))
    return shelf.find(path)


@pytest.fixture
def radiographs(tmp_path: Path) -> Path:
    """Twenty PNGs, one of them cut short."""
    folder = tmp_path / "radiographs"
    folder.mkdir()
    chance = np.random.default_rng(3)
    for number in range(20):
        coarse = Image.fromarray(chance.integers(0, 255, (6, 5), dtype=np.uint8))
        coarse.resize((120, 144), Image.Resampling.BICUBIC).save(folder / f"{number:02}.png")
    cut = folder / "19.png"
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    return folder


@pytest.mark.slow
def test_a_killed_host_ends_with_the_scorers_own_results(
    store: Store, bundle: shelf.InstalledBundle, radiographs: Path, start_host: Any
) -> None:
    store.add_series(open_study(radiographs, on_error=lambda error: None))
    studies = store.worklist(order="added_at")
    series = [one for row in studies for one in store.series_of(row.study_uid)]
    store.register_bundle(bundle)
    store.enqueue([one.key for one in series], bundle.hash, named=True)

    host = start_host("--device", "cpu", command=REAL_HOST)
    host.wait_for("done", 3, seconds=60)
    host.kill()
    host = start_host("--device", "cpu", command=REAL_HOST)
    host.wait_for("idle", seconds=60)

    assert store.counts() == QueueCounts(done=19, failed=1)
    assert _stored(store, [row.study_uid for row in studies]) == dict(_scored(bundle, series))


def _stored(store: Store, uids: list[str]) -> dict[str, tuple[Any, ...]]:
    found = {}
    for uid in uids:
        (row,) = store.results_of(uid)
        shape = store.arrays.open(row.heatmap).shape if row.heatmap else None
        scores = {name: round(score.score, 4) for name, score in row.scores.items()}
        found[row.series_key] = (scores, shape, row.error)
    return found


def _scored(bundle: shelf.InstalledBundle, series: list[Any]) -> Iterator[tuple[str, tuple[Any, ...]]]:
    scorer = Scorer(load_bundle(bundle.path), "cpu", 1)
    for result in scorer.score(series):
        shape = None if result.heatmap is None else result.heatmap.shape
        yield result.series.key, ({name: round(s.score, 4) for name, s in result.scores.items()}, shape, result.error)
