"""Decodes one frame of a DICOM instance to stored values, and stored values to modality units. Knows nothing of series, windows or geometry."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from engine.imaging.dicom_header import ImageHeader


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

    Args:
        data: the file's bytes (`dicom_header.instance_bytes`) when the caller has them; read from `header.source` otherwise.

    Raises:
        UnreadableImage: truncated or corrupt pixel data.
        UnsupportedTransferSyntax: no decoder for it.
    """
    raise NotImplementedError


def decode_frame(header: ImageHeader, *, data: bytes | None = None) -> DecodedFrame:
    """The header's frame in modality units with padding marked. Arguments and errors as `decode_stored`."""
    raise NotImplementedError


def padding_mask(stored: npt.NDArray[np.generic], header: ImageHeader) -> npt.NDArray[np.bool_] | None:
    """[rows, columns] True where a stored value is padding, or None when there is none (PS3.3 C.7.5.1.1.2)."""
    raise NotImplementedError
