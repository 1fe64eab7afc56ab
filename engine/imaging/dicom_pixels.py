"""Decodes one frame of a DICOM instance to stored values, and stored values to modality units. Knows nothing of series, windows or geometry."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from engine.errors import ImplausibleImage, UnreadableImage
from engine.imaging import sources
from engine.imaging.dicom_header import instance_bytes, read_dataset
from engine.imaging.image_header import ImageHeader
from engine.imaging.pixel_decoders import decode_with_pydicom

MAX_PIXELS = 1 << 28
"""No detector has more; a header that says so would only exhaust the memory."""


@dataclass(frozen=True, eq=False)
class DecodedFrame:
    """One frame in modality units.

    Attributes:
        pixels: [rows, columns] int16, uint16, uint8 or float32 in modality units (HU for CT).
        valid: [rows, columns] bool, False at padding; None when every pixel is valid.
        warnings: conversions that a reader must know of.
    """

    pixels: npt.NDArray[np.generic]
    valid: npt.NDArray[np.bool_] | None
    warnings: tuple[str, ...] = field(default=())


def decode_stored(header: ImageHeader, *, data: bytes | None = None) -> npt.NDArray[np.generic]:
    """[rows, columns] stored grey values of the header's frame: signed or unsigned as declared, high bits beyond BitsStored removed.

    Colour becomes grey. The array may be read-only.

    Args:
        data: the file's bytes (`dicom_header.instance_bytes`) when the caller has them; read from `header.source` otherwise.

    Raises:
        UnreadableImage: no pixels, or truncated or corrupt ones.
        UnsupportedTransferSyntax: no decoder for it.
        ImplausibleImage: a size that no detector has.
    """
    return _stored(header, data)[0]


def decode_frame(header: ImageHeader, *, data: bytes | None = None) -> DecodedFrame:
    """The header's frame in modality units with padding marked. Arguments and errors as `decode_stored`."""
    stored, warnings = _stored(header, data)
    padded = padding_mask(stored, header)
    return DecodedFrame(modality_units(stored, header), None if padded is None else ~padded, warnings)


def padding_mask(stored: npt.NDArray[np.generic], header: ImageHeader) -> npt.NDArray[np.bool_] | None:
    """[rows, columns] True where a stored value is padding, or None when none is (PS3.3 C.7.5.1.1.2)."""
    if header.padding is None or stored.dtype.kind not in "iu" or header.samples_per_pixel != 1:
        return None
    low, high = header.padding
    limits = np.iinfo(stored.dtype.type)  # type: ignore[type-var]
    if high < limits.min or low > limits.max:
        return None
    low, high = max(low, limits.min), min(high, limits.max)
    mask = stored == low if low == high else (stored >= low) & (stored <= high)  # type: ignore[operator]
    return mask if bool(mask.any()) else None


def modality_units(stored: npt.NDArray[np.generic], header: ImageHeader) -> npt.NDArray[np.generic]:
    """Stored values through the modality LUT or rescale (PS3.3 C.11.1), in the smallest of int16, uint16, uint8 that is exact, else float32."""
    if header.modality_lut is not None:
        return header.modality_lut.apply(stored)
    slope, intercept = header.slope, header.intercept
    if header.samples_per_pixel != 1 or (slope == 1 and intercept == 0):
        return _compact(stored)
    if stored.dtype.kind in "iu" and stored.dtype.itemsize <= 2 and slope.is_integer() and intercept.is_integer():
        return _compact(stored.astype(np.int64) * int(slope) + int(intercept))
    return (stored.astype(np.float64) * slope + intercept).astype(np.float32)


def _compact(values: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    if values.dtype in (np.uint8, np.uint16, np.int16, np.float32):
        return values
    if values.dtype.kind == "f":
        return values.astype(np.float32)
    low, high = (int(values.min()), int(values.max())) if values.size else (0, 0)
    for kind in (np.int16, np.uint16):
        if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max:
            return values.astype(kind)
    return values.astype(np.float32)


def _stored(header: ImageHeader, data: bytes | None) -> tuple[npt.NDArray[np.generic], tuple[str, ...]]:
    _refuse_impossible(header)
    if header.is_plain:
        return _own_bits(_plain_pixels(header, data), header), ()
    if data is None:
        data = instance_bytes(header.source, header.transfer_syntax)
    pixels = decode_with_pydicom(header, _pixel_value(header, data))
    if header.photometric == "PALETTE COLOR":
        return _grey(_through_palette(header, pixels)), ("Converted from palette colour to grey.",)
    if pixels.ndim == 3:
        return _grey(pixels), (f"Converted from colour ({header.photometric}) to grey.",)
    return _own_bits(pixels, header), ()


def _refuse_impossible(header: ImageHeader) -> None:
    if not header.has_pixels:
        raise UnreadableImage(
            "the file ends before its pixel data, or has none", where=header.source, cure="Copy or export it again"
        )
    if header.rows * header.columns > MAX_PIXELS:
        raise ImplausibleImage(
            f"claims {header.rows} x {header.columns} pixels", where=header.source, cure="Export it again"
        )
    if header.bits_allocated not in (1, 8, 16, 32, 64):
        raise UnreadableImage(
            f"{header.bits_allocated} bits are allocated to a pixel",
            where=header.source,
            cure="Export it again with 16",
        )
    if header.frame >= header.frames:
        raise UnreadableImage(
            f"has no frame {header.frame + 1}", where=header.source, cure="Open the file again: it has changed"
        )


def _plain_pixels(header: ImageHeader, data: bytes | None) -> npt.NDArray[np.generic]:
    """[rows, columns] as stored, read in place."""
    kind = np.dtype(("<i" if header.signed else "<u") + str(header.bits_allocated // 8))
    count = header.rows * header.columns
    offset = header.pixel_offset + header.frame * count * kind.itemsize
    needed = (header.frame + 1) * count * kind.itemsize
    if data is None and sources.is_member(header.source):
        data = sources.read_bytes(header.source)
    if data is not None:
        available = min(len(data) - header.pixel_offset, header.pixel_length)
        pixels = np.frombuffer(data, kind, count, offset) if available >= needed else np.empty(0, kind)
    else:
        available = header.pixel_length
        try:
            pixels = np.fromfile(header.source, kind, count, offset=offset)
        except OSError as problem:
            raise sources.disk_error(header.source, problem) from problem
    if len(pixels) < count or available < needed:
        raise UnreadableImage("the pixel data is truncated", where=header.source, cure="Copy or export it again")
    return pixels.reshape(header.rows, header.columns)


def _pixel_value(header: ImageHeader, data: bytes) -> bytes | memoryview:
    start = header.pixel_offset
    if header.is_encapsulated:
        return data[start:]
    expected = math.ceil(
        header.rows * header.columns * header.samples_per_pixel * header.bits_allocated / 8 * header.frames
    )
    if header.photometric == "YBR_FULL_422":
        expected = math.ceil(expected * 2 / 3)
    value = memoryview(data)[start : start + header.pixel_length]
    if len(value) < expected:
        raise UnreadableImage(
            f"the pixel data is truncated: {len(value):,} of {expected:,} bytes",
            where=header.source,
            cure="Copy or export it again",
        )
    return value


def _own_bits(pixels: npt.NDArray[np.generic], header: ImageHeader) -> npt.NDArray[np.generic]:
    """Only the bits that BitsStored and HighBit give to the pixel: overlays and rubbish live in the others (PS3.5 8.1.1)."""
    stored, allocated = header.bits_stored, pixels.dtype.itemsize * 8
    shift = 0 if header.is_encapsulated else header.high_bit + 1 - stored
    if pixels.dtype.kind not in "iu" or (stored >= allocated and shift == 0) or header.bits_allocated == 1:
        return pixels
    unsigned = pixels.view(f"{pixels.dtype.byteorder.replace('|', '=')}u{pixels.dtype.itemsize}")
    left = allocated - stored - shift
    if left < 0:
        return pixels
    if header.signed:  # up to the sign bit, then back down arithmetically, which extends the sign
        up = (unsigned << np.array(left, unsigned.dtype)).view(f"i{pixels.dtype.itemsize}")
        return up >> np.array(allocated - stored, up.dtype)
    shifted = unsigned >> np.array(shift, unsigned.dtype) if shift else unsigned
    return shifted & np.array((1 << stored) - 1, unsigned.dtype)


def _through_palette(header: ImageHeader, indices: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """[rows, columns, 3] through the palette (PS3.3 C.7.6.3.1.5, C.7.9)."""
    from pydicom.pixels.processing import apply_color_lut

    try:
        return apply_color_lut(indices, read_dataset(header.source))[..., :3]
    except (AttributeError, KeyError, ValueError, IndexError, TypeError) as problem:
        raise UnreadableImage(
            f"its colour palette is unusable ({problem})", where=header.source, cure="Export it as grey"
        ) from problem


def _grey(colour: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """[rows, columns] luma (ITU-R BT.601) in the type of `colour` [rows, columns, 3]."""
    precision = np.float32 if colour.dtype.itemsize <= 2 else np.float64
    luma = colour[..., :3].astype(precision) @ np.array([0.299, 0.587, 0.114], precision)
    return np.rint(luma).astype(colour.dtype)
