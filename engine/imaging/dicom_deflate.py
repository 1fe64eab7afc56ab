"""Deflated DICOM data sets (PS3.5 A.5) expanded in memory, within bounds. Knows nothing of elements beyond the meta header's length."""

from __future__ import annotations

import struct
import zlib

from engine.errors import UnreadableImage, UnsafeArchive

MAX_EXPANDED_BYTES = 2 << 30


def inflated(data: bytes, *, where: str) -> bytes:
    """Preamble and meta header as they are, then the data set expanded: offsets count in this.

    Raises:
        UnreadableImage: cut or corrupt.
        UnsafeArchive: would expand beyond 2 GiB.
    """
    start = _meta_end(data, where)
    stream = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
    try:
        expanded = stream.decompress(data[start:], MAX_EXPANDED_BYTES)
    except zlib.error as problem:
        raise UnreadableImage(
            f"the deflated data is corrupt ({problem})", where=where, cure="Export it again"
        ) from problem
    if stream.unconsumed_tail:
        raise UnsafeArchive(
            "would expand beyond 2 GB, as a bomb does", where=where, cure="Export it again without deflate"
        )
    return data[:start] + expanded


def _meta_end(data: bytes, where: str) -> int:
    if data[128:132] == b"DICM" and data[132:136] == b"\x02\x00\x00\x00" and len(data) >= 144:
        (length,) = struct.unpack_from("<I", data, 140)
        if 144 + length <= len(data):
            return int(144 + length)
    raise UnreadableImage("the meta header is cut or has no length", where=where, cure="Export it again")
