"""Arrays are whole or absent, names cannot leave the folder, and what dead processes left unfinished goes."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from engine.errors import StorageUnavailable
from engine.store.arrays import ArrayFolder, array_name
from engine.store.workers import this_worker


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_an_array_comes_back_as_a_read_only_map(tmp_path: Path) -> None:
    folder = ArrayFolder(tmp_path)
    array = np.asfortranarray(np.arange(24, dtype=np.float16).reshape(2, 3, 4))
    path = folder.write(array_name("1.2/3", "abc", "heatmap"), array)
    back = folder.open(path)
    assert isinstance(back, np.memmap)
    assert not back.flags.writeable
    assert back.dtype == np.float16
    assert np.array_equal(back, array)
    assert files(tmp_path) == [path]


def test_who_reads_an_array_while_it_is_replaced_keeps_the_old_one(tmp_path: Path) -> None:
    folder = ArrayFolder(tmp_path)
    path = folder.write("some-name", np.zeros(1000))
    reading = folder.open(path)
    folder.write("some-name", np.ones(1000))
    assert reading.sum() == 0
    assert folder.open(path).sum() == 1000


def test_series_keys_with_slashes_and_dots_stay_inside(tmp_path: Path) -> None:
    folder = ArrayFolder(tmp_path / "arrays")
    paths = {
        folder.write(array_name(key, "abc", "heatmap"), np.zeros(1)) for key in ("../../x", "/etc/x", "1.2/a", "1.2/b")
    }
    assert len(paths) == 4
    assert all(path.startswith("arrays/") for path in files(tmp_path))


@pytest.mark.parametrize("path", ["../x.npy", "/etc/passwd", "ab/../../x.npy", "ab/.npy", "ab/x.npz", ""])
def test_paths_that_leave_the_folder_are_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(ValueError, match="not a path"):
        ArrayFolder(tmp_path).open(path)


def test_arrays_that_would_need_code_to_be_read_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="objects"):
        ArrayFolder(tmp_path).write("some-name", np.array([object()]))
    assert files(tmp_path) == []


def test_a_missing_or_damaged_array_says_what_to_do(tmp_path: Path) -> None:
    folder = ArrayFolder(tmp_path)
    path = folder.write("some-name", np.zeros(1000))
    (tmp_path / path).write_bytes((tmp_path / path).read_bytes()[:300])
    with pytest.raises(StorageUnavailable, match="Score the study again"):
        folder.open(path)
    (tmp_path / path).unlink()
    with pytest.raises(StorageUnavailable, match="missing or damaged"):
        folder.open(path)


@pytest.mark.parametrize(("number", "what"), [(errno.ENOSPC, "disk is full"), (errno.EROFS, "cannot be written to")])
@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_disk_that_gives_out_at_any_step_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, what: str, call: str
) -> None:
    folder = ArrayFolder(tmp_path)
    before = folder.write("some-name", np.zeros(3))

    def gives_out(*_: object) -> None:
        raise OSError(number, "simulated")

    monkeypatch.setattr("engine.store.arrays.os.fsync" if call == "fsync" else "pathlib.Path.replace", gives_out)
    with pytest.raises(StorageUnavailable, match=what) as caught:
        folder.write("some-name", np.ones(3))
    assert caught.value.where == str(tmp_path)
    assert files(tmp_path) == [before]
    assert folder.open(before).sum() == 0


def test_what_a_dead_process_left_goes_and_what_a_living_one_writes_stays(tmp_path: Path) -> None:
    ArrayFolder(tmp_path)
    code = "from engine.store.workers import this_worker; print(this_worker())"
    dead = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    unfinished = tmp_path / "unfinished"
    for worker in (dead, this_worker(), "another-machine/1/1"):
        (unfinished / f"{worker.replace('/', '~')}~0.tmp").write_bytes(b"half")
    ArrayFolder(tmp_path)
    assert {path.name.split("~")[1] for path in unfinished.iterdir()} == {this_worker().split("/")[1], "1"}
