"""How much of an image is background, and whether a score only measures that (Shibata 2021, section 4 and figure A.20). Scores nothing."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from engine.errors import NormascopeError
from engine.imaging.series import Series
from trainers.judging import Evaluation

BLACK = 0.03
"""Of the shown grey range: at most this is background. Lossy files and detector noise lift true black a little."""
AIR_HU = -500
MOST_IMAGES = 600
MOST_VOLUMES = 60


@dataclass(frozen=True, eq=False)
class Background:
    """A sample of the images, drawn evenly over the cohort.

    Attributes:
        shares: of each, in [0, 1].
        scores: of each, by name.
    """

    shares: tuple[float, ...]
    abnormal: tuple[bool, ...]
    scores: dict[str, tuple[float, ...]]

    def rank_correlation(self, name: str) -> float:
        """Spearman's, of share and score among the normal images; NaN where all have the same."""
        normal = ~np.array(self.abnormal)
        shares, scores = np.array(self.shares)[normal], np.array(self.scores[name])[normal]
        if len(set(shares)) < 2 or len(set(scores)) < 2:
            return float("nan")
        return float(spearmanr(shares, scores).statistic)

    def area_alone(self) -> float:
        """AUROC of the share itself, whichever way it points: what a model could reach by looking at the frame only."""
        area = float(roc_auc_score(self.abnormal, self.shares))
        return max(area, 1 - area)

    def to_json(self) -> dict[str, Any]:
        """As background.json has it."""
        ranks = {name: self.rank_correlation(name) for name in self.scores}
        note = (
            "Spearman's rank correlation, among normal images, of each score with the share of the image that is background (black, or air). A score"
            " that follows it measures the frame, not the patient. auroc_of_the_share_alone is what the frame by itself would reach."
        )
        n_normal = len(self.abnormal) - sum(self.abnormal)
        known = {name: None if np.isnan(rank) else rank for name, rank in ranks.items()}
        return {
            "note": note,
            "n_normal": n_normal,
            "n_abnormal": sum(self.abnormal),
            "auroc_of_the_share_alone": self.area_alone(),
            "rank_correlation": known,
        }


def background_of(evaluation: Evaluation) -> Background | None:
    """The background of a sample of the images, read again; None where none of a class can be read."""
    series = evaluation.series
    most = MOST_IMAGES if series[0].kind == "radiograph" else MOST_VOLUMES
    chosen = _spread([i for i, ill in enumerate(evaluation.abnormal) if not ill], most // 2)
    chosen += _spread([i for i, ill in enumerate(evaluation.abnormal) if ill], most // 2)
    with ThreadPoolExecutor(2) as pool:
        shares = list(pool.map(background_share, [series[index] for index in chosen]))
    read = [(index, share) for index, share in zip(chosen, shares, strict=True) if share is not None]
    if len({evaluation.abnormal[index] for index, _ in read}) < 2:
        return None
    return Background(
        tuple(share for _, share in read),
        tuple(evaluation.abnormal[index] for index, _ in read),
        {name: tuple(evaluation.results[i].scores[name].score for i, _ in read) for name in evaluation.metrics},
    )


def background_share(series: Series) -> float | None:
    """Share of pixels shown black, padding included; of a volume the share of air. None when it cannot be read."""
    try:
        if series.kind == "radiograph":
            return float((series.load_radiograph().presentation() <= BLACK).mean())
        voxels = series.load_volume(workers=1).voxels
        return float(np.mean([(np.asarray(plane) < AIR_HU).mean() for plane in voxels]))
    except NormascopeError:
        return None


def _spread(indices: Sequence[int], most: int) -> list[int]:
    """At most so many, evenly spaced."""
    if len(indices) <= most:
        return list(indices)
    return [indices[int(place)] for place in np.linspace(0, len(indices) - 1, most)]
