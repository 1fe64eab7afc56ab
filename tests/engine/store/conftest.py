"""A store in a fresh folder, and series, bundles and results to put into it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sqlalchemy import create_engine, text

from engine.imaging.series import Series
from engine.models.card import Applicability
from engine.scoring.result import ScoreValue, SeriesResult
from engine.store import Store
from engine.store.rows import Job
from tests.cards import plain_card


@pytest.fixture
def store_url() -> str | None:
    """None for SQLite; or an empty PostgreSQL database that NORMASCOPE_TEST_POSTGRESQL names, whose tables are dropped."""
    url = os.environ.get("NORMASCOPE_TEST_POSTGRESQL")
    if url:
        with create_engine(url).begin() as connection:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
    return url


@pytest.fixture
def store(tmp_path: Path, store_url: str | None) -> Iterator[Store]:
    opened = Store(store_url, tmp_path / "data")
    yield opened
    opened.close()


@pytest.fixture
def make_series() -> Callable[..., Series]:
    def make(number: int, study: str = "", **values: Any) -> Series:
        uid = f"1.2.{number}"
        usual: dict[str, Any] = {"kind": "radiograph", "format": "dicom", "sources": (f"/archive/{number}.dcm",)}
        usual |= {"patient_id": f"P{int(study.rpartition('.')[2]) if study else number:04}", "patient_name": "DOE^JANE"}
        usual |= {"modality": "CR", "body_part": "CHEST"}
        return Series(key=uid, study_uid=study or f"1.1.{number}", series_uid=uid, **(usual | values))

    return make


@pytest.fixture
def make_bundle() -> Callable[..., SimpleNamespace]:
    def make(hash: str = "a" * 16, id: str = "chest-model") -> SimpleNamespace:
        card = plain_card(id=id, title="A chest model", applicability=Applicability(modality=("CR", "DX")))
        return SimpleNamespace(id=id, path=Path(f"/models/{id}.safetensors"), hash=hash, card=card)

    return make


@pytest.fixture
def make_result() -> Callable[..., SeriesResult]:
    def make(job: Job, percentile: float, *, flagged: bool = False, excess: float = 0.0) -> SeriesResult:
        return SeriesResult(
            series=job.series,
            bundle_id=job.bundle_id,
            bundle_hash=job.bundle_hash,
            scores={
                "error": ScoreValue(percentile / 10, percentile, flagged, excess),
                "other": ScoreValue(1.0, 50.0, False),
            },
            primary="error",
            posterior=-3.5,
            heatmap=np.full((8, 6), percentile / 100, np.float16),
            reconstruction=np.full((8, 6), 0.5, np.float32),
            neighbours=np.full((4, 3, 3), 9, np.uint8),
            warnings=("spacing unknown",),
            difference=np.full((8, 6), 0.25, np.float16),
        )

    return make


@pytest.fixture
def score_all(store: Store, make_bundle: Any, make_result: Any) -> Callable[..., None]:
    """Score series by key with the given percentiles."""

    def score(percentiles: dict[str, float], **bundle: str) -> None:
        installed = make_bundle(**bundle)
        store.register_bundle(installed)
        store.enqueue(percentiles, installed.hash)
        for job in store.claim("elsewhere/1/1", len(percentiles)):
            value = percentiles[job.series.key]
            assert store.finish(job, make_result(job, value, flagged=value >= 95))

    return score
