"""Archives that could hurt are refused before anything is expanded, each with the reason and a cure."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from engine.errors import UnreadableImage, UnsafeArchive
from engine.imaging import archives, sources

Opened = Callable[[str | Path], tuple[list, list]]


@pytest.fixture
def film(write_radiograph: Callable[..., Path]) -> bytes:
    return write_radiograph(np.arange(32 * 32, dtype=np.uint16).reshape(32, 32)).read_bytes()


def zipped(path: Path, members: dict[str, bytes], **options: object) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def patched_directory(path: Path, offset: int, value: bytes) -> Path:
    """Overwrites bytes of the first central directory record."""
    content = bytearray(path.read_bytes())
    start = content.index(b"PK\x01\x02")
    content[start + offset : start + offset + len(value)] = value
    path.write_bytes(content)
    return path


def test_members_open_under_the_archives_name(tmp_path: Path, film: bytes, opened: Opened) -> None:
    path = zipped(
        tmp_path / "study.zip", {"a/1.dcm": film, "a/notes.txt": b"hello", "__MACOSX/._1.dcm": b"x", ".DS_Store": b"y"}
    )
    found, errors = opened(path)
    assert errors == []
    assert [series.sources for series in found] == [(f"{path}!/a/1.dcm",)]
    assert found[0].load_radiograph().pixels[1, 0] == 32
    assert sources.read_bytes(found[0].sources[0]) == film
    with sources.open_binary(found[0].sources[0]) as stream:
        assert stream.read(132)[128:] == b"DICM"


def test_an_encrypted_archive_is_refused(tmp_path: Path, film: bytes, opened: Opened) -> None:
    path = patched_directory(zipped(tmp_path / "locked.zip", {"1.dcm": film}), 8, b"\x01")
    found, errors = opened(path)
    assert found == []
    assert [type(error) for error in errors] == [UnsafeArchive]
    assert "encrypted" in errors[0].what
    assert "password" in errors[0].cure


def test_a_bomb_is_refused_by_what_it_declares(tmp_path: Path, opened: Opened) -> None:
    path = patched_directory(zipped(tmp_path / "bomb.zip", {"1.dcm": b"\0" * 1000}), 24, struct.pack("<I", 3 << 30))
    _, errors = opened(path)
    assert [type(error) for error in errors] == [UnsafeArchive]
    assert "bomb" in errors[0].what


def test_a_member_that_lies_about_its_size_yields_no_more_than_it_declares(tmp_path: Path) -> None:
    path = patched_directory(zipped(tmp_path / "liar.zip", {"1.dcm": b"\0" * 10_000_000}), 24, struct.pack("<I", 1000))
    with pytest.raises(UnreadableImage):  # the checksum cannot match
        archives.read_member(path, "1.dcm", where="liar")


def test_overlapping_members_are_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "overlap.zip", {"1.dcm": bytes(range(256)) * 40})
    size = path.stat().st_size
    patched_directory(path, 20, struct.pack("<I", size + 1))
    with pytest.raises(UnsafeArchive, match="overlap"):
        archives.members(path)


def test_too_many_members_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_MEMBERS", 3)
    with pytest.raises(UnsafeArchive, match="4 members"):
        archives.members(zipped(tmp_path / "many.zip", {str(number): b"" for number in range(4)}))


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "a/../../b.dcm", "C:/x.dcm", "..\\..\\x.dcm"])
def test_a_path_that_leaves_the_archive_is_refused(tmp_path: Path, film: bytes, opened: Opened, name: str) -> None:
    found, errors = opened(zipped(tmp_path / "escape.zip", {"good.dcm": film, name: film}))
    assert found == []
    assert [type(error) for error in errors] == [UnsafeArchive]
    assert repr(name) in errors[0].what


def test_an_archive_inside_an_archive_is_an_error_and_the_rest_goes_on(
    tmp_path: Path, film: bytes, opened: Opened
) -> None:
    inner = zipped(tmp_path / "inner.zip", {"2.dcm": film}).read_bytes()
    path = zipped(tmp_path / "outer.zip", {"inner.zip": inner, "1.dcm": film})
    found, errors = opened(path)
    assert len(found) == 1
    assert [error.where for error in errors] == [f"{path}!/inner.zip"]


def test_a_damaged_member_is_an_error_and_the_rest_goes_on(tmp_path: Path, film: bytes, opened: Opened) -> None:
    path = zipped(tmp_path / "damaged.zip", {"1.dcm": film[::-1] + film, "2.dcm": film})
    content = bytearray(path.read_bytes())
    content[100:140] = b"\xff" * 40
    path.write_bytes(content)
    found, errors = opened(path)
    assert len(found) == 1
    assert [error.where for error in errors] == [f"{path}!/1.dcm"]


@pytest.mark.parametrize("cut", [0, 10, 400])
def test_a_truncated_archive_is_unreadable(tmp_path: Path, film: bytes, opened: Opened, cut: int) -> None:
    path = zipped(tmp_path / "cut.zip", {"1.dcm": film})
    path.write_bytes(path.read_bytes()[:cut])
    found, errors = opened(path)
    assert found == []
    assert [type(error) for error in errors] == [UnreadableImage]


def test_a_changed_archive_is_read_anew(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"1": b"old"})
    assert archives.read_member(path, "1", where="") == b"old"
    zipped(path, {"1": b"newer"})
    assert archives.read_member(path, "1", where="") == b"newer"
