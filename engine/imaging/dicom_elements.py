"""Finds the wanted top-level elements in a little-endian DICOM data set (PS3.5 7) without building objects for the rest. Reads no files.

A CT folder has hundreds of headers; this walk takes a twentieth of a full parse. Whatever is not plain and well-formed raises `Unusual`,
and the caller asks pydicom.
"""

from __future__ import annotations

import struct
from collections.abc import Collection
from dataclasses import dataclass, field

UNDEFINED_LENGTH = 0xFFFFFFFF
PIXEL_DATA = 0x7FE00010
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_LONG_VRS = frozenset((b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"))
_SHORT_VRS = frozenset(
    (
        *(b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FL", b"FD", b"IS", b"LO"),
        *(b"LT", b"PN", b"SH", b"SL", b"SS", b"ST", b"TM", b"UI", b"UL", b"US"),
    )
)
_MAX_DEPTH = 30
_FIRST_PIXEL_TAG = 0x7FE00008
_LONGEST_KEPT = 1 << 20
_ELEMENT = struct.Struct("<HH2sH").unpack_from
_LONG = struct.Struct("<I").unpack_from


class Unusual(Exception):
    """Not the plain case: leave it to pydicom."""


class NeedMore(Exception):
    """The header goes on beyond the bytes at hand."""


@dataclass(slots=True)
class Elements:
    """What was found.

    Attributes:
        values: tag -> raw value bytes of each wanted element.
        pixel_tag: the pixel data element that ended the walk, 0 when the data set ended without.
        pixel_offset, pixel_length: of its value in the buffer; length is UNDEFINED_LENGTH when encapsulated.
        end: where the walk stopped.
    """

    values: dict[int, bytes] = field(default_factory=dict)
    little_endian: bool = True
    pixel_tag: int = 0
    pixel_offset: int = -1
    pixel_length: int = 0
    pixel_vr: str = ""
    end: int = 0


def walk(
    data: bytes, start: int, *, implicit: bool, wanted: Collection[int], complete: bool, before: int = 0xFFFFFFFF
) -> Elements:
    """The wanted elements of the data set that begins at `start`, up to its pixel data or the first tag from `before` on.

    Args:
        complete: `data` is the whole file: its end is the data set's end.

    Raises:
        NeedMore: the bytes ran out, and `complete` is False.
        Unusual: anything that the standard does not foresee here.
    """
    found = Elements()
    _walk(found, data, start, implicit, wanted, complete, before)
    return found


def _walk(
    found: Elements, data: bytes, start: int, implicit: bool, wanted: Collection[int], complete: bool, before: int
) -> None:
    values = found.values
    end = len(data)
    stop = min(before, _FIRST_PIXEL_TAG)
    element_at, long_at, short_vrs, long_vrs = (
        _ELEMENT,
        _LONG,
        _SHORT_VRS,
        _LONG_VRS,
    )  # locals: this loop is most of a header's time
    position, last = start, 0
    while True:
        if position + 12 > end:
            if not complete:
                raise NeedMore
            if position + 8 > end:
                return  # a file cut inside its header has no pixel data; the caller says so
        group, element, vr, length = element_at(data, position)
        tag = group << 16 | element
        if tag >= before:
            found.end = position
            return
        if tag <= last:
            raise Unusual(f"element {tag:08x} out of order")
        last = tag
        if implicit:
            (length,) = long_at(data, position + 4)
            value, vr = position + 8, b""
        elif vr in short_vrs:
            value = position + 8
        elif vr in long_vrs:
            (length,) = long_at(data, position + 8)
            value = position + 12
        else:
            raise Unusual(f"unknown value representation {vr!r}")
        if tag >= stop:
            if tag <= PIXEL_DATA:
                found.pixel_tag, found.pixel_offset, found.pixel_length, found.pixel_vr = (
                    tag,
                    value,
                    length,
                    vr.decode(),
                )
            return
        if length == UNDEFINED_LENGTH:
            if tag in wanted:
                values[tag] = b""  # its presence is what the caller wants to know
            position = _after_sequence(data, value, implicit or vr == b"UN", complete, 0)
            continue
        position = value + length
        if tag in wanted:
            if position > end:
                if not complete:
                    raise NeedMore
                return
            values[tag] = data[value:position] if length < _LONGEST_KEPT else b""


def _after_sequence(data: bytes, position: int, implicit: bool, complete: bool, depth: int) -> int:
    """The position behind a sequence of undefined length (PS3.5 7.5.2)."""
    if depth > _MAX_DEPTH:
        raise Unusual("sequences nested too deeply")
    end = len(data)
    while True:
        if position + 8 > end:
            raise Unusual("cut inside a sequence") if complete else NeedMore
        group, element = struct.unpack_from("<HH", data, position)
        (length,) = _LONG(data, position + 4)
        tag = group << 16 | element
        position += 8
        if tag == _SEQUENCE_END:
            return position
        if tag != _ITEM:
            raise Unusual("a sequence without items")
        if length != UNDEFINED_LENGTH:
            position += length
        else:
            position = _after_item(data, position, implicit, complete, depth)


def _after_item(data: bytes, position: int, implicit: bool, complete: bool, depth: int) -> int:
    """The position behind an item of undefined length."""
    end = len(data)
    while True:
        if position + 8 > end:
            raise Unusual("cut inside an item") if complete else NeedMore
        group, element, vr, length = _ELEMENT(data, position)
        tag = group << 16 | element
        if tag == _ITEM_END:
            return position + 8
        if implicit:
            (length,) = _LONG(data, position + 4)
            position += 8
        elif vr in _SHORT_VRS:
            position += 8
        elif vr in _LONG_VRS:
            if position + 12 > end:
                raise Unusual("cut inside an item") if complete else NeedMore
            (length,) = _LONG(data, position + 8)
            position += 12
        else:
            raise Unusual(f"unknown value representation {vr!r}")
        if length == UNDEFINED_LENGTH:
            position = _after_sequence(data, position, implicit or vr == b"UN", complete, depth + 1)
        else:
            position += length
