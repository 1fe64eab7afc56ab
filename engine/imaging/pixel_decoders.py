"""Which decoder reads which transfer syntax, and how it is called. Returns what the decoder returns; judges no values.

Decoders: pylibjpeg-openjpeg (JPEG 2000), pylibjpeg-rle (RLE), pyjpegls (JPEG-LS), python-gdcm (JPEG); pydicom unpacks what is not compressed.
The plugin is always named, so that installing another package cannot change a picture.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from engine.errors import UnreadableImage, UnsupportedTransferSyntax
from engine.imaging.dicom_elements import PIXEL_DATA
from engine.imaging.encapsulation import claimed_size, ends_inside_a_fragment, has_broken_boxes, lacks_its_end
from engine.imaging.image_header import EXPLICIT_BIG_ENDIAN, ImageHeader
from engine.imaging.jpeg_stream import contradiction

if TYPE_CHECKING:
    from pydicom.pixels.decoders.base import Decoder

_JPEG = ("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70")
_JPEG_EXTENDED = "1.2.840.10008.1.2.4.51"
_JPEG_LS = ("1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81")
_JPEG_2000 = ("1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91")
_HIGH_THROUGHPUT_JPEG_2000 = ("1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.203")
_RLE = "1.2.840.10008.1.2.5"
_TWELVE_BIT = "gdcm-twelve-bit"
_KEYWORDS = {PIXEL_DATA: "PixelData", 0x7FE00008: "FloatPixelData", 0x7FE00009: "DoubleFloatPixelData"}


def decode_with_pydicom(header: ImageHeader, encoded: bytes | memoryview) -> npt.NDArray[np.generic]:
    """The header's frame: [rows, columns] or, in RGB, [rows, columns, 3]; high bits as the decoder leaves them.

    Args:
        encoded: the whole pixel data value, encapsulated or not.

    Raises:
        UnreadableImage: truncated or corrupt.
        UnsupportedTransferSyntax: no decoder.
    """
    decoder = _decoder(header.transfer_syntax)
    if decoder is None:
        raise UnsupportedTransferSyntax(
            f"compressed as {_syntax_name(header.transfer_syntax)}, which no installed decoder reads",
            where=header.source,
            cure="Export it uncompressed, or as JPEG-LS or JPEG 2000 lossless",
        )
    if header.is_encapsulated and (wrong := _unfit(header, bytes(encoded))):
        raise UnreadableImage(
            f"the pixel data is truncated or corrupt ({wrong})", where=header.source, cure="Copy or export it again"
        )
    try:
        pixels, _ = decoder.as_array(
            encoded, index=header.frame, decoding_plugin=_plugin(header), **_options(header, encoded)
        )
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as problem:  # corrupt streams: anything from struct.error to the Rust panics of pylibjpeg-rle
        raise UnreadableImage(
            f"the pixel data is truncated or corrupt ({_first_line(problem)})",
            where=header.source,
            cure="Copy or export it again",
        ) from problem
    return pixels


def _unfit(header: ImageHeader, encoded: bytes) -> str:
    """Why the stream must not reach a decoder, which would hang, show half a picture or end the process; "" when it may."""
    if ends_inside_a_fragment(encoded):
        return "the file was cut"
    if header.transfer_syntax == _RLE:
        return ""
    is_jpeg = header.transfer_syntax in _JPEG or header.transfer_syntax == _JPEG_EXTENDED
    from pydicom.encaps import get_frame

    try:
        stream = get_frame(encoded, header.frame, number_of_frames=header.frames)
    except Exception as problem:  # a corrupt encapsulation: pydicom raises whatever its parsing meets
        return _first_line(problem)
    if (is_jpeg or header.transfer_syntax in _JPEG_LS) and lacks_its_end(stream):
        return "the compressed picture has no end"
    if has_broken_boxes(stream):
        return "its JPEG 2000 boxes are broken"
    if not is_jpeg:
        size = claimed_size(stream) or (header.rows, header.columns)
        wrong = size != (header.rows, header.columns)
        return f"it is {size[0]} x {size[1]} pixels, the header says {header.rows} x {header.columns}" if wrong else ""
    return contradiction(
        stream,
        rows=header.rows,
        columns=header.columns,
        samples=header.samples_per_pixel,
        bits_allocated=header.bits_allocated,
    )


def _options(header: ImageHeader, encoded: bytes | memoryview) -> dict[str, Any]:
    options: dict[str, Any] = {
        "rows": header.rows,
        "columns": header.columns,
        "samples_per_pixel": header.samples_per_pixel,
        "photometric_interpretation": header.photometric,
        "planar_configuration": header.planar_configuration,
        "pixel_representation": int(header.signed),
        "bits_allocated": header.bits_allocated,
        "bits_stored": header.bits_stored,
        "number_of_frames": header.frames,
        "pixel_keyword": _KEYWORDS[header.pixel_tag],
        "allow_excess_frames": False,
    }
    if header.transfer_syntax == EXPLICIT_BIG_ENDIAN and header.bits_allocated == 8:
        options["pixel_vr"] = header.pixel_vr
    return options


def _plugin(header: ImageHeader) -> str:
    syntax = header.transfer_syntax
    if syntax in _JPEG_LS:
        return "pyjpegls"
    if syntax in _JPEG_2000 or syntax in _HIGH_THROUGHPUT_JPEG_2000 or syntax == _RLE:
        return "pylibjpeg"
    if syntax == _JPEG_EXTENDED and header.bits_stored > 8:
        return _TWELVE_BIT
    return "gdcm" if syntax in _JPEG or syntax == _JPEG_EXTENDED else ""


@cache
def _decoder(transfer_syntax: str) -> Decoder | None:
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.uid import UID

    try:
        decoder = get_decoder(UID(transfer_syntax))
    except NotImplementedError:
        return None
    if transfer_syntax == _JPEG_EXTENDED:
        decoder.add_plugin(_TWELVE_BIT, ("engine.imaging.jpeg_twelve_bit", "decode_frame"))
        _quiet_gdcm()
    elif transfer_syntax in _JPEG:
        _quiet_gdcm()
    return decoder if decoder.is_available else None


def _quiet_gdcm() -> None:
    """GDCM tells the terminal of each library it tries; what matters reaches us as an exception."""
    import gdcm

    gdcm.Trace.WarningOff()
    gdcm.Trace.ErrorOff()


def _syntax_name(transfer_syntax: str) -> str:
    from pydicom.uid import UID

    name = UID(transfer_syntax).name
    return name if name == transfer_syntax else f"{name} ({transfer_syntax})"


def _first_line(problem: BaseException) -> str:
    lines = [line.strip() for line in str(problem).splitlines() if line.strip()]
    return (lines[-1] if lines else type(problem).__name__)[:160].rstrip(".")
