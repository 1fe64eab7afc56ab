"""Models that stay loaded between jobs: the most recently used few. Loads through `engine.scoring`; never reads the store."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Protocol

from engine.errors import BundleRejected, DeviceExhausted
from engine.imaging.series import Series
from engine.scoring.applicability import why_not

if TYPE_CHECKING:
    from engine.scoring.result import SeriesResult

log = logging.getLogger(__name__)


class WarmModel(Protocol):
    """A loaded model, as the work loop uses it."""

    title: str
    bundle_id: str
    hash: str
    batch: int

    @property
    def device(self) -> str:
        """ "cpu" or "cuda:0": where the next series is scored; changes when memory runs out."""

    def why_not(self, series: Series, *, named: bool) -> str:
        """Empty when the model applies."""

    def score(self, series: Iterable[Series], *, cancelled: Callable[[], bool]) -> Iterator[SeriesResult]:
        """One result for each series, in their order; fewer when cancelled."""


OpenModel = Callable[[str, str, int], WarmModel]
"""(bundle path, device, batch) -> a loaded model. Raises BundleRejected."""

LARGEST_BATCH = 16
LARGEST_CPU_BATCH = 4
"""A processor gains little by more, and what comes on screen waits for the batch that is being scored."""


class BundleModel:
    """A bundle with its scorer."""

    def __init__(self, path: str, device: str, batch: int) -> None:
        """Raises BundleRejected."""
        from engine.models.bundle import load_bundle
        from engine.models.inference import choose_device
        from engine.scoring.scorer import Scorer

        if choose_device(device).type == "cpu":
            batch = min(batch, LARGEST_CPU_BATCH)
        self._bundle = load_bundle(path)
        self.title, self.bundle_id = self._bundle.card.title, self._bundle.card.id
        self.hash = self._bundle.hash
        # `named`: whether a job's model was named is asked per job, in `why_not`
        self._scorer = Scorer(self._bundle, device, batch, named=True)
        self.batch = self._scorer.batch

    @property
    def device(self) -> str:
        """Where the network is now."""
        return str(self._scorer.inference.device)

    def why_not(self, series: Series, *, named: bool) -> str:
        """As `engine.scoring.applicability.why_not`."""
        return why_not(self._bundle.card, series, named=named)

    def score(self, series: Iterable[Series], *, cancelled: Callable[[], bool]) -> Iterator[SeriesResult]:
        """As `Scorer.score`."""
        return self._scorer.score(series, cancelled=cancelled)


class WarmModels:
    """At most `most` loaded models; the least recently used one makes room. Bundles that were refused are not read again."""

    def __init__(self, device: str, *, open_model: OpenModel = BundleModel, most: int = 4) -> None:
        self.device = device
        self._open = open_model
        self._most = most
        self._loaded: OrderedDict[str, WarmModel] = OrderedDict()
        self._rejected: dict[str, BundleRejected] = {}

    def has(self, bundle_hash: str) -> bool:
        """True when `get` needs no loading."""
        return bundle_hash in self._loaded or bundle_hash in self._rejected

    def get(self, bundle_hash: str, path: str) -> WarmModel:
        """The model, loaded now if need be. Raises BundleRejected, DeviceExhausted."""
        if (rejected := self._rejected.get(bundle_hash)) is not None:
            raise rejected
        model = self._loaded.pop(bundle_hash, None)
        if model is None:
            while len(self._loaded) >= self._most:
                self._loaded.popitem(last=False)
            try:
                model = self._load(path)
                _refuse_another(model, bundle_hash, path)
            except BundleRejected as error:
                self._rejected[bundle_hash] = error
                raise
        self._loaded[bundle_hash] = model
        return model

    def drop(self, bundle_hash: str) -> None:
        """Forget a model whose device failed; it is loaded afresh when next asked for."""
        self._loaded.pop(bundle_hash, None)

    def _load(self, path: str) -> WarmModel:
        """On the chosen device; when it has no room, without the other models, and then on the CPU."""
        steps = [(self.device, LARGEST_BATCH), (self.device, 1), ("cpu", 1)]
        for device, batch in steps:
            try:
                return self._open(path, device, batch)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                log.warning("no memory to load %s on %s with a batch of %d", path, device, batch)
                self._loaded.clear()
        raise DeviceExhausted(
            "there is not enough memory for the model", where=path, cure="Close other programs and try again."
        )


def _refuse_another(model: WarmModel, bundle_hash: str, path: str) -> None:
    """A result is kept under the hash that was asked for: no other model may answer for it."""
    if model.hash != bundle_hash:
        raise BundleRejected(
            "the model's file was replaced by another model",
            where=path,
            cure="Restart Normascope to score with the new one.",
        )


def is_out_of_memory(error: BaseException) -> bool:
    """True for Python's, ours and torch's (`torch.OutOfMemoryError`, known by name so that torch need not be imported)."""
    return isinstance(error, (MemoryError, DeviceExhausted)) or type(error).__name__ == "OutOfMemoryError"
