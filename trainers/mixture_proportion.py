"""How many of an unlabelled mixture are normal, estimated from scores of images that no weight was learned from. Needs no label; trains nothing."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

CONFIDENCE = 0.9
SLACK = 0.01
"""delta = 1 - CONFIDENCE and gamma of Garg et al."""


def normal_share(known: npt.NDArray[np.floating], mixture: npt.NDArray[np.floating]) -> float:
    """pi, the share of normals in the mixture, by best bin estimation (Garg S, et al. NeurIPS 2021, algorithm 1).

    Of all images that look more normal than a cut-off c, the mixture has the share q_m(c) and the known normals q_n(c). Since normals are as likely above
    the cut-off in either, q_m(c) >= pi q_n(c), with equality where no abnormal image lies above: pi is at most the least quotient q_m / q_n. The
    cut-off is the one whose upper confidence bound is least, so that a quotient of few images is not taken for an answer.

    An upper estimate: abnormal images that look as normal as any normal count as normal.

    Args:
        known: [N] logits of known normals, higher = more normal.
        mixture: [M] likewise.

    Returns:
        pi in (0, 1].
    """
    count, others = len(known), len(mixture)
    if not count or not others:
        raise ValueError("an estimate needs known normals and a mixture")
    cut_offs = np.unique(np.concatenate([known, mixture]))
    above_known = 1 - np.searchsorted(np.sort(known), cut_offs) / count
    above_mixture = 1 - np.searchsorted(np.sort(mixture), cut_offs) / others
    usable = above_known > 0
    q_n, q_m = above_known[usable], above_mixture[usable]
    spread = sum(math.sqrt(math.log(4 / (1 - CONFIDENCE)) / (2 * n)) for n in (count, others))
    best = int(np.argmin(q_m / q_n + (1 + SLACK) * spread / q_n))
    return float(np.clip(q_m[best] / q_n[best], 1 / others, 1))
