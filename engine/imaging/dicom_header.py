"""The one place that reads a DICOM header: what discovery, sorting and decoding need, up to but never including the pixels.

Plain little-endian files are walked by `dicom_elements`; everything else (big-endian, no meta header, lookup tables, code sequences, multi-frame
functional groups) is read by pydicom. Both give the same `ImageHeader`.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING

from engine.errors import UnreadableImage
from engine.imaging import sources
from engine.imaging.dicom_deflate import inflated
from engine.imaging.dicom_elements import ElementWalk, NeedMore, Unusual
from engine.imaging.functional_groups import headers_of_frames
from engine.imaging.header_tags import WANTED, header_of, needs_sequences
from engine.imaging.header_values import HeaderValues
from engine.imaging.image_header import DEFLATED, EXPLICIT_BIG_ENDIAN, IMPLICIT_LITTLE_ENDIAN, ImageHeader

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

FIRST_READ = 16 << 10
"""Bytes that hold nearly every header whole; also what `ImageHeader.start_checksum` is made of."""
_SECOND_READ = 512 << 10
_STORAGE_CLASS, _TRANSFER_SYNTAX, _META_END = 0x00020002, 0x00020010, 0x00030000
_in_meta = ElementWalk((_STORAGE_CLASS, _TRANSFER_SYNTAX), implicit=False, before=_META_END)
_in_data_set = {implicit: ElementWalk(WANTED, implicit=implicit) for implicit in (False, True)}


def read_header(source: str, start: bytes | None = None) -> ImageHeader:
    """The header of a DICOM file or zip member. Does not say whether there are pixels: see `has_pixels`.

    Args:
        start: the file's first `FIRST_READ` bytes, when the caller has read them.

    Raises:
        UnreadableImage: missing, empty, not DICOM, or cut or corrupt before the header ends.
    """
    start = sources.read_start(source, FIRST_READ) if start is None else start
    if not start:
        raise UnreadableImage("the file is empty", where=source, cure="Copy or export it again")
    checksum = zlib.crc32(start)
    data, complete = start, len(start) < FIRST_READ
    for more in (_SECOND_READ, None, None):
        try:
            return _plain_header(source, data, complete=complete, checksum=checksum)
        except NeedMore:
            data = sources.read_bytes(source) if more is None else sources.read_start(source, more)
            complete = more is None or len(data) < more
        except (Unusual, struct.error, UnicodeDecodeError):
            break
    return replace(_full_header(source)[0], start_checksum=checksum)


def frame_headers(source: str) -> list[ImageHeader]:
    """One header a frame of a multi-frame instance, each with its own position, orientation, spacing, rescale and windows.

    They come from the functional groups (PS3.3 C.7.6.16) of enhanced CT and MR; frames of plain multi-frame files share the instance's values.
    A single-frame instance gives one header. Raises as `read_header`.
    """
    header, dataset = _full_header(source)
    return headers_of_frames(header, dataset)


def read_dataset(source: str) -> Dataset:
    """pydicom's data set without pixels, for the rare reader that needs what `ImageHeader` leaves out. Raises as `read_header`."""
    return _full_header(source)[1]


def instance_bytes(source: str, transfer_syntax: str) -> bytes:
    """The bytes that `pixel_offset` counts in: the file, or the file with its deflated data set (PS3.5 A.5) expanded."""
    data = sources.read_bytes(source)
    return inflated(data, where=source) if transfer_syntax == DEFLATED else data


def _plain_header(source: str, data: bytes, *, complete: bool, checksum: int) -> ImageHeader:
    """The header of a little-endian file with preamble and meta header, as nearly all are. Raises NeedMore, Unusual."""
    if data[128:132] != b"DICM":
        raise Unusual("no preamble")
    meta = _in_meta(data, 132, complete=complete)
    named = HeaderValues(meta.values)
    syntax = named.text(_TRANSFER_SYNTAX)
    if syntax in ("", EXPLICIT_BIG_ENDIAN):
        raise Unusual("not little-endian")
    if syntax == DEFLATED:
        data, complete = inflated(sources.read_bytes(source), where=source), True
    elements = _in_data_set[syntax == IMPLICIT_LITTLE_ENDIAN](data, meta.end, complete=complete)
    if needs_sequences(elements.values):
        raise Unusual("lookup tables, functional groups or codes")
    return header_of(source, syntax, named.text(_STORAGE_CLASS), elements, checksum)


def _full_header(source: str) -> tuple[ImageHeader, Dataset]:
    from engine.imaging.dicom_fallback import read_with_pydicom

    return read_with_pydicom(source)
