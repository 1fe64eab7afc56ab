"""Radiographs to a network's square: grey values evened out if asked, film fitted to the square, and the exact way back."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydantic import BaseModel, ConfigDict

from engine.errors import ImplausibleImage
from engine.imaging.radiograph import Radiograph
from engine.preprocess.prepared import Map, Prepared


class PlanarOptions(BaseModel):
    """Switches of the planar preprocessings.

    Attributes:
        fit: "stretch" fills the square and loses the aspect (Nakao 2021, Tang 2019); "pad" keeps it, in physical proportions, with
            the border at the darkest value.
        grey: "presentation" as the file asks to be shown; "percentile" stretches the 1st to 99th percentile to the whole range, which
            evens out exposure; "equalised" makes every grey equally frequent (Davletshina 2020).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    fit: Literal["stretch", "pad"] = "stretch"
    grey: Literal["presentation", "percentile", "equalised"] = "presentation"


def prepare_planar(radiograph: Radiograph, options: PlanarOptions, size: tuple[int, ...]) -> Prepared:
    """A radiograph as [1, H, W] in [-1, 1]. Raises ImplausibleImage when every pixel has the same value."""
    height, width = size
    shown = _even_grey(radiograph.presentation(), radiograph.valid, options.grey)
    rows, columns = shown.shape
    top, left, inner_height, inner_width = _placement(radiograph, options.fit, height, width)
    resized = resize(shown, (inner_height, inner_width))
    square = np.zeros((height, width), np.float32)
    square[top : top + inner_height, left : left + inner_width] = resized

    def project(array: Map, shape: tuple[int, ...]) -> Map:
        inner = array[top : top + inner_height, left : left + inner_width]
        return resize(inner, (shape[0], shape[1]), Image.Resampling.BILINEAR)

    return Prepared((np.clip(square, 0, 1) * 2 - 1)[np.newaxis], (rows, columns), project)


def resize(
    image: npt.NDArray[np.float32], shape: tuple[int, int], resample: Image.Resampling = Image.Resampling.LANCZOS
) -> npt.NDArray[np.float32]:
    """[rows, columns] float32 -> `shape`, antialiased when it shrinks (Nakao 2021 resizes by Lanczos)."""
    if image.shape == shape:
        return image.astype(np.float32, copy=False)
    picture = Image.fromarray(np.ascontiguousarray(image, np.float32))
    return np.asarray(picture.resize((shape[1], shape[0]), resample), np.float32)


def _placement(
    radiograph: Radiograph, fit: Literal["stretch", "pad"], height: int, width: int
) -> tuple[int, int, int, int]:
    """(top, left, rows, columns) of the film inside the square; pads in millimetres where the pixels are not square."""
    if fit == "stretch":
        return 0, 0, height, width
    rows, columns = radiograph.pixels.shape
    row_mm, column_mm = radiograph.spacing or (1.0, 1.0)
    scale = min(height / (rows * row_mm), width / (columns * column_mm))
    inner_height = min(height, max(1, round(rows * row_mm * scale)))
    inner_width = min(width, max(1, round(columns * column_mm * scale)))
    return (height - inner_height) // 2, (width - inner_width) // 2, inner_height, inner_width


def _even_grey(
    shown: npt.NDArray[np.float32],
    valid: npt.NDArray[np.bool_] | None,
    grey: Literal["presentation", "percentile", "equalised"],
) -> npt.NDArray[np.float32]:
    """Grey in [0, 1], evened out as asked; padding stays 0 and takes no part in the statistics."""
    inside = shown if valid is None else shown[valid]
    if inside.size == 0 or float(inside.min()) == float(inside.max()):
        raise ImplausibleImage(
            "every pixel has the same value", cure="Check that the image was exposed and exported whole."
        )
    if grey == "presentation":
        return shown
    if grey == "percentile":
        low, high = np.percentile(inside, (1, 99))
        evened = np.clip((shown - low) / max(float(high - low), 1e-6), 0, 1)
    else:
        counts, edges = np.histogram(inside, bins=1024, range=(0, 1))
        cumulative = np.cumsum(counts) / inside.size
        evened = np.interp(shown, edges[1:], cumulative)
    evened = evened.astype(np.float32)
    return evened if valid is None else np.where(valid, evened, np.float32(0))
