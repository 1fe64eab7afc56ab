"""From a folder of normals to a calibrated bundle: read, check, split, prepare, train, calibrate, evaluate, write. Runs no loss of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from engine.errors import CohortRejected, NormascopeError, StorageUnavailable, TrainingFailed, first_reason
from engine.models.base import AnomalyModel
from engine.models.bundle import load_bundle, rounded, save_bundle
from engine.models.card import Card, Preprocessing
from engine.models.inference import choose_device
from engine.preprocess import default_options
from engine.scoring.scorer import is_out_of_memory
from trainers.calibrate import TRAIN_OTHERWISE, Calibrated, Inputs, calibrate, disagreement
from trainers.cohort import Cohort, as_bytes, decoded, mixed_sizes
from trainers.devices import check_devices
from trainers.draw import drawn_cohorts, watched_abnormals
from trainers.judging import FEWEST_SCORED, judge
from trainers.kept_run import (
    check_same_cohort,
    check_something_to_resume,
    forget,
    keep,
    kept_devices,
    kept_plan,
    run_folder,
)
from trainers.memory import PROBE, check_size, check_step, step_memory
from trainers.method import MethodTrainer, TrainingImages
from trainers.model_card import CardText, recipe_of, written_card
from trainers.plan import TrainingPlan
from trainers.planning import planned
from trainers.shared_run import check_shares, train_together
from trainers.split import FEWEST_CALIBRATION, Split
from trainers.training import OnProgress, Progress, run_training
from trainers.training_images import training_images

HALF_AGREES = 1e-2
"""Of a score's standard deviation: weights are stored as float16 when no calibration normal moves by more among the others, half a percentile at most."""

LARGEST_WEIGHT = 1e6
"""Of a network that learned something; those of the bundles that ship are under 500."""


@dataclass(frozen=True)
class Trained:
    """A finished run."""

    path: Path
    hash: str
    card: Card
    failures: tuple[NormascopeError, ...]


def train(
    method: str,
    normals: str | Path,
    *,
    out: str | Path,
    mixture: str | Path | None = None,
    size: int | None = None,
    epochs: int | None = None,
    seed: int = 0,
    device: str = "auto",
    devices: int | None = None,
    resume: bool = False,
    on_progress: OnProgress | None = None,
    text: CardText | None = None,
    plan: TrainingPlan | None = None,
    options: Mapping[str, object] | None = None,
) -> Trained:
    """Train a method on normals and write a calibrated bundle to `out`.

    Normals are split by patient, or as the plan's `split_by` says: by default 70% are learned from, 12% calibrate, 18% validate. Where `normals` is a CSV
    whose labels name abnormal images too, these are never learned from as normals and serve to validate; images with any other label ("uncertain") are left
    out. What a run needs to go on lies in a folder beside `out` (`NAME.run`) until it is done.

    Args:
        method: a key of engine.models.registry.METHODS.
        normals: anything `open_study` takes.
        mixture: unlabelled images, normal and abnormal, for the methods that learn from two cohorts (`draw.drawn_cohorts` says how).
        size, epochs, seed: override the method's plan.
        device: "auto", "cpu" or "cuda".
        devices: how many of them learn together, or how many processes on the CPU (see shared_run.py); None is one, or as many as an interrupted run had.
        resume: go on with a run that was interrupted, with its plan and split; begin one where nothing lies at `out` yet.
        plan: every choice at once, instead of `size`, `epochs`, `seed` and `options`.
        options: fields of the method's plan by name; words are read as JSON where they can be.

    Raises:
        CohortRejected: too few normals, one patient, mixed kinds, images that the method cannot take, or others than an interrupted run began with.
        TrainingFailed: no finite loss, weights or scores that are not finite, or no memory for a step.
        NormascopeError: the method cannot be trained at that size, for so few epochs or on so many devices, or what is to be resumed is finished.
        DeviceExhausted: there are not so many devices.
        StorageUnavailable: `out` cannot be written.
    """
    text, out, target = text or CardText(), Path(out), choose_device(device)
    folder = run_folder(out)
    if out.is_dir():
        raise StorageUnavailable(
            "this is a folder", where=out, cure="Name the file to write, as in FOLDER/NAME.safetensors."
        )
    if resume:
        check_something_to_resume(out)
    kept = kept_plan(folder, method) if resume else None
    count = kept_devices(folder, devices) if kept is not None else 1 if devices is None else devices
    check_devices(target, count)
    trainer = planned(kept or plan, method, size, epochs, seed, target, options or {})
    check_shares(trainer.plan, count)
    check_size(trainer.plan)
    cohort, split = drawn_cohorts(trainer, normals, mixture)
    run = _Run(trainer, cohort, split, _preprocessing(trainer.plan), folder, target, count)
    with _said_in_words(run):
        seen = _check_calibration(run)
        history, failures, unread = _learn(run, kept is not None, _check_memory(run, seen), on_progress)
        inputs, failed = _calibration_inputs(run)
        model, dtype, found = _calibrated(run, inputs, text.cohort or Path(normals).name)
    failures, split = (*failures, *failed.values()), split.without(unread | failed.keys())
    recipe = recipe_of(trainer, history, found, target, count) | text.recipe
    card = written_card(text, out.stem, trainer.plan, run.preprocessing, model, cohort, split, found, recipe)
    # judged from the run's folder: under its own name, nothing ever sees a bundle without its figures
    interim = folder / "unjudged.safetensors"
    try:
        save_bundle(interim, model, card, found.heatmap_mean, found.heatmap_p99, dtype=dtype)
        card = _with_evaluation(interim, card, cohort, split, device)
    finally:
        interim.unlink(missing_ok=True)
    digest = save_bundle(out, model, card, found.heatmap_mean, found.heatmap_p99, dtype=dtype)
    forget(folder)
    return Trained(out, digest, card, (*cohort.failures, *failures))


@dataclass(frozen=True, eq=False)
class _Run:
    """Who learns, from whom, what it sees of an image, where the run is kept until it is done, and on what, and how many of them, it runs."""

    trainer: MethodTrainer
    cohort: Cohort
    split: Split
    preprocessing: Preprocessing
    folder: Path
    device: torch.device
    devices: int


def _preprocessing(plan: TrainingPlan) -> Preprocessing:
    """Every option written out, so that a bundle does not depend on what the defaults will be."""
    options = default_options(plan.preprocessing) | plan.preprocessing_options
    return Preprocessing(name=plan.preprocessing, options=options)


def _views(run: _Run) -> list[Preprocessing]:
    """How else training images are prepared, beside as they are scored."""
    seen = run.preprocessing
    return [Preprocessing(name=seen.name, options=seen.options | view) for view in run.trainer.plan.views]


@contextmanager
def _said_in_words(run: _Run) -> Iterator[None]:
    """Says what a full disk and a full device mean, and how the run can go on."""
    try:
        yield
    except OSError as error:
        raise StorageUnavailable(
            f"the run cannot be kept here ({error.strerror or error})",
            where=run.folder,
            cure="Free some space or choose another folder, then resume.",
        ) from error
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise TrainingFailed(
            f"{run.device} ran out of memory",
            cure=f"Resume on another device, or train with a batch under {run.trainer.plan.batch}.",
        ) from error


def _check_calibration(run: _Run) -> Inputs:
    """What the network sees of the first of them. Raises CohortRejected unless enough can be read: after the last epoch it would be told too late."""
    series = [run.cohort.series[index] for index in run.split.calibration]
    readable: Inputs = []
    failures: list[NormascopeError] = []
    for found in decoded(series, run.preprocessing, run.trainer.plan.size):
        if isinstance(found, NormascopeError):
            failures.append(found)
            continue
        readable.append(found)
        if len(readable) == FEWEST_CALIBRATION:
            return readable
    raise CohortRejected(
        f"only {len(readable)} of the {len(series)} images to calibrate on could be read{first_reason(failures)}",
        where=run.cohort.path,
        cure="Check the files, or take out those that cannot be used.",
    )


def _check_memory(run: _Run, seen: Inputs) -> list[str]:
    """What to say of the memory that a step needs. A few images tell it, so that what cannot fit is refused before all of a cohort are prepared.

    Args:
        seen: what the network sees of any images, twice `PROBE` at least; what they show does not matter.

    Raises:
        TrainingFailed: on the processor, it cannot fit.
    """
    trainer, plan = run.trainer, run.trainer.plan
    few = np.stack([as_bytes(image) for image in seen])
    images = TrainingImages(few[:PROBE], few[PROBE : 2 * PROBE] if run.split.mixture else None)
    share = plan.model_copy(update={"batch": plan.batch // run.devices})
    needed = step_memory(share, images, trainer.fabric.device)
    trainer.findings["memory_bytes_estimated"] = needed
    said = [f"a step needs about {needed / 1e9:.2f} GB" + (" on each device" if run.devices > 1 else "")]
    if trainer.fabric.device.type == "cpu":
        said.append(check_step(run.devices * needed, plan, len(trainer.optimizers)))
    return [words for words in said if words]


def _learn(
    run: _Run, resume: bool, notes: list[str], on_progress: OnProgress | None
) -> tuple[list[Progress], tuple[NormascopeError, ...], frozenset[int]]:
    """Prepare the training images and run every epoch; returns these, why files could not be read, and which of the cohort these are.

    Args:
        notes: said before anything is prepared.
    """
    trainer, plan, checkpoint = run.trainer, run.trainer.plan, run.folder / "checkpoint.safetensors"

    def say(what: str) -> None:
        if on_progress is not None:
            on_progress(Progress(0, plan.epochs, 0.0, what))

    run.folder.mkdir(parents=True, exist_ok=True)
    if resume:
        check_same_cohort(run.folder, run.cohort, run.split)
    else:
        if checkpoint.exists():
            say(f"an interrupted run lay in {run.folder.name}; it is begun anew (with --resume it would have gone on)")
        checkpoint.unlink(missing_ok=True)
        (run.folder / "best.safetensors").unlink(missing_ok=True)
        keep(run.folder, plan, run.cohort, run.split, run.devices)
    for words in filter(None, (*run.cohort.notes, mixed_sizes(run.cohort.series), *notes)):
        say(words)
    images, failures, unread = training_images(
        run.cohort,
        run.split,
        (run.preprocessing, *_views(run)),
        plan.size,
        run.folder,
        say,
        abnormal=watched_abnormals(run.cohort, run.split, plan),
    )
    together = run_training if run.devices == 1 else partial(train_together, run.devices)
    return together(trainer, images, checkpoint, resume=resume, on_progress=on_progress), failures, unread


def _calibration_inputs(run: _Run) -> tuple[Inputs, dict[int, NormascopeError]]:
    """What the network sees of the calibration normals, and why others, by their place in the cohort, could not be read."""
    series = [run.cohort.series[index] for index in run.split.calibration]
    inputs: Inputs = []
    failed: dict[int, NormascopeError] = {}
    for index, found in zip(
        run.split.calibration, decoded(series, run.preprocessing, run.trainer.plan.size), strict=True
    ):
        if isinstance(found, NormascopeError):
            failed[index] = found
        else:
            inputs.append(found)
    return inputs, failed


def _calibrated(run: _Run, inputs: Inputs, cohort: str) -> tuple[AnomalyModel, torch.dtype, Calibrated]:
    """The network as it will be stored, the precision of its weights, and its place among the calibration normals of `cohort`.

    Raises TrainingFailed where the run came to no network that could be read with.
    """
    trained = run.trainer.scoring_model().cpu()
    _check_weights(trained)
    model, dtype = _as_stored(trained, inputs, run.device)
    return model, dtype, calibrate(model, inputs, f"{len(inputs)} held-out normals of {cohort}", run.device)


def _as_stored(model: AnomalyModel, inputs: Inputs, device: torch.device) -> tuple[AnomalyModel, torch.dtype]:
    """The network with its weights rounded to float16, half the size, where its scores stay the same; else as it is. Calibrated as stored."""
    weights = rounded(model.state_dict(), torch.float16)
    if not _finite(weights):  # beyond float16's 65504; scores may agree all the same, where a network saturates
        return model, torch.float32
    half = type(model)(**model.architecture).eval()
    half.load_state_dict(weights)
    if disagreement(model, half, inputs, device) <= HALF_AGREES:
        return half, torch.float16
    return model, torch.float32


def _check_weights(model: AnomalyModel) -> None:
    """Raises TrainingFailed where training ran away: a bundle of such weights would be refused when it is read, or scores by where its layers saturate."""
    if not _finite(model.state_dict()):
        raise TrainingFailed("the trained network's weights are not all finite numbers", cure=TRAIN_OTHERWISE)
    largest = max((float(value.detach().abs().max()) for value in model.parameters() if value.numel()), default=0.0)
    if largest > LARGEST_WEIGHT:
        raise TrainingFailed(f"the trained network's weights have grown to {largest:.3g}", cure=TRAIN_OTHERWISE)


def _finite(weights: Mapping[str, Tensor]) -> bool:
    """Whether every weight, bias and statistic is a finite number."""
    return all(bool(torch.isfinite(value).all()) for value in weights.values())


def _with_evaluation(interim: Path, card: Card, cohort: Cohort, split: Split, device: str) -> Card:
    """The card with the figures of the bundle as written, if the validation part has enough images of both classes."""
    validation = Cohort(cohort.path, tuple(cohort.series[index] for index in split.validation))
    good, bad = validation.labelled("normal", ""), validation.labelled("abnormal")
    reason = f"{len(good.series)} normal and {len(bad.series)} abnormal images were left to judge it on"
    if min(len(good.series), len(bad.series)) >= FEWEST_SCORED:
        try:
            return card.model_copy(update={"evaluation": judge(load_bundle(interim), good, bad, device=device).metrics})
        except CohortRejected as error:  # files that cannot be read: what was learned is kept all the same
            reason = error.what
    note = f"Not measured: {reason}. Evaluate it on labelled images of other patients before anyone reads with it."
    return card.model_copy(update={"evaluation_note": f"{card.evaluation_note} {note}".strip()})
