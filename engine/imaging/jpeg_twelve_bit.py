"""A pydicom decoding plugin: 12-bit JPEG Extended (PS3.5 A.4.1, process 4) by GDCM, which pydicom's own GDCM plugin declines. Decodes nothing else.

GDCM picks its 12-bit JPEG library by the bits stored that it is told; the picture then agrees with ITK's for the same file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydicom import uid

if TYPE_CHECKING:
    from pydicom.pixels.decoders.base import DecodeRunner

DECODER_DEPENDENCIES = {uid.JPEGExtended12Bit: ("gdcm>=3.0.10",)}


def is_available(_syntax: str) -> bool:
    """pydicom asks before it registers a plugin."""
    import importlib.util

    return importlib.util.find_spec("gdcm") is not None


def decode_frame(encoded: bytes, runner: DecodeRunner) -> bytes:
    """One decoded frame, little-endian, in BitsAllocated's containers."""
    import gdcm

    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(encoded)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((runner.columns, runner.rows, 1))
    image.SetDataElement(element)
    interpretation = gdcm.PhotometricInterpretation.GetPIType(str(runner.photometric_interpretation))
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(interpretation))
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(str.__str__(runner.transfer_syntax))))
    image.SetPixelFormat(
        gdcm.PixelFormat(
            runner.samples_per_pixel,
            runner.bits_allocated,
            runner.bits_stored,
            runner.bits_stored - 1,
            runner.pixel_representation,
        )
    )
    buffer: str = image.GetBuffer()  # a char* that SWIG makes a str with surrogates
    return buffer.encode("utf-8", "surrogateescape")
