"""A full disk, a read-only folder, a damaged or foreign database: one typed error with the cure, and nothing half-written."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from engine.errors import StorageUnavailable
from engine.store import Store


def on_a_small_disk(tmp_path: Path, code: str) -> str:
    """What `code` prints when `folder` is a file system of its own of 3 MB, inside namespaces that end with the process."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if sys.platform != "linux" or shutil.which("unshare") is None:
        pytest.skip("a small file system can only be mounted on Linux, by unshare")
    mount = f"mount -t tmpfs -o size=3m none {disk} && exec {sys.executable} -c '{code}' {disk}"
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    ran = subprocess.run(
        ["unshare", "-rm", "sh", "-c", mount], capture_output=True, text=True, env=environment, check=False
    )
    if "unshare:" in ran.stderr or "mount:" in ran.stderr:
        pytest.skip(f"no right to mount here: {ran.stderr.strip()}")
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


FULL_DISK = """
import sys
from pathlib import Path
import numpy as np
from engine.errors import StorageUnavailable
from engine.imaging.series import Series
from engine.store import Store
folder = Path(sys.argv[1])
store = Store(None, folder)
def found(start):
    for i in range(start, start + 20000):
        yield Series(f"1.{i}", f"2.{i}", f"1.{i}", "radiograph", "dicom", (f"/a/{i}.dcm",), patient_name=f"N{i}")
try:
    store.add_series(found(0))
except StorageUnavailable as error:
    print("database:", error)
try:
    while True:
        store.arrays.write("a-name", np.zeros(3000000, np.uint8))
except StorageUnavailable as error:
    print("arrays:", error)
print("unfinished:", list((folder / "arrays" / "unfinished").iterdir()))
kept = store.worklist_size()
print("kept whole batches:", kept > 0 and kept % 500 == 0, kept == store.worklist_size("n"))
store.close()
with store._database.engine.connect() as connection:
    print("integrity:", connection.exec_driver_sql("PRAGMA integrity_check").scalar())
"""


def test_a_full_disk_is_named_and_what_was_stored_stays_whole(tmp_path: Path) -> None:
    said = on_a_small_disk(tmp_path, FULL_DISK).splitlines()
    disk = tmp_path / "disk"
    assert (
        said[0]
        == f"database: {disk}/normascope.sqlite: the disk is full. Free some space and try again; nothing was half-written."
    )
    assert (
        said[1] == f"arrays: {disk}/arrays: the disk is full. Free some space and try again; nothing was half-written."
    )
    assert said[2:] == ["unfinished: []", "kept whole batches: True True", "integrity: ok"]


NEARLY_FULL_DISK = """
import sys
import numpy as np
from engine.errors import StorageUnavailable
from engine.store.arrays import ArrayFolder
from pathlib import Path
arrays = ArrayFolder(Path(sys.argv[1]))
try:
    arrays.write("a-name", np.zeros(5000000, np.uint8))
except StorageUnavailable as error:
    print(error)
print(list((arrays.folder / "unfinished").iterdir()))
"""


def test_an_array_that_fits_only_in_part_is_said_to_meet_a_full_disk(tmp_path: Path) -> None:
    words, left = on_a_small_disk(tmp_path, NEARLY_FULL_DISK).splitlines()
    assert "the disk is full. Free some space" in words and left == "[]"


READ_ONLY = """
import subprocess, sys
import numpy as np
from engine.errors import StorageUnavailable
from engine.store import Store
folder = sys.argv[1]
store = Store(None, folder)
store.close()  # a folder cannot become read-only while files in it are open for writing
subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
for what in (lambda: store.set_setting("a", "b"), lambda: store.arrays.write("a-name", np.zeros(3)), lambda: Store(None, folder + "/new")):
    try:
        what()
    except StorageUnavailable as error:
        print(error)
"""


def test_a_folder_that_becomes_read_only_is_named_with_the_cure(tmp_path: Path) -> None:
    said = on_a_small_disk(tmp_path, READ_ONLY).splitlines()
    disk = tmp_path / "disk"
    assert [line.split(": ")[0] for line in said] == [f"{disk}/normascope.sqlite", f"{disk}/arrays", f"{disk}/new"]
    assert all("choose another data folder" in line.lower() for line in said)


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "normascope.sqlite"
    file.write_bytes(b"something else altogether" * 500)
    with pytest.raises(StorageUnavailable, match="not a Normascope database"):
        Store(None, tmp_path)
    assert file.read_bytes() == b"something else altogether" * 500


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageUnavailable, match="Choose another data folder") as caught:
        Store(None, tmp_path / "file" / "data")
    assert caught.value.where == str(tmp_path / "file" / "data")


def test_the_store_imports_neither_torch_nor_what_is_slow() -> None:
    code = "import sys, engine.store; print(sorted({'torch', 'numpy', 'pydantic', 'pydicom', 'SimpleITK'} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
