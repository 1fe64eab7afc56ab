"""Importing on a worker: studies are stored and queued for the models that apply; errors are told and the rest goes on; cancelling stops it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.importing import Imported, import_paths
from app.state.problems import Problem
from engine.errors import NormascopeError, StorageUnavailable, UnreadableImage
from engine.imaging import discovery
from engine.imaging.series import Series
from engine.models.card import Applicability
from engine.models.shelf import InstalledBundle
from engine.store import Store
from tests.cards import plain_card

CARD = plain_card(id="chest", applicability=Applicability(modality=("CR",), body_part=("CHEST",)))
CHEST = InstalledBundle("chest", Path("/models/chest.safetensors"), "c" * 16, CARD)


class Control:
    """What a task gives its operation, recorded."""

    def __init__(self) -> None:
        self.partials: list[object] = []
        self.stop_after = 10**9

    def cancelled(self) -> bool:
        return len(self.partials) >= self.stop_after

    def partial(self, value: object) -> None:
        self.partials.append(value)

    def progress(self, fraction: float | None, doing: str = "") -> None:
        pass


def series(number: int, part: str = "CHEST", **values: Any) -> Series:
    usual: dict[str, Any] = {"kind": "radiograph", "format": "dicom", "sources": (f"/{number}.dcm",)}
    return Series(f"1.{number}", f"2.{number}", f"1.{number}", modality="CR", body_part=part, **(usual | values))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(None, tmp_path / "data")
    yield opened
    opened.close()


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """What discovery finds, errors among it."""

    def set_found(*items: Series | NormascopeError) -> None:
        def open_study(
            path: str, *, on_error: Callable[[NormascopeError], None], on_passed_over: Callable[[str], None]
        ) -> Iterator[Series]:
            for item in items:
                if isinstance(item, NormascopeError):
                    on_error(item)
                else:
                    yield item

        monkeypatch.setattr(discovery, "open_study", open_study)

    return set_found


def test_what_is_found_is_stored_and_queued_for_what_applies(store: Store, found: Callable[..., None]) -> None:
    told = series(4, "THORAX", format="raster")  # by a cohort's table
    found(series(1), series(2, "KNEE"), series(3, "", format="raster"), told)
    imported = import_paths(store, ["/x"], [CHEST], Control())  # type: ignore[arg-type]
    assert imported == Imported(found=4, new=4, queued=2, problems=0)
    assert {row.body_part: row.status for row in store.worklist()} == {
        "CHEST": "queued",
        "KNEE": "not scored",
        "": "not scored",
        "THORAX": "queued",
    }


def test_bad_files_are_told_and_the_rest_goes_on(store: Store, found: Callable[..., None]) -> None:
    found(series(1), UnreadableImage("it is empty", where="/bad", cure="Copy it again."), series(2))
    control = Control()
    imported = import_paths(store, ["/x"], [], control)  # type: ignore[arg-type]
    assert (imported.found, imported.problems) == (2, 1)
    assert [item.where for item in control.partials if isinstance(item, Problem)] == ["/bad"]
    assert store.worklist_size() == 2


def test_importing_again_queues_nothing_twice(store: Store, found: Callable[..., None]) -> None:
    found(series(1))
    import_paths(store, ["/x"], [CHEST], Control())  # type: ignore[arg-type]
    again = import_paths(store, ["/x"], [CHEST], Control())  # type: ignore[arg-type]
    assert (again.new, again.queued) == (0, 0)
    assert "1 already in the worklist" in again.in_words()


def test_cancelling_keeps_what_was_found(store: Store, found: Callable[..., None]) -> None:
    found(*(series(number) for number in range(2000)))
    control = Control()
    control.stop_after = 1
    imported = import_paths(store, ["/x"], [], control)  # type: ignore[arg-type]
    assert 0 < imported.found < 2000
    assert store.worklist_size() == imported.found


def test_a_store_that_cannot_be_written_ends_the_import(
    store: Store, found: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    found(series(1))

    def full(_: object) -> int:
        raise StorageUnavailable("the disk is full", cure="Free some space.")

    monkeypatch.setattr(store, "add_series", full)
    with pytest.raises(StorageUnavailable):
        import_paths(store, ["/x"], [], Control())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("imported", "words"),
    [
        (Imported(0, 0, 0, 0), "No images were found"),
        (Imported(1, 1, 1, 0), "Opened 1 image series  ·  1 to score"),
        (Imported(1500, 1500, 0, 2), "Opened 1,500 image series  ·  2 problems"),
        (
            Imported(1, 1, 0, 0, "1 file passed over, no image: a.pdf"),
            "Opened 1 image series  ·  1 file passed over, no image: a.pdf",
        ),
    ],
)
def test_the_outcome_is_said_in_one_line(imported: Imported, words: str) -> None:
    assert imported.in_words() == words
