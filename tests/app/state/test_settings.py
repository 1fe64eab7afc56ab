"""Settings survive; a damaged file costs them but never the window, and is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.state.settings import Settings, load_settings, save_settings


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    settings = Settings(reader="kim", pane_widths=(400, 800, 300), column_widths={"modality": 50})
    settings.keep_geometry(b"\x01\xff")
    assert save_settings(settings, tmp_path / "deep" / "settings.json") == ""
    loaded, complaint = load_settings(tmp_path / "deep" / "settings.json")
    assert (loaded, complaint) == (settings, "")
    assert loaded.geometry_bytes() == b"\x01\xff"


def test_a_first_start_has_defaults_and_no_complaint(tmp_path: Path) -> None:
    assert load_settings(tmp_path / "settings.json") == (Settings(), "")


@pytest.mark.parametrize("content", ["", "{", "[]", '{"descending": "sideways"}', '{"pane_widths": [1]}', "\x00\xff"])
def test_a_damaged_file_is_named_and_the_defaults_are_used(tmp_path: Path, content: str) -> None:
    file = tmp_path / "settings.json"
    file.write_text(content, encoding="latin-1")
    loaded, complaint = load_settings(file)
    assert loaded == Settings()
    assert str(file) in complaint


def test_settings_of_a_newer_version_are_read_as_far_as_known(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text('{"reader": "kim", "from_the_future": 1}')
    loaded, complaint = load_settings(file)
    assert (loaded.reader, complaint) == ("kim", "")


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    complaint = save_settings(Settings(), tmp_path / "file" / "settings.json")
    assert "could not be saved" in complaint


def test_geometry_that_is_no_base64_is_ignored() -> None:
    assert Settings(window_geometry="§").geometry_bytes() == b""
