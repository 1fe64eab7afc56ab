"""Heatmaps and reconstructions as `.npy` files beside the database, written whole or not at all and read by memory map. Never reads pickles.

A write goes to a temporary file in the folder `unfinished`, which is flushed to the disk, renamed, and its new folder flushed: whoever
holds a path, holds a whole array. Temporaries of processes that died are removed when a folder is opened.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import sys
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import StorageUnavailable
from engine.store.workers import is_dead, this_worker

if TYPE_CHECKING:  # imported where it is used: the worklist is on screen before any array is opened
    import numpy as np
    import numpy.typing as npt

_NAME = re.compile(r"[0-9a-z][0-9a-z_-]{2,120}")
_PATH = re.compile(r"[0-9a-z_-]{2}/([0-9a-z][0-9a-z_-]{2,120})\.npy")
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FORBIDDEN = {errno.EROFS, errno.EACCES, errno.EPERM}
_numbers = count()


def array_name(series_key: str, bundle_hash: str, kind: str) -> str:
    """The file name, without suffix, of one array of one result. Keys come from files and may hold anything: they are hashed."""
    digest = hashlib.sha256(f"{bundle_hash}/{series_key}".encode()).hexdigest()
    return f"{digest[:40]}-{kind}"


class ArrayFolder:
    """Arrays by name below one folder."""

    def __init__(self, folder: Path) -> None:
        """Raises StorageUnavailable when the folder cannot be made."""
        self.folder = folder
        self._unfinished = folder / "unfinished"
        self._worker = this_worker()
        try:
            self._unfinished.mkdir(parents=True, exist_ok=True)
            self._remove_orphans()
        except OSError as error:
            raise _unavailable(error, folder) from error

    def write(self, name: str, array: npt.NDArray[Any]) -> str:
        """Store `array` (any shape; numbers or bools) durably; returns its path below the folder. An array of that name is replaced.

        Raises StorageUnavailable when the disk is full or may not be written to; then nothing is left behind.
        """
        import numpy as np

        if not _NAME.fullmatch(name):
            raise ValueError(f"not a name of an array: {name!r}")
        if array.dtype.hasobject:
            raise ValueError("arrays of objects are not stored: they could only be read by running code")
        path = f"{name[:2]}/{name}.npy"
        target = self.folder / path
        temporary = self._unfinished / f"{self._worker.replace('/', '~')}~{next(_numbers)}.tmp"
        try:
            with temporary.open("xb") as stream:
                np.lib.format.write_array(stream, np.ascontiguousarray(array), allow_pickle=False)
                stream.flush()
                os.fsync(stream.fileno())
            if not target.parent.is_dir():
                target.parent.mkdir(exist_ok=True)
                _flush_folder(self.folder)
            temporary.replace(target)
            _flush_folder(target.parent)
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise _unavailable(error, self.folder) from error
        return path

    def open(self, path: str) -> np.memmap[Any, Any]:
        """The array as a read-only memory map. Raises StorageUnavailable when it is missing or damaged."""
        import numpy as np

        if not _PATH.fullmatch(path):
            raise ValueError(f"not a path of a stored array: {path!r}")
        whole = self.folder / path
        try:
            array = np.load(whole, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise StorageUnavailable(
                "the stored picture is missing or damaged", where=whole, cure="Score the study again."
            ) from error
        return array

    def _remove_orphans(self) -> None:
        for temporary in self._unfinished.glob("*.tmp"):
            worker = temporary.name.rpartition("~")[0].replace("~", "/")
            if is_dead(worker):
                temporary.unlink(missing_ok=True)


def _flush_folder(folder: Path) -> None:
    """Make a rename in `folder` survive a power cut. Windows has no such call: its file system journals the rename."""
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unavailable(error: OSError, folder: Path) -> StorageUnavailable:
    if error.errno in _FULL or error.errno is None:  # numpy's own, of an array that was cut short, has no number
        return StorageUnavailable(
            "the disk is full", where=folder, cure="Free some space and try again; nothing was half-written."
        )
    if error.errno in _FORBIDDEN:
        return StorageUnavailable(
            "the folder cannot be written to", where=folder, cure="Allow writing to it, or choose another data folder."
        )
    return StorageUnavailable(
        f"the folder cannot be used ({error.strerror or error})",
        where=folder,
        cure="Check the disk, or choose another data folder.",
    )
