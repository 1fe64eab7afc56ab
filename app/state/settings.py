"""What a reader has set up, kept between sittings: one model, one JSON file. Holds nothing of any patient; knows no Qt.

A file that cannot be read or is out of range never keeps the window from opening: the defaults are used, and `load_settings` says so.
"""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, ValidationError


class Settings(BaseModel):
    """Every setting, with its type, default and meaning.

    Unknown names in the file are kept out silently: a newer version may have written it.
    """

    model_config = ConfigDict(extra="ignore", validate_assignment=True)

    reader: str = ""
    """Who reads: stored with every reading. "" takes the name of the system's user."""
    last_folder: str = ""
    """Where the file dialogue opens."""
    order: str = "percentile"
    """The worklist's sort column, one of `engine.store.rows.SORTABLE`."""
    descending: bool = True
    worklist_visible: bool = True
    results_visible: bool = True
    window_geometry: str = ""
    """QWidget.saveGeometry, base64."""
    pane_widths: tuple[int, int, int] | None = None
    """Worklist, image and results in pixels, left to right; None lets the window choose."""
    column_widths: dict[str, int] = Field(default_factory=dict)
    """Worklist columns by name, in pixels."""
    open_after_verdict: bool = True
    """Go on to the next unread study once a reading is saved."""

    def reader_name(self) -> str:
        """Who reads, never empty."""
        return self.reader or os.environ.get("USER") or os.environ.get("USERNAME") or "reader"

    def geometry_bytes(self) -> bytes:
        """`window_geometry` decoded; empty when it is not base64."""
        try:
            return base64.b64decode(self.window_geometry, validate=True)
        except ValueError:
            return b""

    def keep_geometry(self, geometry: bytes) -> None:
        """Store what QWidget.saveGeometry gave."""
        self.window_geometry = base64.b64encode(geometry).decode()


def settings_path() -> Path:
    """Where the settings live: the user's configuration folder."""
    return platformdirs.user_config_path("normascope") / "settings.json"


def load_settings(path: Path) -> tuple[Settings, str]:
    """The settings, and "" or one line saying why the defaults are used instead."""
    if not path.exists():
        return Settings(), ""
    try:
        return Settings.model_validate(json.loads(path.read_text(encoding="utf-8"))), ""
    except (OSError, ValueError, ValidationError):
        return (
            Settings(),
            f"{path}: the settings could not be read. The defaults are used; they replace the file when the window closes.",
        )


def save_settings(settings: Settings, path: Path) -> str:
    """Write to a temporary name, then rename. Returns "" or one line saying why they could not be kept."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
        temporary.write_text(settings.model_dump_json(indent=1), encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        return f"{path}: the settings could not be saved ({error.strerror or error}). Free some space or make the folder writable."
    return ""
