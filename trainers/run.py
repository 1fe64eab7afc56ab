"""From a folder of normals to a calibrated bundle: read, check, split by patient, prepare, train, calibrate, evaluate, write. Runs no loss of its own."""

from __future__ import annotations

import hashlib
import platform
import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from engine.errors import CohortRejected, NormascopeError, StorageUnavailable, TrainingFailed
from engine.models.base import AnomalyModel
from engine.models.bundle import load_bundle, save_bundle
from engine.models.card import Applicability, Card, CohortSummary, InputSpec, Preprocessing
from engine.models.inference import choose_device
from engine.preprocess import default_options
from trainers.calibrate import Calibrated, Inputs, agreement, calibrate
from trainers.cohort import Cohort, decoded, inferred_applicability, prepare_cohort
from trainers.draw import FEWEST_CALIBRATION, drawn_cohorts
from trainers.evaluate import FEWEST_SCORED, judge
from trainers.memory import step_memory
from trainers.method import Bytes, MethodTrainer, Patients, TrainingImages
from trainers.plan import TrainingPlan
from trainers.planning import kept_plan, planned
from trainers.split import Split
from trainers.training import OnProgress, Progress, run_training

FEWEST_TRAINING = 5
HALF_AGREES = 1e-2
"""Of a score's standard deviation: weights are stored as float16 when no score of a calibration normal moves by more, about a thousandth of itself."""


@dataclass(frozen=True)
class CardText:
    """What only people know of a model; the rest of the card is measured. Everything has a plain default."""

    id: str = ""
    title: str = ""
    summary: str = ""
    cohort: str = ""
    source: str = ""
    data_licence: str = ""
    licence: str = ""
    primary_score: str = ""
    evaluation_note: str = ""
    limits: tuple[str, ...] = ()
    applicability: Applicability | None = None
    public_patients: bool = False
    recipe: dict[str, Any] = field(default_factory=dict)


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
    resume: bool = False,
    on_progress: OnProgress | None = None,
    text: CardText | None = None,
    plan: TrainingPlan | None = None,
    options: Mapping[str, object] | None = None,
) -> Trained:
    """Train a method on normals and write a calibrated bundle to `out`.

    Normals are split by patient: 70% are learned from, 12% calibrate, 18% validate. Where `normals` is a CSV whose labels name abnormal images too,
    these are never learned from as normals and serve to validate; images with any other label ("uncertain") are left out. What a run needs to go
    on lies in a folder beside `out` (`NAME.run`) until it is done.

    Args:
        method: a key of engine.models.registry.METHODS.
        normals: anything `open_study` takes.
        mixture: unlabelled images, normal and abnormal, for the methods that learn from two cohorts (`cohorts.drawn_cohorts` says how).
        size, epochs, seed: override the method's plan.
        device: "auto", "cpu" or "cuda".
        resume: go on with a run that was interrupted, with its plan and split.
        plan: every choice at once, instead of `size`, `epochs`, `seed` and `options`.
        options: fields of the method's plan by name; words are read as JSON where they can be.

    Raises:
        CohortRejected: too few normals, one patient, mixed kinds, or images that the method cannot take.
        TrainingFailed: no finite loss, or no memory for a step.
        NormascopeError: the method cannot be trained at that size or for so few epochs.
        StorageUnavailable: `out` cannot be written.
    """
    text, out, target = text or CardText(), Path(out), choose_device(device)
    folder = out.with_suffix(".run")
    kept = kept_plan(folder) if resume else None
    trainer = planned(kept or plan, method, size, epochs, seed, target, options or {})
    cohort, split = drawn_cohorts(trainer, normals, mixture)
    plan = trainer.plan
    preprocessing = Preprocessing(
        name=plan.preprocessing, options=default_options(plan.preprocessing) | plan.preprocessing_options
    )
    try:
        history, failures = _trained(trainer, cohort, split, preprocessing, folder, kept is not None, on_progress)
    except OSError as error:
        raise StorageUnavailable(
            f"the run cannot be kept here ({error.strerror or error})",
            where=folder,
            cure="Free some space or choose another folder, then resume.",
        ) from error
    except torch.OutOfMemoryError as error:
        raise TrainingFailed(
            f"{target} ran out of memory", cure=f"Resume on another device, or train with a batch under {plan.batch}."
        ) from error
    inputs = _inputs(cohort, split.calibration, preprocessing, plan.size)
    model, dtype = _as_stored(trainer.scoring_model().cpu(), inputs, target)
    found = calibrate(model, inputs, f"{len(inputs)} held-out normals of {text.cohort or Path(normals).name}", target)
    recipe = _recipe(plan, trainer, history, found, target) | text.recipe
    card = _card(text, out, plan, preprocessing, model, cohort, split, found, recipe)
    # judged from the run's folder: under its own name, nothing ever sees a bundle without its figures
    interim = folder / "unjudged.safetensors"
    save_bundle(interim, model, card, found.heatmap_mean, found.heatmap_p99, dtype=dtype)
    card = _with_evaluation(interim, card, cohort, split, device)
    digest = save_bundle(out, model, card, found.heatmap_mean, found.heatmap_p99, dtype=dtype)
    shutil.rmtree(folder, ignore_errors=True)
    return Trained(out, digest, card, (*cohort.failures, *failures))


def _trained(
    trainer: MethodTrainer,
    cohort: Cohort,
    split: Split,
    preprocessing: Preprocessing,
    folder: Path,
    resume: bool,
    on_progress: OnProgress | None,
) -> tuple[list[Progress], tuple[NormascopeError, ...]]:
    """Prepare the training images and run every epoch."""
    plan, checkpoint = trainer.plan, folder / "checkpoint.safetensors"
    folder.mkdir(parents=True, exist_ok=True)
    if not resume:
        checkpoint.unlink(missing_ok=True)
        (folder / "best.safetensors").unlink(missing_ok=True)
    (folder / "plan.json").write_text(plan.model_dump_json(indent=2))

    def say(what: str) -> None:
        if on_progress is not None:
            on_progress(Progress(0, plan.epochs, 0.0, what))

    failures: list[NormascopeError] = []
    patients = cohort.patients

    def prepared(what: str, indices: Sequence[int]) -> tuple[Bytes | None, Patients | None]:
        if not indices:
            return None, None
        said: set[int] = set()

        def on_share(share: float) -> None:
            if (step := int(share * 20)) not in said:
                said.add(step)
                say(f"preparing {what}, {share:.0%}")

        found = prepare_cohort([cohort.series[i] for i in indices], preprocessing, plan.size, folder, on_share)
        failures.extend(found.failures)
        owners = [patients[indices[place]] for place in found.kept]
        return found.images, np.unique(owners, return_inverse=True)[1].astype(np.int64)

    normal, normal_patients = prepared("images", split.train)
    if normal is None or len(normal) < FEWEST_TRAINING:
        reason = f" (the first reason: {failures[0]})" if failures else ""
        raise CohortRejected(
            f"only {0 if normal is None else len(normal)} training images could be read{reason}",
            where=cohort.path,
            cure="Check the files.",
        )
    mixture, mixture_patients = prepared("unlabelled images", split.mixture)
    held, _ = prepared("images to stop by", split.stopping)
    images = TrainingImages(normal, mixture, held, normal_patients, mixture_patients)
    needed = step_memory(plan, images, trainer.fabric.device)
    trainer.findings["memory_bytes_estimated"] = needed
    say(f"a step needs about {needed / 1e9:.2f} GB")
    history = run_training(trainer, images, checkpoint, resume=resume, on_progress=on_progress)
    return history, tuple(failures)


def _inputs(cohort: Cohort, indices: Sequence[int], preprocessing: Preprocessing, size: tuple[int, ...]) -> Inputs:
    found = decoded([cohort.series[index] for index in indices], preprocessing, size)
    inputs = [item for item in found if not isinstance(item, NormascopeError)]
    if len(inputs) < FEWEST_CALIBRATION:
        raise CohortRejected("too few calibration images could be read", where=cohort.path, cure="Check the files.")
    return inputs


def _as_stored(model: AnomalyModel, inputs: Inputs, device: torch.device) -> tuple[AnomalyModel, torch.dtype]:
    """The network with its weights rounded to float16, half the size, where its scores stay the same; else as it is. Calibrated as stored."""
    rounded = type(model)(**model.architecture).eval()
    rounded.load_state_dict({name: value.half().to(value.dtype) for name, value in model.state_dict().items()})
    if agreement(model, rounded, inputs, device) <= HALF_AGREES:
        return rounded, torch.float16
    return model, torch.float32


def _recipe(
    plan: TrainingPlan,
    trainer: MethodTrainer,
    history: Sequence[Progress],
    found: Calibrated,
    device: torch.device,
) -> dict[str, Any]:
    """What was done, for the card."""
    return {
        "plan": plan.model_dump(mode="json"),
        "epochs_done": len(history),
        "checkpoint_rule": f"{trainer.checkpoint_rule}; no validation image takes part in the choice",
        "last_losses": history[-1].losses if history else {},
        "findings": trainer.findings,
        "steps_skipped_as_not_finite": trainer.skipped,
        "waited_for_images": round(sum(p.waited for p in history) / max(len(history), 1), 4),
        "seconds": round(history[-1].seconds) if history else 0,
        "device": device.type,
        "bfloat16_drift": found.bfloat16_drift,
    }


def _card(
    text: CardText,
    out: Path,
    plan: TrainingPlan,
    preprocessing: Preprocessing,
    model: AnomalyModel,
    cohort: Cohort,
    split: Split,
    found: Calibrated,
    recipe: dict[str, Any],
) -> Card:
    spec = model.spec
    normals = [cohort.series[index] for index in (*split.train, *split.calibration)]
    parts = split.patients(cohort.patients)
    if not text.public_patients:
        salt = secrets.token_hex(
            16
        )  # thrown away: the split can be compared within a card, and nobody can be found again
        parts = {part: tuple(sorted(_hashed(patient, salt) for patient in who)) for part, who in parts.items()}
    validation = [cohort.series[index].label == "abnormal" for index in split.validation]
    summary = CohortSummary(
        name=text.cohort or Path(cohort.path).name,
        source=text.source,
        licence=text.data_licence,
        n_train=len(split.train),
        n_mixture=len(split.mixture),
        n_calibration=len(split.calibration),
        n_validation_normal=validation.count(False),
        n_validation_abnormal=validation.count(True),
        split_seed=plan.seed_of_split,
        split=parts,
    )
    return Card(
        id=text.id or out.stem,
        title=text.title or out.stem,
        summary=text.summary or f"{plan.method} trained on {len(split.train)} normals of {summary.name}",
        method=plan.method,
        architecture=model.architecture,
        input=InputSpec(spatial_dims=spec.spatial_dims, size=spec.size, channels=spec.channels),
        preprocessing=preprocessing,
        applicability=text.applicability or inferred_applicability(normals),
        primary_score=text.primary_score or type(model).primary_score,
        calibration=found.calibration,
        training=summary,
        recipe=recipe,
        evaluation_note=text.evaluation_note,
        paper=type(model).paper,
        limits=(*text.limits, *_coarse(len(split.calibration))),
        licence=text.licence,
        versions={name: version(name) for name in ("normascope", "torch", "numpy")}
        | {"python": platform.python_version()},
        created=datetime.now(UTC).date().isoformat(),
    )


FINE_PERCENTILES = 100
"""Calibration normals below which the card says that percentiles are coarse."""


def _coarse(normals: int) -> tuple[str, ...]:
    if normals >= FINE_PERCENTILES:
        return ()
    return (
        f"Percentiles come from {normals} normals: no finer than steps of {100 / normals:.0f}, so a flag means little.",
    )


def _hashed(patient: str, salt: str) -> str:
    return hashlib.sha256((salt + patient).encode()).hexdigest()[:12]


def _with_evaluation(interim: Path, card: Card, cohort: Cohort, split: Split, device: str) -> Card:
    """The card with the figures of the bundle as written, if the validation part has enough images of both classes."""
    validation = Cohort(cohort.path, tuple(cohort.series[index] for index in split.validation))
    good, bad = validation.labelled("normal", ""), validation.labelled("abnormal")
    if min(len(good.series), len(bad.series)) < FEWEST_SCORED:
        left = f"{len(good.series)} normal and {len(bad.series)} abnormal images were left to judge it on"
        note = f"Not measured: {left}. Evaluate it on labelled images of other patients before anyone reads with it."
        return card.model_copy(update={"evaluation_note": f"{card.evaluation_note} {note}".strip()})
    return card.model_copy(update={"evaluation": judge(load_bundle(interim), good, bad, device=device).metrics})
