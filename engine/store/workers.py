"""Who works on a job, and whether that process still lives. Never signals or ends a process.

A worker is named `host/pid/start`: the start time tells a process from a later one that was given the same number.
"""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path


def this_worker() -> str:
    """The identity of this process."""
    return f"{platform.node()}/{os.getpid()}/{_start_time(os.getpid())}"


def is_dead(worker: str) -> bool | None:
    """True or False for a process of this machine; None when it is another machine's, where only its heartbeat tells."""
    node, _, rest = worker.partition("/")
    pid, _, started = rest.partition("/")
    if node != platform.node() or not pid.isdigit():
        return None
    return _start_time(int(pid)) != started


def _start_time(pid: int) -> str:
    """When the process started, in whatever unit the system has; "" when there is no such process (or only its corpse)."""
    if sys.platform == "linux":
        return _linux_start(pid)
    if sys.platform == "win32":
        return _windows_start(pid)
    import subprocess

    listed = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    stat, _, started = listed.stdout.strip().partition(" ")
    return "" if stat.startswith("Z") else "".join(started.split())


def _linux_start(pid: int) -> str:
    try:
        # proc(5): the command, in parentheses, may hold spaces; field 3 is the state and field 22 the start in ticks since boot
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()[:8]
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else f"{boot}-{fields[19]}"


def _windows_start(pid: int) -> str:
    import ctypes

    kernel = ctypes.windll.kernel32  # type: ignore[attr-defined,unused-ignore]
    handle = kernel.OpenProcess(0x1000, False, pid)  # PROCESS_QUERY_LIMITED_INFORMATION
    if not handle:
        return ""
    try:
        times = [ctypes.c_ulonglong() for _ in range(4)]
        code = ctypes.c_ulong()
        kernel.GetExitCodeProcess(handle, ctypes.byref(code))
        alive = code.value == 259 and kernel.GetProcessTimes(handle, *map(ctypes.byref, times))  # STILL_ACTIVE
        return str(times[0].value) if alive else ""
    finally:
        kernel.CloseHandle(handle)
