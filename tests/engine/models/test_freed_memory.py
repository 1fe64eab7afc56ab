"""A process that runs networks is not given its freed memory back page by page; on glibc, where that was measured."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

COUNT = """
import resource, threading, torch
torch.set_num_threads(1)
{before}
def work():
    for _ in range(5):
        kept = [torch.ones(3, 1 << 20) for _ in range(8)]
def faults():
    first = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    {how}
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - first
faults()
print(faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the allocator is told on Linux with glibc only")
@pytest.mark.parametrize(
    "how", ["work()", "other = threading.Thread(target=work); other.start(); other.join()"], ids=["here", "in a thread"]
)
def test_tensors_of_the_same_size_are_not_paged_in_again(how: str) -> None:
    # what whoever starts the tests tells the allocator must not stand in for what is tested
    plain = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}

    def started(before: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", COUNT.format(before=before, how=how)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=plain)

    told = "from engine.models.freed_memory import keep_freed_memory; assert keep_freed_memory()"
    with started(told) as keeping, started("") as giving_back:  # side by side: most of each is importing torch
        kept, given_back = keeping.communicate()[0], giving_back.communicate()[0]
    assert int(kept) < 0.1 * int(given_back)
