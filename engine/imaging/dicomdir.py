"""The files that a DICOMDIR lists (PS3.3 F, PS3.10 8). Follows its records; reads none of the images."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

from engine.errors import UnreadableImage, UnsafeArchive
from engine.imaging import sources

DICOMDIR_CLASS = "1.2.840.10008.1.3.10"


def referenced_files(path: str | Path) -> Iterator[Path | UnreadableImage | UnsafeArchive]:
    """Each referenced file that is there, or the error for one that is missing or points outside the medium, in the directory's order.

    Raises:
        UnreadableImage: the DICOMDIR itself cannot be read.
    """
    folder = Path(path).parent
    for number, parts in enumerate(_file_ids(path), 1):
        name = "/".join(parts)
        if any(part in ("", ".", "..") or "/" in part or "\\" in part for part in parts):
            yield UnsafeArchive(
                f"record {number} points outside the medium ({name!r})", where=path, cure="Open the folder instead"
            )
            continue
        found = _found(folder, parts)
        if found is None:
            yield UnreadableImage(
                "listed in the DICOMDIR, but missing", where=folder.joinpath(*parts), cure="Copy the whole medium again"
            )
        else:
            yield found


def _file_ids(path: str | Path) -> list[tuple[str, ...]]:
    from pydicom import dcmread

    try:
        dataset = dcmread(io.BytesIO(sources.read_bytes(path)), force=True)
        records = dataset.get("DirectoryRecordSequence") or []
        listed = [record.get("ReferencedFileID") for record in records]
        return [(value,) if isinstance(value, str) else tuple(map(str, value)) for value in listed if value]
    except UnreadableImage:
        raise
    except Exception as problem:  # pydicom raises whatever its parsing meets
        raise UnreadableImage(
            f"the DICOMDIR is damaged ({problem})", where=path, cure="Open the folder instead"
        ) from problem


def _found(folder: Path, parts: tuple[str, ...]) -> Path | None:
    """The file, whichever case and version suffix the medium's file system gave it."""
    exact = folder.joinpath(*parts)
    if exact.is_file():
        return exact
    place = folder
    for part in parts:
        try:
            entries = {entry.name.split(";")[0].rstrip(".").upper(): entry for entry in place.iterdir()}
        except OSError:
            return None
        match = entries.get(part.upper())
        if match is None:
            return None
        place = match
    return place if place.is_file() else None
