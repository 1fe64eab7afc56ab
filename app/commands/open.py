"""`normascope open`: the workstation."""

from __future__ import annotations

from pathlib import Path


def run_open(paths: list[str], *, screenshot: Path | None, data: Path | None) -> int:
    """Open the window on `paths` and stay until it is closed; with `screenshot`, save its picture and leave."""
    from app.workstation import open_workstation

    return open_workstation(paths, screenshot=screenshot, data_folder=data)
