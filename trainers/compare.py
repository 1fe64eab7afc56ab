"""Two models on the same images: the difference of their areas under the ROC curve, its interval and its p-value. Scores nothing."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from engine.errors import CohortRejected
from trainers.delong import paired_test
from trainers.judging import FEWEST_SCORED, Evaluation, Subject
from trainers.metrics import RESAMPLES, resampled_areas, resampled_patients

SIGNIFICANT = 0.05
_METHOD = (
    f"difference_ci95: percentile bootstrap over patients ({RESAMPLES} resamples), both models on the same resample; p_delong: DeLong's paired test"
    " with patients as clusters"
)


@dataclass(frozen=True)
class Comparison:
    """Primary scores of two models on the images that both could score; differences are the first less the second."""

    model: str
    against: str
    score: str
    against_score: str
    auroc: float
    against_auroc: float
    difference: float
    difference_ci95: tuple[float, float]
    p_delong: float | None
    n_normal: int
    n_abnormal: int
    n_patients: int
    method: str = _METHOD

    def to_json(self) -> dict[str, Any]:
        """As comparison.json has it."""
        return {**asdict(self), "in_words": self.in_words()}

    def in_words(self) -> str:
        """For a radiologist: which one ranks better, by how much, and whether chance would do as well."""
        low, high = self.difference_ci95
        figures = (
            f"AUROC {self.auroc:.3f} against {self.against_auroc:.3f} on the same {self.n_normal} normal and {self.n_abnormal} abnormal images; "
            f"difference {self.difference:+.3f} ({low:+.3f} to {high:+.3f}), p {_p_in_words(self.p_delong)}"
        )
        if self.p_delong is None or self.p_delong >= SIGNIFICANT:
            return f"No difference between {self.model} and {self.against} was shown: {figures}. That does not prove that they are equal."
        better, worse = (self.model, self.against) if self.difference > 0 else (self.against, self.model)
        return f"{better} tells abnormal from normal images better than {worse}: {figures}."


def compared(first: Subject, one: Evaluation, second: Subject, other: Evaluation) -> Comparison:
    """The two models' primary scores on the images that both could score.

    Raises:
        CohortRejected: too few such images of either class.
    """
    place = {result.series.key: index for index, result in enumerate(other.results)}
    pairs = [(i, place[result.series.key]) for i, result in enumerate(one.results) if result.series.key in place]
    truth = np.array([one.abnormal[i] for i, _ in pairs], bool)
    if min(int(truth.sum()), int((~truth).sum())) < FEWEST_SCORED:
        raise CohortRejected(
            f"{first.id} and {second.id} can both score only {int((~truth).sum())} normal and {int(truth.sum())} abnormal images",
            cure="Compare models that read the same kind of image.",
        )
    patients = [one.patients[i] for i, _ in pairs]
    own = [one.results[i].scores[first.primary_score].score for i, _ in pairs]
    others = [other.results[j].scores[second.primary_score].score for _, j in pairs]
    test = paired_test(own, others, truth.tolist(), patients)
    drawn = list(resampled_patients(truth, patients))
    differences = resampled_areas(own, truth, drawn) - resampled_areas(others, truth, drawn)
    low, high = np.quantile(differences, (0.025, 0.975))
    every = np.ones(len(truth))
    area, against = (float(resampled_areas(values, truth, [every])[0]) for values in (own, others))
    return Comparison(
        model=first.id,
        against=second.id,
        score=first.primary_score,
        against_score=second.primary_score,
        auroc=area,
        against_auroc=against,
        difference=test.difference,
        difference_ci95=(float(low), float(high)),
        p_delong=test.p_value if np.isfinite(test.p_value) else None,
        n_normal=int((~truth).sum()),
        n_abnormal=int(truth.sum()),
        n_patients=len(set(patients)),
    )


def _p_in_words(p: float | None) -> str:
    if p is None:
        return "unknown (one class is of one patient)"
    return "< 0.001" if p < 0.001 else f"= {p:.3f}" if p < 0.1 else f"= {p:.2f}"
