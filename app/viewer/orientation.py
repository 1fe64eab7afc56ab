"""Which side of the patient each edge of the screen shows. Letters as PS3.3 C.7.6.1.1.1 has them: L R, A P, H F."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.state.viewing import Turn

_OPPOSITE = str.maketrans("LRAPHF", "RLPAFH")
_OBLIQUE = 0.35  # a second letter from about 20 degrees off the axis: a tilted head CT still reads A and P


@dataclass(frozen=True)
class Directions:
    """Where columns and rows run to, as letters: `along_row` is the side towards higher columns, `along_column` towards higher rows."""

    along_row: str = ""
    along_column: str = ""


@dataclass(frozen=True)
class Edges:
    """The letters at the four edges of the screen."""

    left: str = ""
    right: str = ""
    top: str = ""
    bottom: str = ""


def letters_of(direction: npt.NDArray[np.float64]) -> str:
    """One or two letters for a unit vector in LPS: its largest component first, a second one when it is oblique."""
    letters = ""
    for axis in np.argsort(-np.abs(direction), kind="stable"):
        part = float(direction[axis])
        if abs(part) > (_OBLIQUE if letters else 1e-6) and len(letters) < 2:
            letters += ("LR", "PA", "HF")[axis][0 if part > 0 else 1]
    return letters


def edges(directions: Directions, turn: Turn) -> Edges:
    """The letters at the screen's edges once the image is turned."""
    xx, xy, yx, yy = turn.matrix
    towards = {
        (xx, yx): directions.along_row,
        (xy, yy): directions.along_column,
        (-xx, -yx): directions.along_row.translate(_OPPOSITE),
        (-xy, -yy): directions.along_column.translate(_OPPOSITE),
    }
    return Edges(left=towards[(-1, 0)], right=towards[(1, 0)], top=towards[(0, -1)], bottom=towards[(0, 1)])
