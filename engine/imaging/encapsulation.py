"""Finds encapsulated pixel data (PS3.5 A.4) that ends too early, before a decoder shows half a picture or searches for the rest. Decodes nothing."""

from __future__ import annotations

import struct

_ITEM, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE0DD
_END_OF_IMAGE = b"\xff\xd9"
_PADDING_AFTER_END = 1024


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
