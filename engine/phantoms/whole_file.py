"""Writes a file whole or not at all: under a temporary name, then renamed. Knows nothing of what is in it."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from engine.errors import StorageUnavailable


def write_whole(path: Path, data: bytes) -> None:
    """Write `data` to `path`, making its folders. Raises StorageUnavailable when the disk is full or the folder may not be written."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as problem:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise StorageUnavailable(
            f"the file cannot be written ({problem.strerror or problem})",
            where=path,
            cure="Choose a folder with free space that may be written to",
        ) from problem
