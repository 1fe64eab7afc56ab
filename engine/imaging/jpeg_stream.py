"""Checks a JPEG stream's frame header (ITU-T T.81 B.2) against the DICOM header before a decoder sees it. Decodes nothing.

GDCM ends the whole process when libjpeg so much as warns while it reads the headers; a corrupt file must cost one error, not the reading room.
Hence everything that libjpeg warns of there is refused here: bytes between segments, unknown JFIF versions and Adobe transforms, headers cut short.
"""

from __future__ import annotations

import struct

_STANDALONE = frozenset((0x01, *range(0xD0, 0xD8)))
_FRAME_HEADERS = frozenset((0xC0, 0xC1, 0xC2, 0xC3))
_OTHER_FRAMES = frozenset((0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF))
_JFIF, _ADOBE = 0xE0, 0xEE
_HUFFMAN_TABLES, _QUANTISATION_TABLES, _START_OF_SCAN, _END_OF_IMAGE = 0xC4, 0xDB, 0xDA, 0xD9


def contradiction(stream: bytes, *, rows: int, columns: int, samples: int, bits_allocated: int) -> str:
    """What makes the stream unfit to decode, in words, or ""."""
    try:
        return _contradiction(stream, rows, columns, samples, bits_allocated)
    except (struct.error, IndexError):
        return "the JPEG stream ends inside its headers"


def _contradiction(stream: bytes, rows: int, columns: int, samples: int, bits_allocated: int) -> str:
    if samples not in (1, 3):
        return f"{samples} samples a pixel in a JPEG stream"
    if stream[:2] != b"\xff\xd8":
        return "the JPEG stream does not begin as one"
    position, components, lossless = 2, b"", False
    huffman: set[int] = set()
    quantisation: set[int] = set()
    while True:
        while stream[position] == 0xFF and stream[position + 1] == 0xFF:
            position += 1  # fill bytes
        marker = stream[position + 1]
        if stream[position] != 0xFF or marker == 0:
            return "the JPEG stream has rubbish between its segments"
        if marker in _STANDALONE:
            position += 2
            continue
        if marker == _END_OF_IMAGE or marker in _OTHER_FRAMES:
            return "the JPEG stream has no picture that can be decoded"
        (length,) = struct.unpack_from(">H", stream, position + 2)
        body = stream[position + 4 : position + 2 + length]
        if len(body) != length - 2:
            return "the JPEG stream ends inside its headers"
        if _is_unknown_application(marker, body):
            return "the JPEG stream is of an unknown version"
        if marker in _FRAME_HEADERS:
            if components:
                return "the JPEG stream has two frame headers"
            wrong = _wrong_frame(body, marker, rows, columns, samples, bits_allocated)
            if wrong:
                return wrong
            components, lossless = body[6:], marker == 0xC3
        elif marker == _HUFFMAN_TABLES:
            huffman |= _huffman_tables(body)
        elif marker == _QUANTISATION_TABLES:
            quantisation |= _quantisation_tables(body)
        elif marker == _START_OF_SCAN:
            return _wrong_scan(body, components, huffman, quantisation, lossless)
        position += 2 + length


def _is_unknown_application(marker: int, body: bytes) -> bool:
    """True for a JFIF version other than 1.x, and for an Adobe colour transform that Adobe never defined."""
    if marker == _JFIF and body.startswith(b"JFIF\0"):
        return len(body) > 5 and body[5] != 1
    return marker == _ADOBE and body.startswith(b"Adobe") and len(body) > 11 and body[11] > 2


def _wrong_frame(body: bytes, marker: int, rows: int, columns: int, samples: int, bits_allocated: int) -> str:
    precision, lines, width, count = struct.unpack_from(">BHHB", body)
    allowed = {0xC0: (8,), 0xC1: (8, 12), 0xC2: (8, 12)}.get(marker, tuple(range(2, 17)))
    if precision not in allowed or precision > bits_allocated:
        return f"the JPEG stream claims {precision} bits a sample"
    if (lines, width) != (rows, columns):
        return f"the JPEG stream is {lines} x {width} pixels, the header says {rows} x {columns}"
    if count != samples or len(body) != 6 + 3 * count:
        return f"the JPEG stream has {count} components, the header says {samples}"
    for index in range(count):
        sampling = body[7 + 3 * index]
        if not (1 <= sampling >> 4 <= 4 and 1 <= sampling & 15 <= 4):
            return "the JPEG stream's sampling is impossible"
    return ""


def _wrong_scan(body: bytes, components: bytes, huffman: set[int], quantisation: set[int], lossless: bool) -> str:
    """The first scan must name components of the frame, and tables that are there."""
    if not components:
        return "the JPEG stream has no frame header"
    known = {components[index]: components[index + 2] for index in range(0, len(components), 3)}
    count = body[0]
    if not 1 <= count <= len(known) or len(body) != 4 + 2 * count:
        return "the JPEG stream's scan header is corrupt"
    for index in range(count):
        name, tables = body[1 + 2 * index], body[2 + 2 * index]
        if name not in known:
            return "the JPEG stream's scan names a component that is not there"
        if tables >> 4 not in huffman:
            return "the JPEG stream lacks a Huffman table"
        if not lossless and (0x10 | tables & 15 not in huffman or known[name] not in quantisation):
            return "the JPEG stream lacks a table"
    return ""


def _huffman_tables(body: bytes) -> set[int]:
    """Class and identifier of each table (0x00 to 0x13)."""
    found: set[int] = set()
    position = 0
    while position < len(body):
        found.add(body[position])
        position += 17 + sum(body[position + 1 : position + 17])
    return found


def _quantisation_tables(body: bytes) -> set[int]:
    found: set[int] = set()
    position = 0
    while position < len(body):
        found.add(body[position] & 15)
        position += 65 if body[position] < 16 else 129
    return found
