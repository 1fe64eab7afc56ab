"""Where a volume's voxels are kept: in memory, or in a temporary file where they would take too much of it. Never reads images.

The file never has a name, or not for longer than it takes to make it (POSIX), so that nothing is left behind however the process ends; elsewhere the
system deletes it with the array.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt

from engine.errors import StorageUnavailable

BUDGET_VARIABLE = "NORMASCOPE_VOLUME_MEMORY_MB"
"""Environment setting: the largest volume, in MB, that is kept in memory. Default: a quarter of the machine's memory."""

SHARE_OF_MEMORY = 0.25


def memory_budget() -> int:
    """Bytes of the largest volume to keep in memory: the setting, else a quarter of the machine's memory, else 2 GiB."""
    setting = os.environ.get(BUDGET_VARIABLE, "")
    with suppress(ValueError):
        return int(float(setting) * 1_000_000)
    with suppress(AttributeError, ValueError, OSError):
        return int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * SHARE_OF_MEMORY)
    return 2 << 30


def allocate_voxels(shape: tuple[int, int, int], budget: int | None = None) -> npt.NDArray[np.int16]:
    """int16 [slices, rows, columns], not initialised; a memory map of a temporary file when larger than `budget` bytes.

    Raises StorageUnavailable when the temporary folder has no room: found out now, not by a crash while slices are written.
    """
    size = int(np.prod(shape, dtype=np.int64)) * np.dtype(np.int16).itemsize
    if size <= (memory_budget() if budget is None else budget):
        return np.empty(shape, np.int16)
    return _mapped(shape, size)


def _mapped(shape: tuple[int, int, int], size: int) -> npt.NDArray[np.int16]:
    folder = Path(tempfile.gettempdir())
    try:
        with tempfile.TemporaryFile(prefix="normascope-volume-", suffix=".voxels", dir=folder) as file:
            if hasattr(os, "posix_fallocate"):
                # a sparse file on a full disk would kill the process at the first write
                os.posix_fallocate(file.fileno(), 0, size)
            else:
                file.truncate(size)
            return np.memmap(file, np.int16, "r+", shape=shape)
    except OSError as error:
        raise _no_room(folder, size, error) from error


def _no_room(folder: Path, size: int, error: OSError) -> StorageUnavailable:
    return StorageUnavailable(
        f"no room for a volume of {size / 1e9:.1f} GB ({error.strerror or error})",
        where=folder,
        cure="Free space there, set TMPDIR to a larger disk, or raise " + BUDGET_VARIABLE,
    )
