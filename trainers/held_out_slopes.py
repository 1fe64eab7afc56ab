"""What the parts of a ratio posterior count: fitted on images that they have not learned from, known normals against the mixture. Trains no network.

Where few images of the mixture are abnormal, hardly anything tells the two sides apart, and a fit on a few dozen images is chance. A rule has
logits of every image that it has not learned from; a member of one fold alone. So a member counts beside the rule only where these say that it
adds to it, and else the rule counts alone, by all of its logits.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

Floats = npt.NDArray[np.float64]
Owners = npt.NDArray[np.int64]
LEAST_SLOPE = 0.05
"""Of the fit on held-out images: at chance it may be nothing or negative, and must not turn the ranking round."""
SURE = 2.0
"""Standard errors by which members must add to the rule, so that they count: they do not by chance in 39 of 40."""
FEWEST_SURE = 30
"""Patients of either side, below which a standard error is itself chance."""


def fitted_slopes(known: Floats, mixture: Floats) -> tuple[Floats, float]:
    """Slopes [K] and an offset that turn logits [N, K] and [M, K] into the log ratio that these images support.

    What by itself, or beside the others, says nothing of new images counts as little as can be, and nothing counts the wrong way round.
    """
    logits, truth, weights = _together(known, mixture)
    used = np.ones(logits.shape[1], bool)
    while True:
        fit = LogisticRegression(C=np.inf).fit(logits[:, used], truth, sample_weight=weights)
        slopes = np.full(len(used), LEAST_SLOPE)
        slopes[used] = np.maximum(fit.coef_[0], LEAST_SLOPE)
        wrong = used.copy()
        wrong[used] = fit.coef_[0] < LEAST_SLOPE
        if not wrong.any() or used.sum() == 1:
            return slopes, float(fit.intercept_[0])
        used &= ~wrong if (used & ~wrong).any() else np.arange(len(used)) == 0


def surplus(known: Floats, mixture: Floats, patients: tuple[Owners, Owners] | None = None) -> float | None:
    """By how many standard errors the first of logits [N, K] and [M, K] adds to what the others say; negative where it takes away from it.

    Of a logistic regression without bounds, by the sandwich estimate (White, Econometrica 1982;50:1-25), as both sides weigh the same however many they are,
    and summed by patient (Liang and Zeger, Biometrika 1986;73:13-22), whose images err alike.

    Args:
        patients: [N] and [M], equal for images of one patient; None where each image is of a patient of its own.

    Returns:
        None of fewer than `FEWEST_SURE` patients on either side, which show nothing.
    """
    first, second = patients or (np.arange(len(known)), np.arange(len(mixture)))
    owners = [np.unique(side, return_inverse=True)[1] for side in (first, second)]
    sizes = [int(side.max()) + 1 for side in owners]
    if min(sizes) < FEWEST_SURE:
        return None
    logits, truth, weights = _together(known, mixture)
    logits = (logits - logits.mean(0)) / (logits.std(0) + 1e-12)
    fit = LogisticRegression(C=np.inf).fit(logits, truth, sample_weight=weights)
    chance = fit.predict_proba(logits)[:, 1]
    design = np.column_stack((logits, np.ones(len(logits))))
    bread = np.linalg.pinv((design * (weights * chance * (1 - chance))[:, None]).T @ design)
    scores = np.zeros((sum(sizes), design.shape[1]))
    np.add.at(scores, np.concatenate((owners[0], sizes[0] + owners[1])), design * (weights * (truth - chance))[:, None])
    variance = (bread @ (scores.T @ scores) @ bread)[0, 0] * len(scores) / (len(scores) - 1)
    return float(fit.coef_[0, 0] / np.sqrt(max(variance, 1e-12)))


def _together(known: Floats, mixture: Floats) -> tuple[Floats, npt.NDArray[np.int64], Floats]:
    """Both sides one after the other, which is which (1 is known), and weights by which both count the same."""
    truth = np.repeat([1, 0], [len(known), len(mixture)])
    weights = np.repeat([1 / len(known), 1 / len(mixture)], [len(known), len(mixture)]) * len(truth) / 2
    return np.concatenate([known, mixture]), truth, weights
