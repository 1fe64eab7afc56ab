"""The words on the image: who and what in the corners, headings of panes, the value under the cursor. Strings only; draws nothing."""

from __future__ import annotations

from dataclasses import dataclass

from app.state.viewing import Layout
from app.viewer.colour_maps import LEVELS, SCALE_TOP
from app.viewer.picture import Picture
from app.viewer.result_layers import Layer
from app.viewer.scene import Role, Scene
from app.viewer.window_presets import preset_named
from engine.imaging.series import Series

MINUS = "\N{MINUS SIGN}"
TIMES = "\N{MULTIPLICATION SIGN}"

SYNTHETIC = "SYNTHETIC PHANTOM - not a patient"
SYNTHETIC_SHORT = "SYNTHETIC"
HEATMAP_ON = "HEATMAP ON - a model's opinion over the image"
HEATMAP_ON_SHORT = "HEATMAP ON"

HEADINGS = {
    Role.ORIGINAL: "Original",
    Role.OVERLAY: "Original with the heatmap",
    Role.RECONSTRUCTION: "Model's normal version - not the patient",
    Role.ERROR: "Error, |original - normal version|",
}
SHORT_HEADINGS = {Role.OVERLAY: "With the heatmap", Role.RECONSTRUCTION: "Not the patient", Role.ERROR: "Error"}
"""In a pane too narrow for the whole: cut off behind, the words that matter most would be the ones to go."""


@dataclass(frozen=True)
class Corners:
    """Lines of text for each corner, top to bottom."""

    top_left: tuple[str, ...] = ()
    top_right: tuple[str, ...] = ()
    bottom_left: tuple[str, ...] = ()
    bottom_right: tuple[str, ...] = ()


def number(value: float, decimals: int = 0) -> str:
    """A number with a true minus sign."""
    text = f"{value:.{decimals}f}"
    return text.replace("-", MINUS) if float(text) != 0 else text.lstrip("-")


def person_name(name: str) -> str:
    """PS3.5 6.2 PN, family^given^middle^prefix^suffix, as "Family, Given Middle"; the first component group only."""
    family, *rest = name.split("=")[0].split("^")
    given = " ".join(part for part in rest if part)
    return f"{family}, {given}" if family and given else family or given


def corners(scene: Scene, role: Role, zoom: float, fitted: bool) -> Corners:
    """What the corners of a pane say; the panes beside the original repeat only where they are."""
    picture = scene.picture
    if picture is None:
        return Corners()
    place = _where(scene, picture)
    if role is not Role.ORIGINAL:
        return Corners(bottom_left=place)
    readout = _readout(scene, picture)
    window = _window(scene, picture)
    zoomed = f"Zoom {zoom:.2f}{TIMES}{' fit' if fitted else ''}"
    return Corners(
        top_left=_who(picture.series),
        top_right=_what(picture.series),
        bottom_left=(readout, *place, window),
        bottom_right=(zoomed,),
    )


def heading(scene: Scene, role: Role) -> str:
    """The heading of a pane of the compare layout."""
    return "Original, heatmap on" if scene.heatmap_is_drawn(role) and role is Role.ORIGINAL else HEADINGS[role]


def _who(series: Series) -> tuple[str, ...]:
    person = ", ".join(part for part in (_age(series.age), {"M": "male", "F": "female"}.get(series.sex, "")) if part)
    names = [person_name(series.patient_name), series.patient_id]
    if not any(names):
        names = [series.path.rsplit("/", 1)[-1]]
    about = " ".join(dict.fromkeys(part for part in (series.study_description, series.description) if part))
    return tuple(dict.fromkeys(line for line in (*names, person, series.study_date, about) if line))


def _age(age: str) -> str:
    """(0010,1010) AS: nnnD, nnnW, nnnM or nnnY."""
    unit = {"Y": "years", "M": "months", "W": "weeks", "D": "days"}.get(age[-1:].upper(), "")
    return f"{int(age[:-1])} {unit}" if unit and age[:-1].isdigit() else age


def _what(series: Series) -> tuple[str, ...]:
    kind = " ".join(part for part in (series.modality, series.body_part.capitalize(), series.view) if part)
    side = {"L": "Side: left", "R": "Side: right"}.get(series.laterality, "")
    return tuple(line for line in (kind, side) if line)


def _where(scene: Scene, picture: Picture) -> tuple[str, ...]:
    if picture.slice_count < 2:
        return ()
    index = scene.view.slice_index
    position = f"   {number(float(picture.positions[index]), 1)} mm" if picture.positions is not None else ""
    return (f"Slice {index + 1} / {picture.slice_count}{position}",)


def _window(scene: Scene, picture: Picture) -> str:
    window = scene.view.window
    inverted = "   inverted" if scene.view.inverted else ""
    if window.lut is not None:
        return f"Window {window.name or 'by the table in the file'}{inverted}"
    decimals = 0 if picture.span > 20 else 3
    name = window.name.capitalize() or (preset_named(window) if picture.unit == "HU" else "")
    named = f"   {name}" if name else ""
    return f"W {number(window.width, decimals)}   L {number(window.center, decimals)}{named}{inverted}"


def _readout(scene: Scene, picture: Picture) -> str:
    """Column, row and value under the cursor, and the heatmap's value when it is drawn."""
    if scene.cursor is None:
        return ""
    column, row = scene.cursor
    value = picture.value_at(scene.view.slice_index, column, row)
    if value is None:
        return ""
    text = number(value, 0 if picture.span > 20 else 3)
    readout = f"{int(column)}, {int(row)}   {text}{' ' + picture.unit if picture.unit else ''}"
    if scene.heatmap is not None and (scene.heatmap_is_drawn() or scene.view.layout is Layout.COMPARE):
        readout += f"   heatmap {units_at(scene.heatmap, scene.view.slice_index, column, row)}"
    return readout


def units_at(layer: Layer, slice_index: int, column: float, row: float) -> str:
    """The heatmap under a point in cohort units, as exactly as the levels hold it."""
    level = int(layer.scales[0][slice_index, int(row), int(column)])
    if level == 0:
        return "0 or less"
    return f"{SCALE_TOP:.0f}+" if level == LEVELS - 1 else f"{level * SCALE_TOP / (LEVELS - 1):.1f}"


def scale_bar(millimetres_per_pixel: float, longest: float) -> tuple[float, str]:
    """(length in screen pixels, label) of the longest round length that is no longer than `longest` pixels."""
    for length in (200, 100, 50, 20, 10, 5, 2, 1, 0.5):
        if length / millimetres_per_pixel <= longest:
            return length / millimetres_per_pixel, f"{length // 10} cm" if length >= 10 else f"{length:g} mm"
    return 0.0, ""
