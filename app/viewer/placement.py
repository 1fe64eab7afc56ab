"""Where image pixels lie on screen: fit, zoom, pan and turn for one pane. Plain arithmetic; draws nothing.

Pixel coordinates are (column, row) with pixel (0, 0) covering 0..1; screen coordinates are (x, y) of the pane, y downwards.
"""

from __future__ import annotations

from dataclasses import dataclass

from app.state.viewing import View

Box = tuple[float, float, float, float]
"""left, top, right, bottom."""


@dataclass(frozen=True)
class Placement:
    """screen x = xx * column + xy * row + dx, screen y = yx * column + yy * row + dy; `zoom` as in `View.zoom`."""

    xx: float
    xy: float
    yx: float
    yy: float
    dx: float
    dy: float
    zoom: float

    def to_screen(self, column: float, row: float) -> tuple[float, float]:
        """Where on the pane a point of the image is."""
        return self.xx * column + self.xy * row + self.dx, self.yx * column + self.yy * row + self.dy

    def to_pixel(self, x: float, y: float) -> tuple[float, float]:
        """(column, row) under a point of the pane."""
        x, y = x - self.dx, y - self.dy
        determinant = self.xx * self.yy - self.xy * self.yx
        return (self.yy * x - self.xy * y) / determinant, (self.xx * y - self.yx * x) / determinant

    def box_to_screen(self, box: Box) -> Box:
        """An upright box of pixels as an upright box on the pane: turns are by quarters only."""
        x0, y0 = self.to_screen(box[0], box[1])
        x1, y1 = self.to_screen(box[2], box[3])
        return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)

    def box_to_pixel(self, box: Box) -> Box:
        """The pixels under an upright box of the pane."""
        x0, y0 = self.to_pixel(box[0], box[1])
        x1, y1 = self.to_pixel(box[2], box[3])
        return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)


@dataclass(frozen=True)
class ImageSize:
    """Rows, columns and the (row, column) spacing in mm; spacing None draws square pixels."""

    rows: int
    columns: int
    spacing: tuple[float, float] | None = None

    @property
    def pixel_shape(self) -> tuple[float, float]:
        """(height, width) of a pixel, the shorter side being 1."""
        if self.spacing is None:
            return 1.0, 1.0
        short = min(self.spacing)
        return self.spacing[0] / short, self.spacing[1] / short

    @property
    def millimetres_per_unit(self) -> float | None:
        """mm of the shorter pixel side: one screen pixel at zoom 1."""
        return None if self.spacing is None else min(self.spacing)


def place(view: View, size: ImageSize, width: float, height: float) -> Placement:
    """Place the image in a pane of `width` x `height` screen pixels as `view` asks."""
    pixel_height, pixel_width = size.pixel_shape
    xx, xy, yx, yy = view.turn.matrix
    zoom = view.zoom if view.zoom is not None else fitting_zoom(view, size, width, height)
    column, row = view.centre if view.centre is not None else (size.columns / 2, size.rows / 2)
    a, b = xx * pixel_width * zoom, xy * pixel_height * zoom
    c, d = yx * pixel_width * zoom, yy * pixel_height * zoom
    return Placement(a, b, c, d, width / 2 - a * column - b * row, height / 2 - c * column - d * row, zoom)


def fitting_zoom(view: View, size: ImageSize, width: float, height: float) -> float:
    """The zoom at which the whole turned image just fits the pane."""
    pixel_height, pixel_width = size.pixel_shape
    across, down = size.columns * pixel_width, size.rows * pixel_height
    if view.turn.quarters % 2:
        across, down = down, across
    return max(min(width / across, height / down), 1e-3)


def zoomed_about(
    view: View, size: ImageSize, pane: tuple[float, float], point: tuple[float, float], factor: float
) -> View:
    """Zoom by `factor`; the image stays where it is under `point` (x, y of the pane)."""
    now = place(view, size, *pane)
    under = now.to_pixel(*point)
    nearer = view.zoomed_to(now.zoom * factor, view.centre)
    then = place(nearer, size, *pane)
    moved = then.to_pixel(*point)
    column, row = view.centre if view.centre is not None else (size.columns / 2, size.rows / 2)
    return nearer.zoomed_to(nearer.zoom, _held((column + under[0] - moved[0], row + under[1] - moved[1]), size))


def panned(view: View, size: ImageSize, pane: tuple[float, float], right: float, down: float) -> View:
    """Move the image by screen pixels; its centre of view never leaves the image, so that it cannot be lost."""
    now = place(view, size, *pane)
    centre = now.to_pixel(pane[0] / 2 - right, pane[1] / 2 - down)
    return view.zoomed_to(now.zoom, _held(centre, size))


def _held(centre: tuple[float, float], size: ImageSize) -> tuple[float, float]:
    return min(max(centre[0], 0.0), float(size.columns)), min(max(centre[1], 0.0), float(size.rows))
