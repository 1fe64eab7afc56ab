"""One strip a series that shows how it was prepared: the original, each step, what the model sees, and its view put back on the original."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from app.commands.pictures import BACKGROUND, MARGIN, QUIET, TEXT, WARNING, Grey
from engine.preprocess import Prepared, Steps

PANE = 280
"""Pixels of a film's longer side; a volume's slices together have twice as many."""
TILES = 4
"""A volume is shown as a square of this many slices each way, evenly spaced."""
UNSEEN = np.array([0.35, 0.05, 0.05], np.float32)
"""Laid over what the model does not see."""
LINE = 17

Colour = npt.NDArray[np.float32]


def strip(prepared: Prepared, steps: Steps, heading: str) -> Image.Image:
    """An RGB strip of captioned panes, with the warnings at its foot.

    Args:
        prepared, steps: as `prepare` gave them; the first step's picture is the original.
    """
    seen = (prepared.tensor[0] + 1) / 2
    size = " x ".join(str(side) for side in seen.shape)
    panes = [(what, _tiled(picture)) for what, picture in steps]
    panes.append((f"what the model sees, {size}", _tiled(seen)))
    panes.append(("the model's view put back; red: not looked at", _put_back(prepared, seen, steps[0][1])))
    side = PANE if seen.ndim == 2 else 2 * PANE
    pictures = [_picture(pane, side) for _, pane in panes]
    captions = [textwrap.wrap(f"{number}. {what}", side // 8) for number, (what, _) in enumerate(panes, 1)]
    height, lines = max(picture.height for picture in pictures), max(map(len, captions))
    foot = 52 + height + 8 + lines * LINE
    sheet = Image.new(
        "RGB",
        (len(panes) * (side + MARGIN) + MARGIN, foot + MARGIN + LINE * len(prepared.warnings)),
        BACKGROUND,
    )
    draw = ImageDraw.Draw(sheet)
    draw.text((MARGIN, 14), heading, TEXT, font=ImageFont.load_default(18))
    for index, (picture, words) in enumerate(zip(pictures, captions, strict=True)):
        left = MARGIN + index * (side + MARGIN)
        sheet.paste(picture, (left, 52))
        _write(draw, left, 60 + height, words, QUIET)
    _write(draw, MARGIN, foot + 6, prepared.warnings, WARNING)
    return sheet


def _write(draw: ImageDraw.ImageDraw, left: int, top: int, lines: Sequence[str], colour: tuple[int, int, int]) -> None:
    for number, line in enumerate(lines):
        draw.text((left, top + number * LINE), line, colour, font=ImageFont.load_default(13))


def _put_back(prepared: Prepared, seen: Grey, original: Grey) -> Colour:
    """The model's view on the original's field; where it did not look, the original in red."""
    back = prepared.to_field(seen, PANE)
    shape = back.shape[-2:]
    slices = original[None] if original.ndim == 2 else original
    small = np.stack([np.asarray(Image.fromarray(one).resize(shape[::-1], Image.Resampling.BOX)) for one in slices])
    under = (small if original.ndim == 3 else small[0])[..., None] * 0.5 + UNSEEN
    return _tiled(np.where(np.isnan(back)[..., None], under, np.nan_to_num(back)[..., None]))


def _tiled(picture: npt.NDArray[np.float32]) -> Colour:
    """[rows, columns, 3] of a film, or of a volume's slices side by side; grey becomes colour."""
    colour = picture if picture.shape[-1] == 3 and picture.ndim > 2 else np.repeat(picture[..., None], 3, -1)
    if colour.ndim == 3:
        return colour
    chosen = np.rint(np.linspace(0, len(colour) - 1, TILES**2)).astype(int)
    rows = [np.concatenate(list(colour[chosen[first : first + TILES]]), 1) for first in range(0, TILES**2, TILES)]
    return np.concatenate(rows)


def _picture(colour: Colour, side: int) -> Image.Image:
    """At the size of a pane; a small network's pixels stay squares."""
    image = Image.fromarray(np.rint(np.clip(colour, 0, 1) * 255).astype(np.uint8), "RGB")
    scale = side / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.NEAREST if scale > 1 else Image.Resampling.LANCZOS)
