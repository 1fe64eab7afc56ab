"""One host a data folder: a lock that the system itself releases when its holder dies. Never waits and never breaks a lock."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from engine.store.workers import is_dead, this_worker


class FolderInUse(Exception):
    """Another host works on the folder. `str` says which."""


class FolderLock:
    """Held from construction until `release` or the end of the process, however it ends.

    A POSIX record lock (Windows: a locked byte), not a file's mere existence: there is nothing stale to clean up after `kill -9`, and a
    forked child does not inherit it. Where a file system cannot lock (some network shares), the holder named in the file is looked for.
    """

    def __init__(self, folder: Path) -> None:
        """Raises FolderInUse, or OSError when the folder cannot be written to."""
        self._path = folder / "host.lock"
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        holder = os.pread(self._descriptor, 500, 0).decode(errors="replace").strip() if hasattr(os, "pread") else ""
        try:
            locked = _lock(self._descriptor)
        except BlockingIOError:
            os.close(self._descriptor)
            raise FolderInUse(f"another engine ({holder or 'just starting'}) already works on {folder}") from None
        if not locked and holder and is_dead(holder) is False:
            os.close(self._descriptor)
            raise FolderInUse(f"another engine ({holder}) already works on {folder}")
        os.ftruncate(self._descriptor, 0)
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        os.write(self._descriptor, this_worker().encode())

    def release(self) -> None:
        """Let the next host in. The file stays: removing it would let two hosts lock two files of one name."""
        os.close(self._descriptor)


def _lock(descriptor: int) -> bool:
    """True when locked, False when the file system cannot lock. Raises BlockingIOError when another process holds it."""
    if sys.platform == "win32":
        import msvcrt

        os.lseek(descriptor, 1 << 20, os.SEEK_SET)  # a byte beyond the text, which others may then still read
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            raise BlockingIOError from error
        return True
    import errno
    import fcntl

    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN):
            raise BlockingIOError from error
        return False
    return True
