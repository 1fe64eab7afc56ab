"""What a run's folder says of an interrupted run: its plan, and which images it began with. Resuming with others would teach a network its own validation."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import fields
from pathlib import Path

from engine.errors import CohortRejected, NormascopeError, StorageUnavailable
from trainers.cohort import Cohort, write_whole
from trainers.plan import TrainingPlan
from trainers.registry import trainer_class
from trainers.split import Split

_PLAN, _COHORT, _DEVICES = "plan.json", "cohort.json", "devices.json"


def run_folder(out: Path) -> Path:
    """Where the run that is to write `out` is kept until it is done."""
    return out.with_suffix(".run")


def is_interrupted(out: Path) -> bool:
    """Whether a run that is to write `out` was begun and is not done."""
    return (run_folder(out) / _PLAN).exists()


def check_something_to_resume(out: Path) -> None:
    """Raises NormascopeError where `out` is finished and no run of it interrupted: to go on is not to begin anew and put another in its place."""
    if out.exists() and not is_interrupted(out):
        raise NormascopeError(
            "this is finished already, and no run was interrupted that could be resumed",
            where=out,
            cure="Leave out --resume to train anew, which replaces it at the end, or choose another --out.",
        )


def kept_plan(folder: Path, method: str) -> TrainingPlan | None:
    """The interrupted run's own plan: a resumed run must not change its mind halfway. None where no run was interrupted.

    Raises:
        StorageUnavailable: the plan is damaged.
        NormascopeError: the run is one of another method.
    """
    file = folder / _PLAN
    try:
        if not file.exists():
            return None
        values = json.loads(file.read_text())
        plan = trainer_class(values["method"]).plan_class.model_validate(values)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StorageUnavailable(
            "the plan of the interrupted run cannot be read", where=file, cure="Train again without --resume."
        ) from error
    if plan.method != method:
        raise NormascopeError(
            f"the interrupted run is one of {plan.method}, not of {method}",
            where=folder,
            cure=f"Resume it with --method {plan.method}, or train again without --resume.",
        )
    return plan


def kept_devices(folder: Path, asked: int | None) -> int:
    """How many devices the interrupted run began on: on others its random numbers and roundings, and so its weights, would be others.

    Raises:
        StorageUnavailable: what the folder says of them is damaged.
        NormascopeError: others are asked for.
    """
    file, began = folder / _DEVICES, 1
    try:
        if file.exists():  # a run from before there were several devices has none
            began = int(json.loads(file.read_text())["devices"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StorageUnavailable(
            "the interrupted run's devices cannot be read", where=file, cure="Train again without --resume."
        ) from error
    if asked is not None and asked != began:
        raise NormascopeError(
            f"the interrupted run began on {began} device{'' if began == 1 else 's'}, not on {asked}",
            where=folder,
            cure=f"Resume it with --devices {began}, or train again without --resume.",
        )
    return began


def keep(folder: Path, plan: TrainingPlan, cohort: Cohort, split: Split, devices: int) -> None:
    """Remember a run that begins. The plan comes last: with it there is a run to go on with."""
    write_whole(folder / _DEVICES, json.dumps({"devices": devices}))
    write_whole(folder / _COHORT, json.dumps({"split": _fingerprint(cohort, split)}))
    write_whole(folder / _PLAN, plan.model_dump_json(indent=2))


def forget(folder: Path) -> None:
    """Remove a run that is done. The plan goes first: killed meanwhile, it leaves no run behind that seems to have only begun."""
    (folder / _PLAN).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def check_same_cohort(folder: Path, cohort: Cohort, split: Split) -> None:
    """Raises CohortRejected unless every image is in the part of the cohort that it was in when the run began."""
    file = folder / _COHORT
    if file.exists() and json.loads(file.read_text())["split"] != _fingerprint(cohort, split):
        raise CohortRejected(
            "these are not the images that the interrupted run began with",
            where=cohort.path,
            cure="Give those, or train again without --resume.",
        )


def _fingerprint(cohort: Cohort, split: Split) -> str:
    """Of each part's patients and files in order, by the files' names alone: a folder may have been moved."""
    owners = cohort.patients
    parts = {
        part.name: [[owners[i], Path(cohort.series[i].path).name] for i in getattr(split, part.name)]
        for part in fields(split)
    }
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
