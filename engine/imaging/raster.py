"""PNG and JPEG pictures of radiographs: grey as it is, nearly grey converted, colour photographs refused. Reads nothing else, resizes nothing."""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from engine.errors import ImplausibleImage, UnreadableImage
from engine.imaging import sources
from engine.imaging.radiograph import Radiograph
from engine.imaging.windowing import window_from_values

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

PNG_START, JPEG_START = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
MAX_PIXELS = 1 << 28
_SIZE_IS_WITHIN = 1 << 16

_DAMAGED = (
    *(OSError, SyntaxError, ValueError, struct.error, EOFError),
    *(IndexError, KeyError, TypeError, OverflowError),
)
"""What Pillow raises of a damaged file, depending on where the damage is."""

_COLOURED = 40
"""Distance between a pixel's brightest and darkest channel, of 255, beyond which it is coloured; JPEG's chroma noise on grey stays below."""
_COLOURED_SHARE = 0.03
"""A radiograph may carry a coloured marker or caliper; a photograph has colour all over."""
_MEAN_CHROMA = 12.0
"""A tinted scan of a film lies above this, and so do dull photographs."""


def looks_like_raster(start: bytes) -> bool:
    """True when the first bytes are a PNG's or a JPEG's."""
    return start.startswith((PNG_START, JPEG_START))


def raster_size(source: str) -> tuple[int, int]:
    """(rows, columns) as displayed (EXIF orientation honoured), without decoding. Raises UnreadableImage, ImplausibleImage as `read_raster`."""
    start = sources.read_start(source, _SIZE_IS_WITHIN)
    try:
        return _size(source, start)
    except UnreadableImage:
        if len(start) < _SIZE_IS_WITHIN:
            raise
        return _size(source, sources.read_bytes(source))


def read_raster(source: str) -> Radiograph:
    """[rows, columns] uint8 or uint16, upright as EXIF says, without spacing (a print resolution is not a distance in the patient).

    Raises:
        UnreadableImage: empty, truncated or corrupt.
        ImplausibleImage: a colour photograph, or more pixels than any detector has.
    """
    data = sources.read_bytes(source)
    if not data:
        raise UnreadableImage("the file is empty", where=source, cure="Copy or export it again")
    try:
        with _opened(source, data) as image:
            pixels, warnings = _grey(image, source)
    except _DAMAGED as problem:
        raise UnreadableImage(
            f"the picture is truncated or corrupt ({problem})", where=source, cure="Copy or export it again"
        ) from problem
    return Radiograph(
        pixels=pixels,
        spacing=None,
        window=window_from_values(pixels),
        warnings=(*warnings, "The file gives no pixel spacing: distances cannot be measured."),
    )


def _size(source: str, data: bytes) -> tuple[int, int]:
    with _opened(source, data) as image:
        columns, rows = image.size
        # asking a PNG for its EXIF decodes it, and PNGs are not written sideways
        turned = image.format != "PNG" and image.getexif().get(0x0112, 1) in (5, 6, 7, 8)
    return (columns, rows) if turned else (rows, columns)


def _opened(source: str, data: bytes) -> Picture:
    """The picture, not yet decoded. Only PNG and JPEG: Pillow's other readers are neither needed nor as well tested against hostile files."""
    from PIL import Image

    try:
        image = Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "MPO"))
    except Image.DecompressionBombError as problem:
        raise ImplausibleImage(
            "claims more pixels than any detector has", where=source, cure="Export it again"
        ) from problem
    except _DAMAGED as problem:
        raise UnreadableImage(
            "the picture is truncated or corrupt", where=source, cure="Copy or export it again"
        ) from problem
    if image.width * image.height > MAX_PIXELS:
        raise ImplausibleImage(f"claims {image.height} x {image.width} pixels", where=source, cure="Export it again")
    return image


def _grey(image: Picture, source: str) -> tuple[npt.NDArray[np.generic], tuple[str, ...]]:
    """[rows, columns] uint8 or uint16, and what was done to it."""
    from PIL import ImageOps

    turned = image.getexif().get(0x0112, 1) not in (0, 1)
    upright = ImageOps.exif_transpose(image)
    notes = ("Turned upright as the file's EXIF orientation says.",) if turned else ()
    if upright.mode in ("I;16", "I;16L", "I;16B", "I"):
        return np.asarray(upright).astype(np.uint16), notes
    if upright.mode in ("L", "1"):
        return np.asarray(upright.convert("L")), notes
    if upright.mode in ("LA", "La"):
        return np.asarray(_on_black(upright).convert("L")), (*notes, "Transparency was laid on black.")
    transparent = upright.mode in ("RGBA", "PA", "RGBa") or "transparency" in upright.info
    colour = np.asarray(_on_black(upright) if transparent else upright.convert("RGB"))
    if transparent and int(np.asarray(upright.convert("RGBA"))[..., 3].min()) < 255:
        notes = (*notes, "Transparency was laid on black.")
    return _luma(colour, source, notes)


def _on_black(image: Picture) -> Picture:
    from PIL import Image

    layered = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layered.size, (0, 0, 0, 255)), layered).convert("RGB")


def _luma(
    colour: npt.NDArray[np.uint8], source: str, notes: tuple[str, ...]
) -> tuple[npt.NDArray[np.generic], tuple[str, ...]]:
    """Grey of [rows, columns, 3] by ITU-R BT.601 when it is nearly grey already."""
    chroma = colour.max(axis=2).astype(np.int16) - colour.min(axis=2)
    if not chroma.any():
        return np.ascontiguousarray(colour[..., 0]), notes
    coloured = float((chroma > _COLOURED).mean())
    if coloured > _COLOURED_SHARE or float(chroma.mean()) > _MEAN_CHROMA:
        raise ImplausibleImage(
            f"a colour picture, not a radiograph ({coloured:.0%} of it is coloured)",
            where=source,
            cure="Open the original image; if this is a tinted film, save it as greyscale first",
        )
    luma = np.rint(colour.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32))
    return luma.astype(np.uint8), (*notes, "Converted from colour to grey.")
