"""What every test may ask for: the real images beside the checkout, and a display-free Qt unless a display is there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

if not os.environ.get("DISPLAY"):
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real radiographs and CT; a test that asks for it is skipped where it is absent."""
    folder = Path(os.environ.get("NORMASCOPE_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real images are not here: {folder} (set NORMASCOPE_SHARED_DATA)")
    return folder
