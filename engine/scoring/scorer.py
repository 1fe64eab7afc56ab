"""Scores a stream of series with one bundle: decoding and preprocessing overlap with inference, and one bad file never stops the rest.

Never chooses which model applies to which study for the caller and never writes files: see applicability.py, results_csv.py and the store.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from engine.errors import DeviceExhausted, NormascopeError, NotApplicable
from engine.imaging.series import Series
from engine.models.base import Anomaly
from engine.models.bundle import Bundle
from engine.models.inference import Inference, joined
from engine.preprocess import Prepared, prepare
from engine.scoring.applicability import why_not
from engine.scoring.calibration import cohort_units, excess, percentile
from engine.scoring.result import ScoreValue, SeriesResult

log = logging.getLogger(__name__)

UNEXPECTED = "Unexpected"
"""Error kind of what no one foresaw; the study fails with its reason, the rest goes on."""


@dataclass(frozen=True, eq=False)
class _Ready:
    """A series with its network input, or with the reason why there is none."""

    series: Series
    prepared: Prepared | None = None
    warnings: tuple[str, ...] = ()
    error: str = ""
    error_kind: str = ""


class Scorer:
    """One bundle on one device.

    Args:
        bundle: as loaded; its card decides preprocessing, calibration and applicability.
        device: "auto" (CUDA where there is one), "cpu" or "cuda".
        batch: images a forward pass; halved when the device runs out of memory, then the CPU is tried.
        workers: threads that decode and preprocess.
        named: a person asked for this model by name (see `why_not`).
    """

    def __init__(
        self, bundle: Bundle, device: str = "auto", batch: int = 16, *, workers: int = 2, named: bool = True
    ) -> None:
        self.bundle = bundle
        self.inference = Inference(bundle, device)
        self.batch = max(1, batch) if bundle.card.input.spatial_dims == 2 else max(1, min(batch, 2))
        self.workers = workers
        self.named = named

    def score(self, series: Iterable[Series], *, cancelled: Callable[[], bool] | None = None) -> Iterator[SeriesResult]:
        """Results in the order of `series`, one each, as soon as they are there. A failure is a result with `error`, never an exception."""
        upcoming = iter(series)
        waiting: deque[Future[_Ready]] = deque()
        scoring: deque[Future[list[SeriesResult]]] = deque()
        readers = ThreadPoolExecutor(self.workers, thread_name_prefix="reader")
        networks, torch_threads = self._network_threads()
        network = ThreadPoolExecutor(networks, "network", torch.set_num_threads, (torch_threads,))

        def refill() -> None:
            while len(waiting) < 2 * self.batch and (following := next(upcoming, None)) is not None:
                waiting.append(readers.submit(self._make_ready, following))

        try:
            refill()
            while (waiting or scoring) and not (cancelled and cancelled()):
                while waiting and len(scoring) <= networks:
                    group = [waiting.popleft().result() for _ in range(min(self.batch, len(waiting)))]
                    refill()
                    scoring.append(network.submit(self._score_group, group))
                yield from scoring.popleft().result()
        finally:
            readers.shutdown(wait=True, cancel_futures=True)
            network.shutdown(wait=True, cancel_futures=True)

    def _network_threads(self) -> tuple[int, int]:
        """(threads that run the network, torch's threads in each).

        On the CPU several batches at once, each on few cores, share them with decoding far better than one batch whose threads wait for each
        other while a decoder holds a core. A volume fills the cores by itself, and a GPU takes one batch at a time.
        """
        if self.inference.device.type != "cpu" or self.bundle.card.input.spatial_dims == 3:
            return 1, torch.get_num_threads()
        threads = torch.get_num_threads()
        networks = max(1, min(4, threads))
        return networks, max(1, threads // networks)

    def _make_ready(self, series: Series) -> _Ready:
        """Decode and preprocess one series (worker thread)."""
        try:
            if reason := why_not(self.bundle.card, series, named=self.named):
                raise NotApplicable(reason, where=series.path, cure="Choose a model made for this kind of study.")
            image = series.load_radiograph() if series.kind == "radiograph" else series.load_volume(workers=1)
            prepared = prepare(image, self.bundle.card.preprocessing, self.bundle.card.input.size)
            return _Ready(
                series, prepared, (*self._caveat(series), *series.warnings, *image.warnings, *prepared.warnings)
            )
        except NormascopeError as error:
            if error.where is None:
                error.where = series.path
            return _Ready(series, error=str(error), error_kind=error.kind)
        except Exception as error:
            log.exception("could not prepare %s", series.path)
            return _Ready(series, error=_fault(series, error), error_kind=UNEXPECTED)

    def _caveat(self, series: Series) -> tuple[str, ...]:
        """Why this model would not have been asked unasked: it was named, and the reader must know."""
        reason = why_not(self.bundle.card, series, named=False) if self.named else ""
        return (
            (f"Scored because the model was named: {reason.removesuffix(': name the model to score it')}.",)
            if reason
            else ()
        )

    def _score_group(self, group: list[_Ready]) -> list[SeriesResult]:
        """Run the network on a group's inputs and finish each image's share (network thread)."""
        inputs = [ready.prepared.tensor for ready in group if ready.prepared is not None]
        anomaly: Anomaly | None = None
        failure, kind = "", ""
        try:
            anomaly = self._infer(np.stack(inputs)) if inputs else None
        except DeviceExhausted as error:
            failure, kind = str(error), error.kind
        except Exception as error:
            log.exception("%s failed on a batch of %d", self.bundle.card.id, len(inputs))
            failure, kind = f"the model failed ({error}). Please report this", UNEXPECTED
        results = []
        index = 0
        for ready in group:
            if ready.prepared is None:
                results.append(self._failed(ready, ready.error, ready.error_kind))
            elif anomaly is None:
                results.append(self._failed(ready, f"{ready.series.path}: {failure}", kind))
            else:
                results.append(self._finish_safely(ready, anomaly, index))
                index += 1
        return results

    def _infer(self, batch: npt.NDArray[np.float32]) -> Anomaly:
        """The network on [B, C, *S], in halves and then on the CPU when memory runs out. Raises DeviceExhausted."""
        try:
            return self.inference(torch.from_numpy(batch))
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            self.inference.free_memory()
        if len(batch) > 1:
            self.batch = max(1, len(batch) // 2)
            log.warning("out of memory on %s: the batch is now %d", self.inference.device, self.batch)
            return joined([self._infer(half) for half in np.array_split(batch, 2)])
        if self.inference.device.type != "cpu":
            log.warning("out of memory on %s: going on with the CPU", self.inference.device)
            self.inference = Inference(self.bundle, "cpu")
            return self._infer(batch)
        raise DeviceExhausted("there is not enough memory for one image", cure="Close other programs and try again.")

    def _failed(self, ready: _Ready, error: str, kind: str) -> SeriesResult:
        return SeriesResult(
            ready.series, self.bundle.card.id, self.bundle.hash, error=error, error_kind=kind, warnings=ready.warnings
        )

    def _finish_safely(self, ready: _Ready, anomaly: Anomaly, index: int) -> SeriesResult:
        try:
            return self._finish(ready, anomaly, index)
        except Exception as error:
            log.exception("could not finish %s", ready.series.path)
            return self._failed(ready, _fault(ready.series, error), UNEXPECTED)

    def _finish(self, ready: _Ready, anomaly: Anomaly, index: int) -> SeriesResult:
        """Calibrate one image's scores and map its pictures back to its own field (worker thread)."""
        card, prepared = self.bundle.card, ready.prepared
        assert prepared is not None
        raw = {name: float(values[index]) for name, values in anomaly.scores.items()}
        broken = [name for name, value in raw.items() if not np.isfinite(value)]
        if broken:
            error = f"{ready.series.path}: the model gave no finite {broken[0]}. Check the image's grey values."
            return self._failed(ready, error, "NotFinite")
        scores = {}
        # a patient is not flagged for being unlike a phantom, nor a phantom for being unlike a patient
        comparable = ready.series.format != "dicom" or ready.series.synthetic == card.applicability.synthetic
        for name, value in raw.items():
            if (calibration := card.calibration.scores.get(name)) is not None:
                place = percentile(value, calibration)
                flagged = comparable and place >= card.calibration.flag_percentile
                scores[name] = ScoreValue(value, place, flagged, excess(value, calibration))
        longest = max(
            card.input.size
        )  # maps cover the whole field at the network's own resolution: there is no more to know
        heatmap = reconstruction = difference = None
        if anomaly.heatmap is not None and self.bundle.heatmap_mean is not None and self.bundle.heatmap_p99 is not None:
            units = cohort_units(
                anomaly.heatmap[index, 0].numpy(),
                self.bundle.heatmap_mean[0].numpy(),
                self.bundle.heatmap_p99[0].numpy(),
            )
            heatmap = prepared.to_field(units, longest).astype(np.float16)
        if anomaly.reconstruction is not None:
            grey = np.clip((anomaly.reconstruction[index, 0].numpy() + 1) / 2, 0, 1).astype(np.float32)
            reconstruction = prepared.to_field(grey, longest)
            away = np.abs((prepared.tensor[0] + 1) / 2 - grey)
            difference = prepared.to_field(away, longest).astype(np.float16)
        neighbours = None
        if anomaly.neighbours is not None:
            neighbours = np.rint((anomaly.neighbours[index].numpy() + 1) * 127.5).astype(np.uint8)
        posterior = None if anomaly.posterior is None else float(anomaly.posterior[index])
        return SeriesResult(
            ready.series,
            card.id,
            self.bundle.hash,
            scores,
            card.primary_score,
            posterior,
            heatmap,
            reconstruction,
            neighbours,
            warnings=ready.warnings,
            difference=difference,
        )


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a device or the machine had no memory left: torch's allocator on the CPU says so in a plain RuntimeError."""
    words = ("out of memory", "can't allocate memory", "not enough memory", "alloc_failed")
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError) and any(word in str(error).lower() for word in words)
    )


def _fault(series: Series, error: Exception) -> str:
    """A fault of ours or of a decoder, for the one study that met it."""
    return f"{series.path}: {error}. Please report this file."
