"""One picture a study for people without a window: original, overlay with its scale, and the model's normal version, side by side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from app.state.viewing import Overlay
from app.viewer.colour_maps import COHORT_UNIT, LEVELS, SCALE_TOP, colours, opacities
from engine.imaging.radiograph import Radiograph
from engine.imaging.volume import Volume
from engine.imaging.windowing import Window, apply_window

PANE = 512
MARGIN = 16
BRAIN = Window(40, 80)
BACKGROUND, TEXT, QUIET, WARNING = (16, 18, 21), (222, 226, 230), (150, 156, 163), (240, 180, 90)

Grey = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Panes:
    """Three greys in [0, 1] of one field, and the heatmap in cohort units; sizes may differ, the field may not. `aspect` is height / width in mm."""

    original: Grey
    heatmap: Grey | None
    reconstruction: Grey | None
    aspect: float
    place: str = ""


def panes_of(
    image: Radiograph | Volume,
    heatmap: npt.NDArray[np.floating] | None,
    reconstruction: npt.NDArray[np.floating] | None,
) -> Panes:
    """The whole film, or a volume's slice with the strongest heatmap (the middle one without)."""
    if isinstance(image, Radiograph):
        row_mm, column_mm = image.spacing or (1.0, 1.0)
        rows, columns = image.pixels.shape
        return Panes(image.presentation(), _grey(heatmap), _grey(reconstruction), rows * row_mm / (columns * column_mm))
    slices, rows, columns = image.voxels.shape
    index = slices // 2
    if heatmap is not None:
        units = np.nan_to_num(np.asarray(heatmap, np.float32), nan=0.0)
        index = int(np.argmax(np.quantile(units.reshape(slices, -1), 0.995, axis=1)))
    row_mm, column_mm = image.geometry.pixel_spacing
    return Panes(
        apply_window(image.voxels[index], BRAIN),
        None if heatmap is None else _grey(heatmap[index]),
        None if reconstruction is None else _grey(reconstruction[index]),
        rows * row_mm / (columns * column_mm),
        f"slice {index + 1} of {slices}",
    )


def study_picture(panes: Panes, heading: str, notes: list[str]) -> Image.Image:
    """The panes in a row under a heading, captions below each, notes at the foot; RGB, 512 pixels a pane."""
    width, height = (PANE, round(PANE * panes.aspect)) if panes.aspect <= 1 else (round(PANE / panes.aspect), PANE)
    captions = [f"original {panes.place}".strip(), "anomaly overlay", "model's normal version, not the patient"]
    pictures = [
        _grey_picture(panes.original, width, height),
        _overlay_picture(panes, width, height),
        None if panes.reconstruction is None else _grey_picture(panes.reconstruction, width, height),
    ]
    sheet = Image.new("RGB", (3 * PANE + 4 * MARGIN, height + 132 + 22 * len(notes)), BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    draw.text((MARGIN, 14), heading, TEXT, font=ImageFont.load_default(20))
    for index, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
        left = MARGIN + index * (PANE + MARGIN)
        if picture is None:
            draw.text((left, 60), "this method makes none", QUIET, font=ImageFont.load_default(15))
        else:
            sheet.paste(picture, (left + (PANE - width) // 2, 52))
        draw.text((left, 58 + height), caption, QUIET, font=ImageFont.load_default(15))
    if panes.heatmap is not None:
        _draw_scale(sheet, draw, 2 * MARGIN + PANE, 84 + height)
    for index, note in enumerate(notes):
        draw.text((MARGIN, 124 + height + 22 * index), note, WARNING, font=ImageFont.load_default(15))
    return sheet


def _overlay_picture(panes: Panes, width: int, height: int) -> Image.Image | None:
    if panes.heatmap is None:
        return None
    overlay = Overlay()
    grey = np.asarray(_grey_picture(panes.original, width, height), np.float32)
    units = np.asarray(_resized(np.nan_to_num(panes.heatmap, nan=0.0), width, height), np.float32)
    levels = np.rint(np.clip(units / SCALE_TOP, 0, 1) * (LEVELS - 1)).astype(np.int64)
    alpha = opacities(overlay)[levels][..., None]
    mixed = colours(overlay.colour_map)[levels] * alpha + grey * (1 - alpha)
    return Image.fromarray(np.rint(mixed).astype(np.uint8), "RGB")


def _draw_scale(sheet: Image.Image, draw: ImageDraw.ImageDraw, left: int, top: int) -> None:
    """The colour scale with its ticks: a colour is never shown without what it means."""
    length = 200
    ramp = colours(Overlay().colour_map)[np.linspace(0, LEVELS - 1, length).astype(int)]
    sheet.paste(Image.fromarray(np.tile(np.rint(ramp).astype(np.uint8), (10, 1, 1)), "RGB"), (left, top))
    for tick in range(int(SCALE_TOP) + 1):
        draw.text(
            (left + round(tick / SCALE_TOP * length) - 3, top + 12), str(tick), QUIET, font=ImageFont.load_default(13)
        )
    draw.text((left + length + 14, top - 4), COHORT_UNIT, QUIET, font=ImageFont.load_default(13))


def _grey_picture(grey: Grey, width: int, height: int) -> Image.Image:
    levels = np.rint(np.clip(np.nan_to_num(np.asarray(_resized(grey, width, height))), 0, 1) * 255).astype(np.uint8)
    return Image.fromarray(levels, "L").convert("RGB")


def _resized(values: Grey, width: int, height: int) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(values, np.float32)).resize((width, height), Image.Resampling.BILINEAR)


def _grey(values: npt.NDArray[np.floating] | None) -> Grey | None:
    return None if values is None else np.asarray(values, np.float32)
