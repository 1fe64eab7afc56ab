"""What a device is called, so that a time can be compared with another machine's. Measures nothing."""

from __future__ import annotations

import platform
from pathlib import Path

import torch


def device_name(device: torch.device) -> str:
    """A graphics card's name; of the processor also what decides its speed: "AMD EPYC, 2 threads, AVX512"."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f"{_processor()}, {threads} thread{'' if threads == 1 else 's'}, {torch.backends.cpu.get_cpu_capability()}"


def _processor() -> str:
    """Linux names it in a file of its own (proc(5)), where Python's `platform` has nothing or the family alone."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine() or "a processor"
