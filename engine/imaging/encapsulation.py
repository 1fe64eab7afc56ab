"""Finds encapsulated pixel data (PS3.5 A.4) that ends too early, before a decoder shows half a picture or searches for the rest. Decodes nothing."""

from __future__ import annotations

import struct

_ITEM, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE0DD
_END_OF_IMAGE = b"\xff\xd9"
_PADDING_AFTER_END = 1024
_JPEG_2000_SIZE = b"\xff\x4f\xff\x51"
_JPEG_2000_FILE = b"\x00\x00\x00\x0cjP  "
_JPEG_LS_FRAME = b"\xff\xf7"
_SIZE_IS_WITHIN = 4096


def ends_inside_a_fragment(encoded: bytes) -> bool:
    """True when the last item is longer than what is left of the file: it was cut. Anything odd is left to the decoder."""
    position = 0
    while position + 8 <= len(encoded):
        group, element, length = struct.unpack_from("<HHI", encoded, position)
        tag = group << 16 | element
        if tag == _SEQUENCE_END or tag != _ITEM:
            return False
        position += 8 + length
    return position > len(encoded)


def lacks_its_end(stream: bytes) -> bool:
    """True when a JPEG or JPEG-LS stream has no end-of-image marker: CharLS then searches for many seconds, libjpeg paints the rest grey."""
    return _END_OF_IMAGE not in stream[-_PADDING_AFTER_END:]


def has_broken_boxes(stream: bytes) -> bool:
    """True when a JPEG 2000 file format wrapper (ITU-T T.800 I.4) does not lead to its codestream: pydicom would walk an empty box for ever."""
    if not stream.startswith(_JPEG_2000_FILE):
        return False
    position = 0
    while position + 8 <= len(stream):
        (length,) = struct.unpack_from(">I", stream, position)
        if stream[position + 4 : position + 8] == b"jp2c":
            return False
        if length < 8:
            return True
        position += length
    return True


def claimed_size(stream: bytes) -> tuple[int, int] | None:
    """(rows, columns) that a JPEG 2000 (ITU-T T.800 A.5.1) or JPEG-LS (T.87 C.2.2) stream says it has; None when it does not say."""
    start = stream[:_SIZE_IS_WITHIN]
    position = start.find(_JPEG_2000_SIZE)
    if position >= 0 and len(start) >= position + 24:
        width, height, left, top = struct.unpack_from(">4I", start, position + 8)
        return height - top, width - left
    position = start.find(_JPEG_LS_FRAME)
    if start.startswith(b"\xff\xd8") and position >= 0 and len(start) >= position + 9:
        rows, columns = struct.unpack_from(">HH", start, position + 5)
        return rows, columns
    return None
