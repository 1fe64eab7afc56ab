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
_MOST_KNOWN = 8192
_ELEMENT = struct.Struct("<HH2sH").unpack_from
_LONG = struct.Struct("<I").unpack_from


_Step = tuple[int, int, int, bool]
"""An element's tag, where behind its start the value begins, where the next element begins, and whether the value is wanted."""

_Stretch = tuple[bytes, int]
"""Elements that nobody wants, one behind the other, and the last one's tag."""
_SEEN: _Stretch = (b"", 0)
_VARIES: _Stretch = (b"", -1)
"""In place of a stretch: its first element was met once; or it has another value in each file, and is passed by itself."""


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


class ElementWalk:
    """Walks data sets for the same elements. What an element's first eight bytes say (tag, representation, length) is worked out once: the files
    of a folder repeat the same few hundred. Where they repeat whole stretches that nobody wants, a scanner's private elements above all, these are
    compared and passed at once.
    """

    def __init__(self, wanted: Collection[int], *, implicit: bool, before: int = 0xFFFFFFFF) -> None:
        """`wanted`: tags whose values are kept.  `implicit`: no value representations are written.  `before`: the first tag that ends the walk."""
        self._wanted = frozenset(wanted)
        self._implicit = implicit
        self._before = before
        self._known: dict[bytes, _Step] = {}
        self._stretches: dict[bytes, _Stretch] = {}

    def __call__(self, data: bytes, start: int, *, complete: bool) -> Elements:
        """The wanted elements of the data set that begins at `start`, up to its pixel data or `before`.

        Args:
            complete: `data` is the whole file: its end is the data set's end.

        Raises:
            NeedMore: the bytes ran out, and `complete` is False.
            Unusual: anything that the standard does not foresee here.
        """
        found = Elements()
        # locals: this loop is most of a header's time
        values, known, stretches, end = found.values, self._known, self._stretches, len(data)
        position, last = start, 0
        while True:
            beginning = data[position : position + 8]
            step = known.get(beginning) or self._step(found, data, position, complete)
            if step is None:
                return found
            tag, value, size, wanted = step
            if tag <= last:
                raise Unusual(f"element {tag:08x} out of order")
            last = tag
            if wanted:
                if position + size > end:
                    if not complete:
                        raise NeedMore
                    return found
                values[tag] = data[position + value : position + size]
            else:
                stretch = stretches.get(beginning)
                if stretch is None or not stretch[0] or not data.startswith(stretch[0], position):
                    stretch = self._learned(stretch, beginning, data, position)
                if stretch[0]:
                    position += len(stretch[0])
                    last = stretch[1]
                    continue
            position += size

    def _learned(self, before: _Stretch | None, beginning: bytes, data: bytes, position: int) -> _Stretch:
        """What the unwanted elements from `position` on share with those that began so before; in files after this one they are passed at once."""
        if before is _VARIES:
            return before
        if before is None:
            if len(self._stretches) >= _MOST_KNOWN:
                self._stretches.clear()
            stretch = _SEEN
        elif before is _SEEN:
            stretch = self._same(data[position:], None)
        else:
            stretch = self._same(data[position:], before[0])
        self._stretches[beginning] = stretch
        return stretch

    def _same(self, data: bytes, before: bytes | None) -> _Stretch:
        """The unwanted elements that `data` begins with, as far as they are known and, where there is one, equal to an earlier stretch."""
        position, last = 0, 0
        limit = len(data) if before is None else min(len(data), len(before))
        while True:
            step = self._known.get(data[position : position + 8])
            if step is None or step[0] <= last or step[3] or position + step[2] > limit:
                break
            after = position + step[2]
            if before is not None and data[position:after] != before[position:after]:
                break
            position, last = after, step[0]
        return (data[:position], last) if position else _VARIES

    def _step(self, found: Elements, data: bytes, position: int, complete: bool) -> _Step | None:
        """What the element at `position` is; None where the walk ends, which `found` then says."""
        if position + 12 > len(data):
            if not complete:
                raise NeedMore
            if position + 8 > len(data):
                return None  # a file cut inside its header has no pixel data; the caller says so
        group, element, vr, length = _ELEMENT(data, position)
        tag = group << 16 | element
        if tag >= self._before:
            found.end = position
            return None
        value, length, vr = self._value(data, position, vr, length)
        if tag >= _FIRST_PIXEL_TAG:
            if tag <= PIXEL_DATA:
                found.pixel_tag, found.pixel_offset, found.pixel_length = tag, position + value, length
                found.pixel_vr = vr.decode()
            return None
        wanted = tag in self._wanted
        if length == UNDEFINED_LENGTH:
            after = _after_sequence(data, position + value, self._implicit or vr == b"UN", complete, 0)
            return tag, after - position, after - position, wanted  # its presence is what the caller wants to know
        size = value + length
        if value == 8 and length < _LONGEST_KEPT:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[data[position : position + 8]] = (tag, value, size, wanted)
        return tag, value if length < _LONGEST_KEPT else size, size, wanted

    def _value(self, data: bytes, position: int, vr: bytes, length: int) -> tuple[int, int, bytes]:
        """(where the element's value begins behind `position`, its length, its value representation)."""
        if self._implicit:
            return 8, _LONG(data, position + 4)[0], b""
        if vr in _SHORT_VRS:
            return 8, length, vr
        if vr in _LONG_VRS:
            if position + 12 > len(data):
                raise Unusual("cut inside an element's beginning")
            return 12, _LONG(data, position + 8)[0], vr
        raise Unusual(f"unknown value representation {vr!r}")


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
