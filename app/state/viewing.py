"""What the viewer shows and how, as values: slice, window, turn, zoom, overlay, layout. Knows no Qt, holds no pixels.

`View` is frozen: a change makes a new one, so a request for a slice can capture it whole and a test can compare two.
Coordinates are image pixels as acquired, (column, row); pixel (0, 0) covers 0..1 in both.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

from engine.imaging.windowing import Window

SMALLEST_WIDTH = 1.0
SMALLEST_ZOOM, LARGEST_ZOOM = 0.02, 64.0


class Layout(StrEnum):
    """Which panes are on screen."""

    ORIGINAL = "original"
    COMPARE = "compare"


class Tool(StrEnum):
    """What a drag with the left button does."""

    WINDOW = "window"
    PAN = "pan"
    ZOOM = "zoom"


@dataclass(frozen=True)
class Turn:
    """How the image is turned on screen: mirrored left to right first, then turned clockwise by quarters.

    The eight values are all that rotating and flipping can reach; each step acts on what is *seen*.
    """

    quarters: int = 0
    mirrored: bool = False

    def rotated(self) -> Turn:
        """A quarter clockwise as seen."""
        return Turn((self.quarters + 1) % 4, self.mirrored)

    def flipped_horizontally(self) -> Turn:
        """Left and right of the screen exchanged."""
        return Turn(-self.quarters % 4, not self.mirrored)

    def flipped_vertically(self) -> Turn:
        """Top and bottom of the screen exchanged."""
        return Turn((2 - self.quarters) % 4, not self.mirrored)

    @property
    def matrix(self) -> tuple[int, int, int, int]:
        """(xx, xy, yx, yy): screen x = xx * column + xy * row, screen y = yx * column + yy * row (y grows downwards)."""
        cosine, sine = ((1, 0), (0, 1), (-1, 0), (0, -1))[self.quarters]
        mirror = -1 if self.mirrored else 1
        return cosine * mirror, -sine, sine * mirror, cosine


@dataclass(frozen=True)
class Overlay:
    """How the heatmap is drawn. `threshold` is in cohort units; below it nothing is drawn. Off at first: the original is what is on screen
    until the reader switches a layer on."""

    on: bool = False
    opacity: float = 0.6
    threshold: float = 1.0
    colour_map: str = "inferno"


@dataclass(frozen=True)
class View:
    """All of what is shown of one series.

    Attributes:
        series_key: which series this is a view of; "" when none is open.
        zoom: screen pixels per image pixel along the shorter pixel side; None fits the image into the pane.
        centre: (column, row) at the pane's centre; None is the image's centre.
    """

    series_key: str = ""
    slice_index: int = 0
    slice_count: int = 0
    window: Window = field(default_factory=lambda: Window(0.5, 1.0, "LINEAR_EXACT"))
    inverted: bool = False
    turn: Turn = field(default_factory=Turn)
    zoom: float | None = None
    centre: tuple[float, float] | None = None
    overlay: Overlay = field(default_factory=Overlay)
    layout: Layout = Layout.ORIGINAL
    tool: Tool = Tool.WINDOW

    def at_slice(self, index: int) -> View:
        """The slice `index`, held within the volume."""
        return replace(self, slice_index=min(max(index, 0), max(self.slice_count - 1, 0)))

    def scrolled(self, slices: int) -> View:
        """`slices` further along the normal."""
        return self.at_slice(self.slice_index + slices)

    def windowed(self, window: Window) -> View:
        """Another window."""
        return replace(self, window=window)

    def dragged_window(self, wider: float, brighter: float, span: float) -> View:
        """The window after a drag by screen pixels: `wider` lowers contrast, `brighter` moves the centre down.

        `span` is the range of values in the image: 200 pixels change the window by its width or a quarter of the span, whichever
        is less, so that a narrow window is set finely and a wide one quickly. A look-up table gives way to the range it covered.
        """
        old = self.window
        if old.lut is not None:
            first, outputs = old.lut
            old = Window(first + len(outputs) / 2, float(len(outputs)))
        narrowest = SMALLEST_WIDTH if old.function == "LINEAR" else max(span * 1e-4, 1e-6)
        step = max(min(old.width, span / 4), narrowest) / 200
        center, width = old.center - brighter * step, max(old.width + wider * step, narrowest)
        return replace(self, window=Window(center, width, old.function))

    def zoomed_to(self, zoom: float | None, centre: tuple[float, float] | None) -> View:
        """Another zoom about another centre, held within reason."""
        if zoom is not None:
            zoom = min(max(zoom, SMALLEST_ZOOM), LARGEST_ZOOM)
        return replace(self, zoom=zoom, centre=centre)

    def with_overlay(self, **changes: bool | float | str) -> View:
        """The overlay changed by name: on, opacity, threshold, colour_map."""
        return replace(self, overlay=replace(self.overlay, **changes))  # type: ignore[arg-type]

    def opened(self, series_key: str, slice_count: int, slice_index: int, window: Window) -> View:
        """The first view of a series just opened: the reader's overlay, layout and tool stay, all else starts anew."""
        return View(
            series_key=series_key,
            slice_index=slice_index,
            slice_count=slice_count,
            window=window,
            overlay=self.overlay,
            layout=self.layout,
            tool=self.tool,
        )
