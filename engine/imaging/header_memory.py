"""Remembers the headers read last, so that a series that was just found is loaded without reading its headers again. Never remembers pixels.

Reading headers takes longer than reading the pixels of an uncompressed CT. A file that has changed since (time or size) is read anew.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from typing import NamedTuple

from engine.imaging import dicom_header, sources
from engine.imaging.image_header import ImageHeader
from engine.imaging.sources import MEMBER_SEPARATOR, disk_error, split_source

MOST_HEADERS = 4096
"""About 3 kB each: a few of the largest CT series."""

_State = tuple[int, int]
_lock = threading.Lock()
_headers: OrderedDict[str, tuple[_State, ImageHeader]] = OrderedDict()


class Beginning(NamedTuple):
    """A file's first `dicom_header.FIRST_READ` bytes, and the state that it was in before they were read."""

    state: _State
    data: bytes


def beginning_of(source: str) -> Beginning:
    """Looks into a file or zip member once, for what it is and for its header. Raises as `sources.read_start`."""
    return Beginning(_state(source), sources.read_start(source, dicom_header.FIRST_READ))


def remembered_header(source: str, beginning: Beginning | None = None) -> ImageHeader:
    """`dicom_header.read_header(source)`, from memory when the file is as it was. Raises as that does.

    `beginning`: of this very source, when the caller has looked into it.
    """
    state = _state(source) if beginning is None else beginning.state
    with _lock:
        known = _headers.get(source)
        if known is not None and known[0] == state:
            return known[1]
    header = dicom_header.read_header(source, None if beginning is None else beginning.data)
    with _lock:
        _headers[source] = (state, header)
        while len(_headers) > MOST_HEADERS:
            _headers.popitem(last=False)
    return header


def forget_headers() -> None:
    """Start as a new process does: the next `remembered_header` reads its file."""
    with _lock:
        _headers.clear()


def _state(source: str) -> _State:
    """(modification time in ns, size) of the file, or of the archive that holds the member."""
    file = split_source(source)[0] if MEMBER_SEPARATOR in source else source
    try:
        status = os.stat(file)  # noqa: PTH116 - twice as fast as Path.stat, and asked once a slice
    except OSError as problem:
        raise disk_error(source, problem) from problem
    return status.st_mtime_ns, status.st_size
