"""`normascope demo --headless`: a disk that fills up while pictures are drawn is one typed error, and no traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.commands import demo
from engine.errors import StorageUnavailable
from engine.store import Store


def test_pictures_that_cannot_be_written_are_one_typed_error(tmp_path: Path) -> None:
    store = Store(None, tmp_path / "store")
    (tmp_path / "pictures").touch()  # where their folder ought to be
    try:
        with demo._progress(demo.Console()) as progress, pytest.raises(StorageUnavailable, match="Free some space"):
            demo._write(store, tmp_path, progress, [])
    finally:
        store.close()
