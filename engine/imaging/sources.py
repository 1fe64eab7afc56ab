"""Where an image's bytes are: a plain path, or a zip member named `archive.zip!/folder/file.dcm`. Never interprets the bytes.

Every failure of the disk or the archive becomes a `NormascopeError` here, so that no caller handles OSError for a picture.
"""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from engine.errors import NormascopeError, UnreadableImage
from engine.imaging import archives

MEMBER_SEPARATOR = "!/"
_READ_ONLY = os.O_RDONLY | getattr(os, "O_BINARY", 0)


def member_source(archive: str | Path, member: str) -> str:
    """The name of a zip's member as a source."""
    return f"{archive}{MEMBER_SEPARATOR}{member}"


def split_source(source: str) -> tuple[str, str | None]:
    """(file, member): member is None for a plain path. A plain file whose own name holds `!/`... cannot exist, but a folder ending in `!` can."""
    archive, separator, member = source.partition(MEMBER_SEPARATOR)
    while separator and not Path(archive).is_file():
        more, separator, member = member.partition(MEMBER_SEPARATOR)
        archive = f"{archive}{MEMBER_SEPARATOR}{more}"
    return (archive, member) if separator else (source, None)


def is_member(source: str) -> bool:
    """True when the source lies inside an archive."""
    return MEMBER_SEPARATOR in source and split_source(source)[1] is not None


def source_name(source: str) -> str:
    """The last part of the name: what a person calls the file."""
    return source.rsplit("/", 1)[-1].rsplit("\\", 1)[-1]


@contextmanager
def _disk_errors_named(source: str) -> Iterator[None]:
    try:
        yield
    except NormascopeError:
        raise
    except OSError as problem:
        raise disk_error(source, problem) from problem


def disk_error(source: str | Path, problem: OSError) -> UnreadableImage:
    """What the operating system refused, in words, with the cure."""
    if isinstance(problem, FileNotFoundError):
        return UnreadableImage(
            "the file is not there", where=source, cure="Check the path, or that the drive is connected"
        )
    if isinstance(problem, PermissionError):
        return UnreadableImage(
            "permission denied",
            where=source,
            cure="Ask for the right to read this file, or copy it to a folder of yours",
        )
    if isinstance(problem, IsADirectoryError):
        return UnreadableImage("this is a folder, not a file", where=source, cure="Open the folder instead")
    if problem.errno in (errno.EIO, errno.ESTALE, errno.ENXIO):
        return UnreadableImage(
            "the drive failed while reading", where=source, cure="Check the drive or the network share, then try again"
        )
    return UnreadableImage(
        f"the file cannot be read ({problem.strerror or problem})", where=source, cure="Check the drive and try again"
    )


def read_bytes(source: str | Path) -> bytes:
    """All bytes of a file or zip member.

    Raises:
        UnreadableImage: missing, unreadable or, for a member, corrupt.
        UnsafeArchive: the archive is encrypted or a bomb.
    """
    file, member = split_source(str(source))
    with _disk_errors_named(str(source)):
        if member is not None:
            return archives.read_member(file, member, where=str(source))
        return Path(file).read_bytes()


def read_start(source: str | Path, size: int) -> bytes:
    """The first `size` bytes, or fewer when the source is shorter. Raises as `read_bytes`."""
    file, member = split_source(str(source))
    with _disk_errors_named(str(source)):
        if member is not None:
            return archives.read_member(file, member, where=str(source), limit=size)
        handle = os.open(file, _READ_ONLY)  # a stream costs as much as reading the header
        try:
            return os.read(handle, size)
        finally:
            os.close(handle)


def open_binary(source: str | Path) -> BinaryIO:
    """A seekable stream of a file or zip member; the caller closes it. Raises as `read_bytes`."""
    file, member = split_source(str(source))
    with _disk_errors_named(str(source)):
        if member is not None:
            return io.BytesIO(archives.read_member(file, member, where=str(source)))
        return Path(file).open("rb")


def looks_like_zip(start: bytes) -> bool:
    """True when the first bytes are those of a zip file, empty ones included."""
    return start[:4] in (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
