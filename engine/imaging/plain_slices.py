"""Reads an uncompressed little-endian frame from its file straight into a slice of voxels: no data set, no second copy. Plain files only.

`dicom_pixels` decodes everything; this is the short cut for `ImageHeader.is_plain`, and gives the same values.
"""

from __future__ import annotations

import sys

import numpy as np
import numpy.typing as npt

from engine.errors import UnreadableImage
from engine.imaging import sources
from engine.imaging.image_header import ImageHeader


def can_read_in_place(header: ImageHeader) -> bool:
    """True when `read_in_place` gives this frame's stored values, unsigned 16-bit values above 32767 excepted."""
    return (
        header.is_plain
        and header.modality_lut is None
        and header.bits_allocated == 16
        and header.high_bit == header.bits_stored - 1
        and (header.signed or header.bits_stored < 16)
        and sys.byteorder == "little"
    )


def read_in_place(header: ImageHeader, out: npt.NDArray[np.int16]) -> None:
    """Fill `out` [rows, columns] (contiguous) with the frame's stored values, bits beyond BitsStored removed.

    Raises UnreadableImage when the file ends before the frame does, or cannot be read.
    """
    size = out.nbytes
    offset = header.pixel_offset + header.frame * size
    declared = header.pixel_length - header.frame * size
    if min(declared, size) < size or _fill(header.source, offset, memoryview(out.data).cast("B")) < size:
        raise UnreadableImage(
            "the pixel data is cut off before the image ends",
            where=header.source,
            cure="Copy or export the file again",
        )
    _remove_high_bits(out, header.bits_stored, header.signed)


def _fill(source: str, offset: int, target: memoryview) -> int:
    """Bytes read into `target` from `offset` on."""
    if sources.is_member(source):
        data = memoryview(sources.read_bytes(source))[offset : offset + len(target)]
        target[: len(data)] = data
        return len(data)
    try:
        with open(source, "rb", buffering=0) as stream:  # noqa: PTH123 - Path.open would take as long as the read
            stream.seek(offset)
            done = 0
            while done < len(target):
                count = stream.readinto(target[done:])
                if not count:
                    break
                done += count
            return done
    except OSError as problem:
        raise sources.disk_error(source, problem) from problem


def _remove_high_bits(stored: npt.NDArray[np.int16], bits: int, signed: bool) -> None:
    """Overlay planes and other leftovers above BitsStored go, in place; the sign is extended (PS3.5 8.1.1)."""
    lowest, highest = int(stored.min()), int(stored.max())
    if signed:
        half = 1 << (bits - 1)
        if lowest < -half or highest >= half:
            np.left_shift(stored, 16 - bits, out=stored)
            np.right_shift(stored, 16 - bits, out=stored)
    elif lowest < 0 or highest >= 1 << bits:
        np.bitwise_and(stored, (1 << bits) - 1, out=stored)
