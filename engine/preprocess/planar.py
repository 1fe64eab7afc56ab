"""Radiographs to a network's square, step by step in a fixed order, each a switch, and the exact way back.

The order: film cut from its scan, a negative turned over, markers painted over, one limb or its joint framed, background blacked out, lung fields taken
out or kept alone, grey evened out, film fitted to the square. Without switches only the last two are done.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydantic import BaseModel, ConfigDict

from engine.errors import ImplausibleImage
from engine.imaging.radiograph import Radiograph
from engine.preprocess.framing import Framing
from engine.preprocess.prepared import Map, Prepared, Steps
from engine.preprocess.proportions import doubts
from engine.preprocess.reduction import Mask

SMALLEST_SIDE = 8
"""Pixels of a cut-out: fewer rows or columns, and the cut was a mistake."""

JOINT_ROWS = (0.28, 0.82)
"""Of the height of a film that is centred on a knee, where condyles, joint space and the tibia's head lie."""

DARKEST_SHOWN = np.float32(3 / 255)
"""Where a step blacks out, tissue stays so much brighter that losses tell the two apart, also in an image kept as bytes."""


Grey = Literal["presentation", "percentile", "equalised", "local"]
_EVENED: dict[Grey, str] = {
    "percentile": "exposure evened out",
    "equalised": "histogram equalised",
    "local": "contrast evened out locally",
}


class PlanarOptions(BaseModel):
    """Switches of the planar preprocessings, in the order of their steps.

    Attributes:
        carrier: "crop" cuts the film from a larger dark scan and sets it upright (Davletshina 2020; `carrier`).
        negative: "turn" shows a photographic negative with bone white, where a limb runs from the film's top to its bottom (no paper; `negatives`).
        markers: "paint" hides burned-in letters in the local background, to ask whether a model reads them (no paper; `markers`).
        part: "largest", "left" or "right" frames one limb, where a film shows two the larger or the one on that side of the picture
            (Davletshina 2020, by a substitute; `hands`); "joint" frames the middle band of a film that is centred on one knee (no paper).
        foreground: "segment" blacks out what is not the patient (Davletshina 2020, SALAD, by a substitute; `foreground`).
        lungs: "remove" blacks out the lung fields of a chest, "only" all else, to ask what a model looks at (no paper; `lungs`).
        grey: "presentation" as the file asks to be shown; "percentile" stretches the 1st to 99th percentile to the whole range, which
            evens out exposure; "equalised" makes every grey equally frequent (Davletshina 2020); "local" evens out brightness and contrast
            from place to place (no paper of ours; `local_contrast`). Of what is left visible alone.
        fit: "stretch" fills the square and loses the aspect (Nakao 2021, Tang 2019); "pad" keeps it, in physical proportions, with
            the border at the darkest value.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    fit: Literal["stretch", "pad"] = "stretch"
    grey: Grey = "presentation"
    carrier: Literal["keep", "crop"] = "keep"
    negative: Literal["keep", "turn"] = "keep"
    markers: Literal["keep", "paint"] = "keep"
    part: Literal["whole", "largest", "left", "right", "joint"] = "whole"
    foreground: Literal["keep", "segment"] = "keep"
    lungs: Literal["keep", "remove", "only"] = "keep"


@dataclass
class _View:
    """What is left of a film while steps work on it.

    picture: [rows, columns] of the framing, in [0, 1].  valid: what is shown, the rest being black.  own: what of it is the film's own picture.
    """

    picture: Map
    framing: Framing
    valid: Mask | None
    own: Mask | None = None
    blacked_out: bool = False
    warnings: list[str] = field(default_factory=list)

    def frame(self, framing: Framing, picture: Map, rows: slice, columns: slice) -> None:
        """Go on with a part of the picture."""
        self.framing, self.picture = framing, picture
        self.valid = None if self.valid is None else self.valid[rows, columns]
        self.own = None if self.own is None else self.own[rows, columns]

    def black_out(self, shown: Mask) -> None:
        """Go on with what is shown, the rest black."""
        self.blacked_out = True
        self.valid = shown if self.valid is None else self.valid & shown
        self.picture = np.where(self.valid, self.picture, np.float32(0))


def prepare_planar(
    radiograph: Radiograph, options: PlanarOptions, size: tuple[int, ...], steps: Steps | None = None
) -> Prepared:
    """A radiograph as [1, H, W] in [-1, 1]; each step's picture is added to `steps`. Raises ImplausibleImage when every pixel has the same value."""
    height, width = size
    view = _narrowed(radiograph, options, steps)
    shown = _even_grey(view.picture, view.valid, options.grey)
    if options.grey != "presentation":
        _record(steps, _EVENED[options.grey], shown)
    place = _placement(view.framing.shape, radiograph.spacing, options.fit, height, width)
    square, mask = _on_square(shown, view, place, (height, width))
    seen = mask[place] if mask is not None and (view.blacked_out or view.own is not None) else None
    framing, rows_columns = view.framing, (radiograph.pixels.shape[0], radiograph.pixels.shape[1])
    inner_shape = (place[0].stop - place[0].start, place[1].stop - place[1].start)
    warnings = (*view.warnings, *doubts(rows_columns, radiograph.spacing, framing.shape, inner_shape))

    def project(array: Map, shape: tuple[int, ...]) -> Map:
        inner, field_shape = array[place], (shape[0], shape[1])
        bilinear = Image.Resampling.BILINEAR
        back = resize(inner, field_shape, bilinear) if framing.is_whole else framing.spread(inner, field_shape)
        if seen is None:
            return back
        return np.where(framing.spread(seen.astype(np.float32), field_shape) >= 0.5, back, np.float32(np.nan))

    return Prepared((np.clip(square, 0, 1) * 2 - 1)[np.newaxis], rows_columns, project, warnings, mask)


def _narrowed(radiograph: Radiograph, options: PlanarOptions, steps: Steps | None) -> _View:
    """The film after the steps that cut, paint and black out."""
    picture = radiograph.presentation()
    view = _View(picture, Framing.whole((picture.shape[0], picture.shape[1])), radiograph.valid)
    _record(steps, "the image as its file asks to be shown", picture)
    if options.carrier == "crop":
        _crop_carrier(view, radiograph.spacing)
        _record(steps, "no film in a scan" if view.framing.is_whole else "film cut from its scan", view.picture)
    if options.negative == "turn":
        turned = _turn_negative(view)
        _record(steps, "negative turned over" if turned else "no negative", view.picture)
    if options.markers == "paint":
        _paint_markers(view)
        _record(steps, "markers painted over", view.picture)
    if options.part == "joint":
        _frame_joint(view)
        _record(steps, "joint framed", view.picture)
    elif options.part != "whole":
        _frame_limb(view, options.part)
        _record(steps, "one limb framed", view.picture)
    if options.foreground == "segment":
        _segment(view)
        _record(steps, "background blacked out", view.picture)
    if options.lungs != "keep":
        _mask_lungs(view, options.lungs)
        _record(steps, "lung fields taken out" if options.lungs == "remove" else "lung fields alone", view.picture)
    return view


# Steps are imported when they are asked for: a film that takes none of them waits for no image processing library.


def _crop_carrier(view: _View, spacing: tuple[float, float] | None) -> None:
    from engine.preprocess.carrier import find_carrier

    square_pixels = spacing is None or abs(spacing[0] / spacing[1] - 1) < 0.01
    framing = find_carrier(view.picture, square_pixels=square_pixels)
    if framing is None or min(framing.shape) < SMALLEST_SIDE:
        return
    valid = view.valid
    view.framing, view.picture = framing, framing.cut(view.picture)
    if valid is not None:
        view.valid = framing.cut(valid.astype(np.float32)) >= 0.5


def _turn_negative(view: _View) -> bool:
    from engine.preprocess.negatives import is_negative

    if not is_negative(view.picture, view.valid):
        return False
    turned = 1 - view.picture
    view.picture = turned if view.valid is None else np.where(view.valid, turned, np.float32(0))
    view.warnings.append("This film is a photographic negative: the model looks at it with bone white.")
    return True


def _paint_markers(view: _View) -> None:
    from engine.preprocess.markers import painted_markers

    view.picture, painted = painted_markers(view.picture)
    if painted.any():
        view.own = ~painted


def _frame_limb(view: _View, part: Literal["largest", "left", "right"]) -> None:
    from engine.preprocess.foreground import body_mask
    from engine.preprocess.hands import find_limbs

    body = body_mask(view.picture)
    if body is None:
        view.warnings.append("No limb can be told from the background: the model looks at the whole film.")
        return
    limbs = find_limbs(body)
    side = {"left": 0, "right": len(limbs) - 1, "largest": max(range(len(limbs)), key=lambda i: limbs[i].share)}[part]
    if len(limbs) == 2:
        where = ("left", "right")[side]
        view.warnings.append(f"There are two limbs on this film: the model looks at the one on the picture's {where}.")
    rows, columns = limbs[side].rows, limbs[side].columns
    if min(rows.stop - rows.start, columns.stop - columns.start) >= SMALLEST_SIDE:
        view.frame(view.framing.within(rows, columns), view.picture[rows, columns], rows, columns)


def _frame_joint(view: _View) -> None:
    height, width = view.picture.shape
    rows, columns = slice(*(round(share * height) for share in JOINT_ROWS)), slice(0, width)
    if min(rows.stop - rows.start, width) >= SMALLEST_SIDE:
        view.frame(view.framing.within(rows, columns), view.picture[rows, columns], rows, columns)


def _segment(view: _View) -> None:
    from engine.preprocess.foreground import body_mask

    body = body_mask(view.picture)
    if body is None:
        view.warnings.append("The patient cannot be told from the background: nothing is blacked out.")
    else:
        view.black_out(body)


def _mask_lungs(view: _View, lungs: Literal["remove", "only"]) -> None:
    from engine.preprocess.lungs import lung_fields

    fields, found = lung_fields(view.picture)
    if not found:
        view.warnings.append("The lung fields cannot be told apart: they are taken to lie where lungs usually do.")
    view.black_out(fields if lungs == "only" else ~fields)


def _record(steps: Steps | None, what: str, picture: Map) -> None:
    if steps is not None:
        steps.append((what, picture.copy()))


def _on_square(
    shown: Map, view: _View, place: tuple[slice, slice], size: tuple[int, int]
) -> tuple[Map, npt.NDArray[np.bool_] | None]:
    """The picture at its place on the square in [0, 1], and where the square shows the film's own picture; None where it does everywhere."""
    inner = (place[0].stop - place[0].start, place[1].stop - place[1].start)
    resized = resize(shown, inner)
    own = np.ones(inner, bool)
    for part in (view.valid, view.own):
        if part is not None:
            own &= resize(part.astype(np.float32), inner) >= 0.5
    if view.blacked_out and view.valid is not None:
        kept = resize(view.valid.astype(np.float32), inner) >= 0.5
        resized = np.where(kept, np.maximum(resized, DARKEST_SHOWN), np.float32(0))
    square, mask = np.zeros(size, np.float32), np.zeros(size, bool)
    square[place], mask[place] = resized, own
    return square, None if mask.all() else mask


def resize(
    image: npt.NDArray[np.float32], shape: tuple[int, int], resample: Image.Resampling = Image.Resampling.LANCZOS
) -> npt.NDArray[np.float32]:
    """[rows, columns] float32 -> `shape`, antialiased when it shrinks (Nakao 2021 resizes by Lanczos)."""
    if image.shape == shape:
        return image.astype(np.float32, copy=False)
    picture = Image.fromarray(np.ascontiguousarray(image, np.float32))
    return np.asarray(picture.resize((shape[1], shape[0]), resample), np.float32)


def _placement(
    shape: tuple[int, int],
    spacing: tuple[float, float] | None,
    fit: Literal["stretch", "pad"],
    height: int,
    width: int,
) -> tuple[slice, slice]:
    """Rows and columns of the film inside the square; pads in millimetres where the pixels are not square."""
    if fit == "stretch":
        return slice(0, height), slice(0, width)
    rows, columns = shape
    row_mm, column_mm = spacing or (1.0, 1.0)
    scale = min(height / (rows * row_mm), width / (columns * column_mm))
    inner_height = min(height, max(1, round(rows * row_mm * scale)))
    inner_width = min(width, max(1, round(columns * column_mm * scale)))
    top, left = (height - inner_height) // 2, (width - inner_width) // 2
    return slice(top, top + inner_height), slice(left, left + inner_width)


def _even_grey(
    shown: npt.NDArray[np.float32],
    valid: npt.NDArray[np.bool_] | None,
    grey: Grey,
) -> npt.NDArray[np.float32]:
    """Grey in [0, 1], evened out as asked; padding stays 0 and takes no part in the statistics."""
    inside = shown if valid is None else shown[valid]
    if inside.size == 0 or float(inside.min()) == float(inside.max()):
        raise ImplausibleImage(
            "every pixel has the same value", cure="Check that the image was exposed and exported whole."
        )
    if grey == "presentation":
        return shown
    if grey == "local":
        from engine.preprocess.local_contrast import locally_normalised

        return locally_normalised(shown, valid)
    if grey == "percentile":
        low, high = np.percentile(inside, (1, 99))
        evened = np.clip((shown - low) / max(float(high - low), 1e-6), 0, 1)
    else:
        counts, edges = np.histogram(inside, bins=1024, range=(0, 1))
        cumulative = np.cumsum(counts) / inside.size
        evened = np.interp(shown, edges[1:], cumulative)
    evened = evened.astype(np.float32)
    return evened if valid is None else np.where(valid, evened, np.float32(0))
