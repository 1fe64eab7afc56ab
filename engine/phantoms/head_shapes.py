"""Signed distances and smooth noise that the head is modelled with. Knows no anatomy.

Distances are in mm and POSITIVE INSIDE. Points are given as three arrays of one shape: x to the patient's left, y forwards, z upwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk  # noqa: N813 - as its own documentation names it
from scipy.ndimage import gaussian_filter, map_coordinates

Floats = npt.NDArray[np.float32]
Triple = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Points:
    """Where to evaluate: float32 arrays of one shape, mm."""

    x: Floats
    y: Floats
    z: Floats

    def at(self, choice: npt.NDArray[np.bool_]) -> Points:
        """The chosen points as flat arrays."""
        return Points(self.x[choice], self.y[choice], self.z[choice])

    def folded(self) -> Points:
        """Both sides laid onto the left one, for paired organs."""
        return Points(np.abs(self.x), self.y, self.z)


def ellipsoid(p: Points, center: Triple, radii: Triple) -> Floats:
    """Distance to an ellipsoid's surface, by Quilez' bound k0 (1 - k0) / k1, exact to first order near the surface."""
    x, y, z = (p.x - np.float32(center[0]), p.y - np.float32(center[1]), p.z - np.float32(center[2]))
    a, b, c = (np.float32(1 / r) for r in radii)
    k0 = np.sqrt((x * a) ** 2 + (y * b) ** 2 + (z * c) ** 2)
    k1 = np.sqrt((x * a * a) ** 2 + (y * b * b) ** 2 + (z * c * c) ** 2)
    return np.asarray(k0 * (1 - k0) / np.maximum(k1, 1e-6) + np.float32(min(radii)) * (k0 < 1e-3), np.float32)


def tube(p: Points, path: Sequence[Triple], radii: Sequence[float], stretch: Triple = (1, 1, 1)) -> Floats:
    """Distance to a chain of tapering capsules; `stretch` > 1 makes it longer along that axis by scaling space."""
    inside: Floats | None = None
    sx, sy, sz = (np.float32(1 / s) for s in stretch)
    x, y, z = p.x * sx, p.y * sy, p.z * sz
    for i in range(len(path) - 1):
        a = np.asarray(path[i], np.float32) * (sx, sy, sz)
        b = np.asarray(path[i + 1], np.float32) * (sx, sy, sz)
        d = b - a
        length = max(float(d @ d), 1e-6)
        t = np.clip(((x - a[0]) * d[0] + (y - a[1]) * d[1] + (z - a[2]) * d[2]) / np.float32(length), 0, 1)
        away = np.sqrt((x - a[0] - t * d[0]) ** 2 + (y - a[1] - t * d[1]) ** 2 + (z - a[2] - t * d[2]) ** 2)
        here = np.float32(radii[i]) + t * np.float32(radii[i + 1] - radii[i]) - away
        inside = here if inside is None else np.maximum(inside, here)
    assert inside is not None
    return np.asarray(inside, np.float32)


def union(a: Floats, b: Floats, width: float = 0.0) -> Floats:
    """Union of two solids, their seam rounded over `width` mm (polynomial smooth maximum)."""
    if width <= 0:
        return np.maximum(a, b)
    blend = np.clip(np.float32(0.5) + (a - b) * np.float32(0.5 / width), 0, 1)
    return np.asarray(b + (a - b) * blend + np.float32(width) * blend * (1 - blend), np.float32)


def share(distance: Floats | npt.NDArray[np.floating], width: float) -> Floats:
    """How much of a voxel lies inside (0..1), for a surface at a signed distance and a voxel `width` mm wide."""
    return np.asarray(np.clip(distance * np.float32(1 / width) + np.float32(0.5), 0, 1), np.float32)


def paint(
    values: Floats, amount: Floats | npt.NDArray[np.floating], tissue: Floats | npt.NDArray[np.floating] | float
) -> None:
    """Put `tissue` over `values` in place, `amount` (0..1) of it."""
    values += np.asarray(amount, np.float32) * (np.asarray(tissue, np.float32) - values)


@dataclass(frozen=True, eq=False)
class Field:
    """A quantity sampled on a regular lattice in head space, looked up by linear interpolation.

    Attributes:
        values: [nx, ny, nz].  origin: mm of its first sample.  pitch: mm between samples.
    """

    values: Floats
    origin: Triple
    pitch: float

    def __call__(self, p: Points) -> Floats:
        """Values at points; outside the lattice, its nearest edge."""
        k = np.float32(1 / self.pitch)
        where = np.stack(
            [(axis - np.float32(start)) * k for axis, start in zip((p.x, p.y, p.z), self.origin, strict=True)]
        )
        return np.asarray(map_coordinates(self.values, where, np.float32, order=1, mode="nearest"), np.float32)


LATTICE_ORIGIN: Triple = (-100.0, -140.0, -100.0)
LATTICE_SHAPE = (81, 103, 83)
LATTICE_PITCH = 2.5


def lattice() -> Points:
    """The points of the lattice that `Field`s of the whole head are sampled on."""
    axes = [
        np.float32(start) + np.float32(LATTICE_PITCH) * np.arange(count, dtype=np.float32)
        for start, count in zip(LATTICE_ORIGIN, LATTICE_SHAPE, strict=True)
    ]
    x, y, z = np.meshgrid(*axes, indexing="ij")
    return Points(x, y, z)


def true_distance(inside: Floats) -> Field:
    """The Euclidean signed distance of the surface where `inside` (on the lattice) is zero, to about half a millimetre."""
    solid = inside > 0
    distance = _distance_to(~solid) - _distance_to(solid) - np.where(solid, 0.5, -0.5) * LATTICE_PITCH
    return Field(gaussian_filter(distance.astype(np.float32), 0.9), LATTICE_ORIGIN, LATTICE_PITCH)


def _distance_to(solid: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """mm from each lattice point to the nearest solid one, 0 at those (Maurer 2003: exact, and twice as fast as scipy's)."""
    image = sitk.GetImageFromArray(solid.astype(np.uint8))
    image.SetSpacing((LATTICE_PITCH,) * 3)
    signed = sitk.SignedMaurerDistanceMap(image, squaredDistance=True, useImageSpacing=True)  # negative inside
    return np.sqrt(np.maximum(sitk.GetArrayViewFromImage(signed), 0).astype(np.float64))


def noise(rng: np.random.Generator, scale_mm: float) -> Field:
    """Smooth noise of mean 0 and standard deviation 1 whose zero surfaces lie about 4.4 `scale_mm` apart (Rice's formula)."""
    step = max(1, int(scale_mm / (1.2 * LATTICE_PITCH)))
    shape = tuple(-(-count // step) + 2 for count in LATTICE_SHAPE)
    white = rng.standard_normal(shape, dtype=np.float32)
    smooth = gaussian_filter(white, scale_mm / (step * LATTICE_PITCH), mode="wrap")
    return Field(smooth / np.float32(smooth.std()), LATTICE_ORIGIN, LATTICE_PITCH * step)
