"""What scoring says of one series. Plain values and arrays, torch-free, so that the store and the app can hold it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from engine.imaging.series import Series


@dataclass(frozen=True)
class ScoreValue:
    """One score of one series: the model's raw number, its percentile among normals (0 to 100), and whether that is flagged.

    `excess`: how far beyond all normals it lies, in their own spread; what ranks those that stand at 100 alike.
    """

    score: float
    percentile: float
    flagged: bool
    excess: float = 0.0


@dataclass(frozen=True, eq=False)
class SeriesResult:
    """One series by one bundle.

    Attributes:
        scores: by name; empty when `error` says why the series was not scored.
        primary: the score that ranks the study.
        posterior: log p(normal | x) up to a constant where the method has one.
        heatmap: [rows, columns] or [slices, rows, columns] float16 in cohort units over the image's whole field; in-plane sides may be
            smaller than the image's. NaN where the model did not look.
        reconstruction: same field, float32 in [0, 1]: the model's normal version, never the patient's image.
        neighbours: [k, rows, columns] uint8, small pictures of the training normals that this image is most like, the nearest first.
        error, error_kind: in words with the cure, and the error's type; "" when scored.
        warnings: what a reader must know of this result.
        difference: as `reconstruction`, float16: how far that is from what the model saw, in absolute grey.
    """

    series: Series
    bundle_id: str
    bundle_hash: str
    scores: dict[str, ScoreValue] = field(default_factory=dict)
    primary: str = ""
    posterior: float | None = None
    heatmap: npt.NDArray[np.float16] | None = None
    reconstruction: npt.NDArray[np.float32] | None = None
    neighbours: npt.NDArray[np.uint8] | None = None
    error: str = ""
    error_kind: str = ""
    warnings: tuple[str, ...] = ()
    difference: npt.NDArray[np.float16] | None = None

    @property
    def percentile(self) -> float | None:
        """The primary score's percentile, None when not scored."""
        return self.scores[self.primary].percentile if self.scores else None
