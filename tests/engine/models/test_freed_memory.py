"""A process that runs networks is not given its freed memory back page by page; on glibc, where that was measured."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

COUNT = """
import resource, torch
torch.set_num_threads(1)
{before}
def faults():
    first = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        torch.ones(8, 1 << 20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - first
faults()
print(faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the allocator is told on Linux with glibc only")
def test_tensors_of_the_same_size_are_not_paged_in_again() -> None:
    def counted(before: str) -> int:
        command = [sys.executable, "-c", COUNT.format(before=before)]
        # what whoever starts the tests tells the allocator must not stand in for what is tested
        plain = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
        return int(subprocess.run(command, capture_output=True, text=True, check=True, env=plain).stdout)

    told = "from engine.models.freed_memory import keep_freed_memory; assert keep_freed_memory()"
    assert counted(told) < 0.1 * counted("")
