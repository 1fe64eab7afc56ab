"""What is written over a radiograph: collimator edges, the lead side marker, and the word that says no patient was imaged.

Draws with PIL's built-in font, so that no font file is needed. Never changes pixels outside what it draws.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import maximum_filter

SYNTHETIC_TEXT = "SYNTHETIC"


@lru_cache(maxsize=64)
def text_mask(text: str, height: int, angle: float = 0.0) -> npt.NDArray[np.float32]:
    """[rows, columns] float32 in [0, 1]: the text in PIL's built-in font, capitals about `height` pixels high, turned by `angle` degrees."""
    font = ImageFont.load_default(size=max(6, round(height * 1.35)))
    left, top, right, bottom = font.getbbox(text)
    canvas = Image.new("L", (int(right - left) + 4, int(bottom - top) + 4), 0)
    ImageDraw.Draw(canvas).text((2 - left, 2 - top), text, fill=255, font=font)
    if angle:
        canvas = canvas.rotate(angle, resample=Image.Resampling.BICUBIC, expand=True)
    return np.asarray(canvas, np.float32) / np.float32(255)


def stamped(
    image: npt.NDArray[np.float32],
    mask: npt.NDArray[np.float32],
    row: int,
    column: int,
    level: float,
) -> npt.NDArray[np.float32]:
    """A copy of `image` with `level` written where `mask` is, the mask's top left at (row, column), pushed inside where it would stick out."""
    rows, columns = image.shape
    mask = mask[:rows, :columns]
    row = int(np.clip(row, 0, rows - mask.shape[0]))
    column = int(np.clip(column, 0, columns - mask.shape[1]))
    out = image.copy()
    place = out[row : row + mask.shape[0], column : column + mask.shape[1]]
    place += (np.float32(level) - place) * mask
    return out


def marked_synthetic(image: npt.NDArray[np.float32], level: float = 0.85) -> npt.NDArray[np.float32]:
    """A copy with "SYNTHETIC" burned in at the bottom right, bright on a dark rim, readable on black and on bone from 96 pixels."""
    rows, columns = image.shape
    mask = text_mask(SYNTHETIC_TEXT, max(6, round(rows / 42)))
    margin = max(2, rows // 64)
    rim = max(2, rows // 256)
    mask = np.pad(mask, rim)
    dark = maximum_filter(mask, 2 * rim + 1)
    row, column = rows - mask.shape[0] - margin, columns - mask.shape[1] - margin
    return stamped(stamped(image, dark, row, column, 0.05), mask, row, column, level)


def side_marked(
    image: npt.NDArray[np.float32],
    side: str,
    row: float,
    column: float,
    height: float = 0.035,
    angle: float = 0.0,
    level: float = 0.97,
) -> npt.NDArray[np.float32]:
    """A copy with a lead letter ("L" or "R") centred at (row, column) and `height` high, all as shares of the image's rows and columns."""
    rows, columns = image.shape
    mask = text_mask(side, max(7, round(rows * height)), angle)
    return stamped(
        image, mask, round(row * rows - mask.shape[0] / 2), round(column * columns - mask.shape[1] / 2), level
    )


def collimated(
    image: npt.NDArray[np.float32],
    margins: tuple[float, float, float, float],
    angle_degrees: float = 0.0,
    level: float = 0.0,
    softness: float = 1.2,
) -> npt.NDArray[np.float32]:
    """A copy shuttered to a (slightly turned) rectangle, `level` outside.

    `margins`: (top, bottom, left, right) as shares of the image; negative leaves that side open. `softness`: edge width in pixels.
    """
    rows, columns = image.shape
    top, bottom, left, right = margins
    angle = np.deg2rad(angle_degrees)
    v, u = np.mgrid[0:rows, 0:columns].astype(np.float32)
    v, u = v - rows / 2, u - columns / 2
    turned_u = u * np.cos(angle) + v * np.sin(angle)
    turned_v = -u * np.sin(angle) + v * np.cos(angle)
    inside = np.minimum.reduce(
        [
            turned_v + rows * (0.5 - top),
            rows * (0.5 - bottom) - turned_v,
            turned_u + columns * (0.5 - left),
            columns * (0.5 - right) - turned_u,
        ]
    )
    share = np.clip(inside / softness + 0.5, 0, 1).astype(np.float32)
    return np.asarray(image * share + np.float32(level) * (1 - share), np.float32)


def slices_marked_synthetic(voxels: npt.NDArray[np.int16], hu: int = 400) -> npt.NDArray[np.int16]:
    """A copy of a volume [slices, rows, columns] with "SYNTHETIC" burned into the bottom right corner of each slice, at `hu` Hounsfield units."""
    _, rows, columns = voxels.shape
    mask = text_mask(SYNTHETIC_TEXT, max(6, round(rows / 32)))[:rows, :columns]
    margin = max(1, rows // 64)
    top, left = max(0, rows - mask.shape[0] - margin), max(0, columns - mask.shape[1] - margin)
    out = voxels.copy()
    place = out[:, top : top + mask.shape[0], left : left + mask.shape[1]]
    place[:] = np.where(mask > 0.5, np.int16(hu), place)
    return out
