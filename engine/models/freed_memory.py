"""Keeps memory that tensors free for the tensors that follow. Linux with glibc only; elsewhere it does nothing.

glibc gives every large block back to the system when it is freed, and the system hands it out again page by page, cleared. A network frees and asks for
its activations at every layer: on a virtual machine that was seen to cost as much time as the arithmetic.
"""

from __future__ import annotations

import ctypes
import functools
import platform

_M_TRIM_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -4, -8  # malloc.h
_NEVER = 2**31 - 1


@functools.cache
def keep_freed_memory() -> bool:
    """Tell the allocator once a process; whether it was told.

    The process then holds as much as it needed at its highest. For the processes that run networks, not for the window: what a closed volume held
    should go back to the system there.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
        # a thread's own arena would give back what it frees all the same, and end with the thread; one that other threads left behind
        # before now may still be taken up, and then does (2 of 10 processes)
        return all(mallopt(*told) for told in ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, _NEVER), (_M_ARENA_MAX, 1)))
    except (OSError, AttributeError):
        return False
