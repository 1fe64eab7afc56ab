"""Several bundles read one series, and the mean of their percentiles is the score: `ensemble`. Runs each bundle's own `Scorer`; trains nothing.

Raw scores of different methods cannot be averaged; their percentiles among normals can. The mean of percentiles is no percentile itself: normals
lie closer around 50 than a percentile would, so that the flag at the members' cut-off is the stricter one. The result's percentile is that mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from engine.errors import BundleRejected
from engine.imaging.series import Series
from engine.models.shelf import InstalledBundle, find, installed
from engine.scoring.applicability import why_not
from engine.scoring.result import ScoreValue, SeriesResult

if TYPE_CHECKING:
    from engine.scoring.scorer import Scorer

ENSEMBLE = "ensemble"
"""Model id and score name."""
AT_ONCE = 128
"""Series that one member scores before the next has its turn: so much of the results waits in memory."""


@dataclass(frozen=True)
class Ensemble:
    """The bundles that are asked together.

    Attributes:
        members: at least one.
        named: a person named them, so that they are asked about images without tags too; else only those that apply by the tags.
    """

    members: tuple[InstalledBundle, ...]
    named: bool
    id: str = ENSEMBLE

    def why_not(self, series: Series) -> str:
        """Empty when a member applies to the series, else every member's reason."""
        reasons = [why_not(member.card, series, named=self.named) for member in self.members]
        return "" if "" in reasons else "; ".join(dict.fromkeys(reasons))


def is_ensemble(model: str) -> bool:
    """Whether a model's name asks for an ensemble: `ensemble`, or `ensemble:NAME,NAME`."""
    return model == ENSEMBLE or model.startswith(f"{ENSEMBLE}:")


def unusable(bundle: InstalledBundle, series: Series, problem: BundleRejected) -> SeriesResult:
    """What a bundle says of a series when it cannot be loaded: its card was sound, its weights are not."""
    return SeriesResult(series, bundle.id, bundle.hash, error=str(problem), error_kind=problem.kind)


def find_ensemble(model: str) -> Ensemble:
    """The ensemble of a name: `ensemble` is every installed bundle; `ensemble:NAME,NAME` those named, by id, by file or by a pattern such as `knee-*`.

    Raises:
        BundleRejected: nothing is installed, or a name fits nothing.
    """
    shelf = installed()
    _, _, names = model.partition(":")
    if not names:
        if not shelf:
            raise BundleRejected("no model is installed", cure="Install a model, or train one.")
        return Ensemble(tuple(shelf), named=False)
    members: dict[str, InstalledBundle] = {}
    for name in names.split(","):
        fitting = [bundle for bundle in shelf if fnmatchcase(bundle.id, name.strip())] or [find(name.strip())]
        members |= {bundle.hash: bundle for bundle in fitting}
    return Ensemble(tuple(members.values()), named=True)


class EnsembleScorer:
    """Scores series with every member that applies to them.

    Args:
        ensemble: whom to ask.
        device, batch: as for `Scorer`.
    """

    def __init__(self, ensemble: Ensemble, device: str = "auto", batch: int = 16) -> None:
        self.ensemble = ensemble
        self._device, self._batch = device, batch
        self._scorers: dict[str, Scorer] = {}
        self.rejected: dict[str, BundleRejected] = {}
        """Members that could not be loaded, by hash: the others' mean stands."""

    def score(self, series: Iterable[Series], *, cancelled: Callable[[], bool] | None = None) -> Iterator[SeriesResult]:
        """Results in the order of `series`, one each, `AT_ONCE` at a time. Failures are results with `error`, as `Scorer` gives them."""
        upcoming = iter(series)
        while group := list(islice(upcoming, AT_ONCE)):
            found: list[list[SeriesResult]] = [[] for _ in group]
            for member in self.ensemble.members:
                applying = [
                    index for index, one in enumerate(group) if not why_not(member.card, one, named=self.ensemble.named)
                ]
                if not applying:
                    continue
                results = self._scored(member, [group[index] for index in applying], cancelled)
                for index, result in zip(applying, results, strict=False):  # fewer when cancelled
                    found[index].append(result)
            if cancelled and cancelled():
                return
            yield from (self._joined(one, results) for one, results in zip(group, found, strict=True))

    def _scored(
        self, member: InstalledBundle, series: Sequence[Series], cancelled: Callable[[], bool] | None
    ) -> Iterator[SeriesResult]:
        """One member's results, which all say why where it cannot be loaded."""
        if member.hash not in self.rejected:
            try:
                return self._scorer(member).score(series, cancelled=cancelled)
            except BundleRejected as problem:
                self.rejected[member.hash] = problem
        why = self.rejected[member.hash]
        return iter([unusable(member, one, why) for one in series])

    def _scorer(self, member: InstalledBundle) -> Scorer:
        """Loaded when first needed: bundles for other images never are, and listing an ensemble loads no torch."""
        from engine.models.bundle import load_bundle
        from engine.scoring.scorer import Scorer

        if member.hash not in self._scorers:
            self._scorers[member.hash] = Scorer(
                load_bundle(member.path), self._device, self._batch, named=self.ensemble.named
            )
        return self._scorers[member.hash]

    def _joined(self, series: Series, results: Sequence[SeriesResult]) -> SeriesResult:
        """One result of the members' results: the mean of their primary scores' percentiles."""
        own = "+".join(result.bundle_hash for result in results)
        if not results:
            error = f"{series.path}: not scored: {self.ensemble.why_not(series)}"
            if not self.ensemble.named:
                error += ". To ask some models all the same, name them: ensemble:ID,ID"
            return SeriesResult(series, ENSEMBLE, own, error=error, error_kind="NotApplicable")
        scored = [result for result in results if not result.error]
        if not scored:
            return SeriesResult(series, ENSEMBLE, own, error=results[0].error, error_kind=results[0].error_kind)
        primaries = [result.scores[result.primary] for result in scored]
        mean = float(np.mean([score.percentile for score in primaries]))
        excess = float(np.mean([score.excess for score in primaries]))
        ids = {result.bundle_id for result in scored}
        cut_off = np.mean([m.card.calibration.flag_percentile for m in self.ensemble.members if m.id in ids])
        # a phantom's model flags no patient, and so neither does an ensemble with it
        flagged = mean >= cut_off and any(score.flagged for score in primaries)
        warnings = [f"Mean of {len(scored)} models' percentiles: {', '.join(result.bundle_id for result in scored)}."]
        warnings += [f"{result.bundle_id} gave no score: {result.error}" for result in results if result.error]
        warnings += [warning for result in scored for warning in result.warnings]
        return SeriesResult(
            series,
            ENSEMBLE,
            own,
            {ENSEMBLE: ScoreValue(mean, mean, bool(flagged), excess)},
            ENSEMBLE,
            warnings=tuple(dict.fromkeys(warnings)),
        )
