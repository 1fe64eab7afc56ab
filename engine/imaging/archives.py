"""Zip archives that cannot hurt: encrypted ones, bombs and paths that escape are refused before a byte is expanded. Nothing is ever written to disk."""

from __future__ import annotations

import threading
import zipfile
import zlib
from collections import OrderedDict
from pathlib import Path, PurePosixPath, PureWindowsPath

from engine.errors import UnreadableImage, UnsafeArchive

MAX_MEMBERS = 200_000
MAX_TOTAL_BYTES = 64 << 30
MAX_MEMBER_BYTES = 4 << 30
# Deflate reaches 1032:1 on constant bytes. Blank slices compress well, so small archives may have any ratio; a large one may not.
MAX_RATIO = 200
RATIO_MATTERS_ABOVE = 256 << 20
_OPEN_ARCHIVES = 4

_lock = threading.Lock()
_open: OrderedDict[tuple[str, int, int], zipfile.ZipFile] = OrderedDict()


def members(path: str | Path) -> list[str]:
    """Names of the files in a zip, folders left out, in the archive's order.

    Raises:
        UnreadableImage: not a zip, or damaged.
        UnsafeArchive: encrypted, a bomb (members, total size, ratio, overlapping members), or a member's path leaves the archive.
    """
    return [info.filename for info in _checked(path).infolist() if not info.is_dir()]


def read_member(path: str | Path, member: str, *, where: str, limit: int | None = None) -> bytes:
    """The member's bytes (at most `limit`). Raises as `members`, and UnreadableImage when the member is missing or damaged."""
    archive = _checked(path)
    try:
        info = archive.getinfo(member)
        with archive.open(info) as stream:
            return stream.read(info.file_size if limit is None else min(limit, info.file_size))
    except KeyError as problem:
        raise UnreadableImage(
            "the archive has no such member", where=where, cure="Open the archive again: it has changed"
        ) from problem
    except NotImplementedError as problem:
        raise UnreadableImage(
            "compressed in a way that is not supported", where=where, cure="Unpack the archive and open the folder"
        ) from problem
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError, OSError) as problem:
        raise UnreadableImage(
            f"the archive is damaged here ({problem})", where=where, cure="Make the archive again from the original"
        ) from problem


def member_state(path: str | Path, member: str, *, where: str) -> tuple[int, int]:
    """(size in bytes, CRC-32) of a member as the archive's directory states them. Raises as `read_member`."""
    try:
        info = _checked(path).getinfo(member)
    except KeyError as problem:
        raise UnreadableImage(
            "the archive has no such member", where=where, cure="Open the archive again: it has changed"
        ) from problem
    return info.file_size, info.CRC


def _checked(path: str | Path) -> zipfile.ZipFile:
    """The open archive, checked once and kept for the next member: reading a directory of 500 members 500 times would be quadratic."""
    file = Path(path)
    status = file.stat()
    key = (str(file), status.st_mtime_ns, status.st_size)
    with _lock:
        if key in _open:
            _open.move_to_end(key)
            return _open[key]
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, ValueError, EOFError, NotImplementedError) as problem:
        raise UnreadableImage(
            f"not a readable zip archive ({problem})", where=file, cure="Make the archive again from the original"
        ) from problem
    try:
        _refuse_unsafe(file, archive.infolist(), status.st_size)
    except UnsafeArchive:
        archive.close()
        raise
    with _lock:
        _open[key] = archive
        while len(_open) > _OPEN_ARCHIVES:
            _open.popitem(
                last=False
            )  # not closed: another thread may be reading; it closes when the last reader drops it
    return archive


def _refuse_unsafe(path: Path, infos: list[zipfile.ZipInfo], archive_bytes: int) -> None:
    if len(infos) > MAX_MEMBERS:
        raise UnsafeArchive(
            f"holds {len(infos):,} members, more than {MAX_MEMBERS:,}",
            where=path,
            cure="Unpack it yourself and open the folder",
        )
    for info in infos:
        if info.flag_bits & 0x1:
            raise UnsafeArchive(
                "the archive is encrypted", where=path, cure="Unpack it with its password and open the folder"
            )
        if _escapes(info.filename):
            raise UnsafeArchive(
                f"member {info.filename!r} points outside the archive",
                where=path,
                cure="Do not unpack it; ask the sender for a clean archive",
            )
    total = sum(info.file_size for info in infos)
    packed = sum(info.compress_size for info in infos)
    largest = max((info.file_size for info in infos), default=0)
    expands = f"would expand from {archive_bytes / 1e6:.1f} MB to {total / 1e6:,.0f} MB"
    cure = "Do not unpack it unless you trust the sender; then unpack it yourself and open the folder"
    if total > MAX_TOTAL_BYTES or largest > MAX_MEMBER_BYTES:
        raise UnsafeArchive(expands, where=path, cure=cure)
    if total > RATIO_MATTERS_ABOVE and total > MAX_RATIO * max(archive_bytes, 1):
        raise UnsafeArchive(f"{expands}, as a zip bomb does", where=path, cure=cure)
    if packed > archive_bytes:
        raise UnsafeArchive("its members overlap, as in a zip bomb", where=path, cure=cure)


def _escapes(name: str) -> bool:
    windows = PureWindowsPath(name)
    return (
        PurePosixPath(name).is_absolute()
        or bool(windows.drive)
        or bool(windows.root)
        or ".." in windows.parts
        or "\x00" in name
    )
