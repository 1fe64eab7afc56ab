"""Which upright rectangle of a film goes on to the network, and how maps of it return to the film. Geometry alone; looks at no picture."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.preprocess.prepared import Map

_MOST_SAMPLES = 16
"""An edge of so many samples stands for a pixel of a field much smaller than the map."""


@dataclass(frozen=True)
class Framing:
    """A rectangle on a film, in the film's own pixels. Positions are those of corners: pixel i reaches from i to i + 1.

    Attributes:
        film: [rows, columns] of the whole film.
        corner: (row, column) of the rectangle's upper left corner on the film.
        shape: (rows, columns) of the rectangle.
        tilt: radians that its upper edge falls to the right; 0 is cut out without resampling.
    """

    film: tuple[int, int]
    corner: tuple[float, float]
    shape: tuple[int, int]
    tilt: float = 0.0

    @classmethod
    def whole(cls, film: tuple[int, int]) -> Framing:
        """All of a film."""
        return cls(film, (0.0, 0.0), film)

    @property
    def is_whole(self) -> bool:
        """Whether nothing is cut away."""
        return self.tilt == 0 and self.corner == (0, 0) and self.shape == self.film

    @property
    def corners(self) -> tuple[tuple[float, float], ...]:
        """(row, column) on the film: upper left, upper right, lower left, lower right."""
        height, width = self.shape
        return tuple(self._corner_of(y, x) for y in (0, height) for x in (0, width))

    def within(self, rows: slice, columns: slice) -> Framing:
        """The part of this rectangle between whole rows and columns, counted within it."""
        top, left = rows.start, columns.start
        return Framing(self.film, self._corner_of(top, left), (rows.stop - top, columns.stop - left), self.tilt)

    def magnified(self, film: tuple[int, int]) -> Framing:
        """The same rectangle on the film at another resolution, of nearly the same proportions; upright ones at whole pixels."""
        down, across = film[0] / self.film[0], film[1] / self.film[1]
        ends = [(round(row * down), round(column * across)) for row, column in (self.corners[0], self.corners[3])]
        if self.tilt == 0:
            (top, left), (bottom, right) = ends
            return Framing(film, (top, left), (max(1, bottom - top), max(1, right - left)))
        shape = (max(1, round(self.shape[0] * down)), max(1, round(self.shape[1] * across)))
        return Framing(film, (self.corner[0] * down, self.corner[1] * across), shape, self.tilt)

    def _corner_of(self, y: float, x: float) -> tuple[float, float]:
        """(row, column) on the film of a place in the rectangle."""
        c, s = math.cos(self.tilt), math.sin(self.tilt)
        return self.corner[0] + y * c + x * s, self.corner[1] - y * s + x * c

    def cut(self, image: npt.NDArray[np.float32]) -> Map:
        """[rows, columns] of the film -> the rectangle's pixels, upright; what reaches over the film's edge is 0."""
        if self.is_whole:
            return image
        inside = min(*self.corner) >= 0 and all(
            start + size <= side for start, size, side in zip(self.corner, self.shape, self.film, strict=True)
        )
        if self.tilt == 0 and inside:
            top, left = round(self.corner[0]), round(self.corner[1])
            return image[top : top + self.shape[0], left : left + self.shape[1]]
        return _warped(image, np.linalg.inv(self._from_film()), self.shape, "constant")

    def spread(self, array: Map, shape: tuple[int, int]) -> Map:
        """A map [h, w] over the rectangle -> [*shape] over the whole film's field, NaN outside the rectangle.

        Linear between the map's pixels; where the field's pixels are larger than the map's, each is the average of its own area.
        """
        h, w = array.shape
        step = max(self.film[0] / shape[0] * h / self.shape[0], self.film[1] / shape[1] * w / self.shape[1])
        samples = min(_MOST_SAMPLES, max(1, math.ceil(step)))
        fine = (shape[0] * samples, shape[1] * samples)
        film_to_map = _scaling(w / self.shape[1], h / self.shape[0]) @ self._from_film()
        matrix = film_to_map @ _scaling(self.film[1] / fine[1], self.film[0] / fine[0])
        spread = _warped(array, matrix, fine, "edge")
        field = spread.reshape(shape[0], samples, shape[1], samples).mean((1, 3))
        return np.where(self._covers(shape), field, np.float32(np.nan))

    def _covers(self, shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
        """[*shape] bool: which pixels of a field over the whole film have their centre in the rectangle."""
        row = (np.arange(shape[0]) + 0.5)[:, None] * self.film[0] / shape[0] - self.corner[0]
        column = (np.arange(shape[1]) + 0.5)[None] * self.film[1] / shape[1] - self.corner[1]
        x = column * math.cos(self.tilt) + row * math.sin(self.tilt)
        y = row * math.cos(self.tilt) - column * math.sin(self.tilt)
        return (x >= 0) & (x < self.shape[1]) & (y >= 0) & (y < self.shape[0])

    def _from_film(self) -> npt.NDArray[np.floating]:
        """[3, 3]: (column, row, 1) on the film -> in the rectangle, corners counted from 0."""
        c, s = math.cos(self.tilt), math.sin(self.tilt)
        row, column = self.corner
        return np.array([[c, s, -c * column - s * row], [-s, c, s * column - c * row], [0, 0, 1]])


def _warped(image: Map, matrix: npt.NDArray[np.floating], shape: tuple[int, int], mode: str) -> Map:
    """`image` sampled linearly where `matrix` sends each corner position of `shape`."""
    # imported when a film is really cut: those that go through whole wait for no image processing library
    from skimage.transform import warp

    writeable = np.array(image, np.float32)  # as warp demands of its memory
    return np.asarray(warp(writeable, _between_centres(matrix), output_shape=shape, order=1, mode=mode), np.float32)


def _scaling(x: float, y: float) -> npt.NDArray[np.floating]:
    return np.diag([x, y, 1.0])


def _between_centres(matrix: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """A transform of corner positions as one of pixel centres, which lie half a pixel further."""
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    return np.linalg.inv(half) @ matrix @ half
