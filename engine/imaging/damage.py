"""Whether a series that nobody has looked at can be read at all: discovery decodes no pixel, and so takes a file that is cut short for a sound one."""

from __future__ import annotations

from engine.errors import NormascopeError
from engine.imaging.series import Series


def damage_of(series: Series) -> NormascopeError | None:
    """Decode every pixel; the error that names the file and the cure, or None for a sound one."""
    try:
        if series.kind == "radiograph":
            series.load_radiograph()
        else:
            series.load_volume(workers=1)
    except NormascopeError as problem:
        problem.where = problem.where or series.path
        return problem
    return None
