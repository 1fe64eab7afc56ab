"""What preprocessing hands to a network, and the way back. Holds arrays; decides nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Map = npt.NDArray[np.float32]

Steps = list[tuple[str, Map]]
"""What each step made, in order: what was done, in words, and the picture after it in [0, 1]."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """One image, ready for a network.

    Attributes:
        tensor: [1, *S] float32 in [-1, 1].
        original_shape: [rows, columns] or [slices, rows, columns] of the image it was made from.
        project: maps [*S] float32 to the original's whole field, at a shape given (the original's, or a smaller one of the same field);
            where a step kept the model from seeing anything (cut away, blacked out, painted over, outside its box) the result is NaN.
        warnings: what preprocessing had to assume, in words.
        mask: [*S] bool, True where the network sees the patient's image, False in padding, where a step blacked out and where it painted over;
            None where it sees the image everywhere. Where foreground or lungs were masked, black tells the same to those who keep only
            the tensor, even as bytes: what is blacked out is exactly -1 and what is shown is at least three of 255 levels above it.
    """

    tensor: Map
    original_shape: tuple[int, ...]
    project: Callable[[Map, tuple[int, ...]], Map]
    warnings: tuple[str, ...] = field(default=())
    mask: npt.NDArray[np.bool_] | None = None

    def to_original(self, array: Map) -> Map:
        """[*S] in the model's grid -> the original's pixels, NaN where the model did not look."""
        return self.project(array, self.original_shape)

    def to_field(self, array: Map, longest: int) -> Map:
        """As `to_original`, with in-plane sides of at most `longest` pixels: the same field, stored small."""
        *stack, rows, columns = self.original_shape
        scale = min(1.0, longest / max(rows, columns))
        return self.project(array, (*stack, max(1, round(rows * scale)), max(1, round(columns * scale))))
