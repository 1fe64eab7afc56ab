"""The area under the ROC curve with its variance and the test between two scores on the same images, without resampling. Arrays in, numbers out.

DeLong, DeLong and Clarke-Pearson, Biometrics 1988;44:837-845, computed from midranks as by Sun and Xu, IEEE Signal Processing Letters
2014;21:1389-1393. Where a patient has several images their placements are summed first, as by Obuchowski, Biometrics 1997;53:567-578: with one
image a patient that is DeLong's own variance, with several it is wider, since images of one patient are not independent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import norm, rankdata

Floats = npt.NDArray[np.float64]
_Z95 = float(norm.ppf(0.975))


@dataclass(frozen=True, eq=False)
class Areas:
    """Areas under the ROC curves of several scores of the same images.

    Attributes:
        areas: [K].
        covariance: [K, K]; NaN where fewer than two patients have abnormal, or normal, images.
    """

    areas: Floats
    covariance: Floats

    def standard_error(self, index: int = 0) -> float:
        """Of one area."""
        return float(np.sqrt(max(self.covariance[index, index], 0)))

    def interval(self, index: int = 0) -> tuple[float, float]:
        """95%, from the normal distribution, held within [0, 1]."""
        area, reach = float(self.areas[index]), _Z95 * self.standard_error(index)
        return float(np.clip(area - reach, 0, 1)), float(np.clip(area + reach, 0, 1))


@dataclass(frozen=True)
class PairedTest:
    """Difference of two areas on the same images, the first less the second; `p_value` is two-sided."""

    difference: float
    standard_error: float
    p_value: float


def areas(scores: Floats, abnormal: npt.NDArray[np.bool_], patients: Sequence[str]) -> Areas:
    """The areas of K scores and how they vary together.

    Args:
        scores: [K, N], higher = more abnormal.
        abnormal, patients: [N]. There must be images of both classes.
    """
    positive, negative = scores[:, abnormal], scores[:, ~abnormal]
    count_positive, count_negative = positive.shape[1], negative.shape[1]
    ranks = rankdata(scores, axis=1)
    # Sun and Xu, equations 5 and 6: an image's placement is its rank among all less its rank in its own class
    above = (ranks[:, abnormal] - rankdata(positive, axis=1)) / count_negative
    below = 1 - (ranks[:, ~abnormal] - rankdata(negative, axis=1)) / count_positive
    found = above.mean(axis=1)

    _, owner = np.unique(np.asarray(patients), return_inverse=True)
    here = np.zeros((2, owner.max() + 1), bool)
    here[0, owner[abnormal]] = here[1, owner[~abnormal]] = True
    sums = [
        _summed(part - found[:, None], owner[side], here.shape[1])
        for part, side in ((above, abnormal), (below, ~abnormal))
    ]
    with np.errstate(divide="ignore", invalid="ignore"):
        factors = [own / (own - 1) for own in here.sum(axis=1).astype(np.float64)]
        among = here.shape[1] / (here.shape[1] - np.float64(1))
        crossed = among * sums[0] @ sums[1].T
        covariance = (
            factors[0] * sums[0] @ sums[0].T / count_positive**2
            + factors[1] * sums[1] @ sums[1].T / count_negative**2
            + (crossed + crossed.T) / (count_positive * count_negative)
        )
    return Areas(found, np.where(np.isfinite(covariance), covariance, np.nan))


def paired_test(
    first: Sequence[float], second: Sequence[float], abnormal: Sequence[bool], patients: Sequence[str]
) -> PairedTest:
    """Whether two scores of the same images have different areas. Two scores that order the images alike have p = 1."""
    found = areas(np.asarray([first, second], np.float64), np.asarray(abnormal, bool), patients)
    difference = float(found.areas[0] - found.areas[1])
    contrast = np.array([1.0, -1.0])
    error = float(np.sqrt(max(contrast @ found.covariance @ contrast, 0)))
    if error < 1e-12:
        return PairedTest(difference, 0.0, 1.0 if abs(difference) < 1e-12 else 0.0)
    return PairedTest(difference, error, float(2 * norm.sf(abs(difference) / error)))


def _summed(parts: Floats, owner: npt.NDArray[np.intp], patients: int) -> Floats:
    """[K, images] -> [K, patients]."""
    return np.stack([np.bincount(owner, weights=row, minlength=patients) for row in parts])
