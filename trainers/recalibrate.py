"""Places an installed model among other normals, or gives it the scores that its method has learned since, without training it again.

A scanner, a department or a country differs from the cohort a model was calibrated on; its percentiles should be those of the normals it reads among.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from engine.errors import CohortRejected, NormascopeError
from engine.models.bundle import Bundle, load_bundle, save_bundle
from engine.models.card import CARD_VERSION, Card, SplitBy
from engine.models.inference import choose_device
from engine.models.shelf import find, read_header
from trainers.calibrate import calibrate
from trainers.cohort import Cohort, check_labels, check_normals, decoded, read_cohort
from trainers.judging import judge, learned_units
from trainers.model_card import recalibrated_limits
from trainers.shell import run_command
from trainers.split import FEWEST_CALIBRATION


@dataclass(frozen=True)
class Recalibrated:
    """The new bundle, and why some images were left out."""

    path: Path
    hash: str
    card: Card
    failures: tuple[NormascopeError, ...]


def recalibrate(
    model: str | Path, normals: str | Path, out: str | Path, *, device: str = "auto", cohort_name: str | None = None
) -> Recalibrated:
    """Write `out`: the same weights, with percentiles and heatmap tables of `normals`.

    Where `normals` is the cohort that the card names, its own calibration patients are used, and its validation patients are judged again; else
    every image given is a calibration normal, none of them may be one that the model learned from, and the card's figures stay those of its own
    validation.

    Args:
        cohort_name: what the card calls the normals; None is their file's or folder's name.

    Raises:
        CohortRejected: too few normals, images labelled abnormal or learned from among them, or labels that nobody knows.
        TrainingFailed: a score of these normals is not finite.
        BundleRejected, StorageUnavailable.
    """
    bundle, target = load_bundle(find(model).path), choose_device(device)
    cohort = read_cohort(normals)
    split = {part: set(patients) for part, patients in bundle.card.training.split.items()}
    by, parts = bundle.card.training.split_by, bundle.card.applicability.body_part
    own = split.get("calibration", set()) <= set(cohort.units(by)) and bool(split.get("calibration"))
    if own:
        chosen = _of(cohort, by, split["calibration"])  # as it was split: normals by definition
    else:
        check_labels(normals)
        check_normals(chosen := cohort, together=parts)
        _check_unknown(chosen, bundle.card)
    found = list(decoded(chosen.series, bundle.card.preprocessing, bundle.card.input.size))
    inputs = [item for item in found if not isinstance(item, NormascopeError)]
    failures = tuple(item for item in found if isinstance(item, NormascopeError))
    if len(inputs) < FEWEST_CALIBRATION:
        raise CohortRejected("too few normals could be read", where=normals, cure="Check the files.")
    named = cohort_name or Path(chosen.path).name
    tables = calibrate(bundle.model, inputs, f"{len(inputs)} normals of {named}", target)
    changes: dict[str, Any] = {
        "card_version": CARD_VERSION,
        "calibration": tables.calibration.model_copy(
            update={"flag_percentile": bundle.card.calibration.flag_percentile}
        ),
        "recipe": bundle.card.recipe
        | {"bfloat16_drift": tables.bfloat16_drift, "recalibrated": datetime.now(UTC).date().isoformat()},
        "limits": recalibrated_limits(bundle.card.limits, len(inputs)),
        "versions": bundle.card.versions | {"normascope": version("normascope")},
    }
    card = bundle.card.model_copy(update=changes)
    if own and split.get("validation"):
        card = card.model_copy(
            update={"evaluation": _judged(bundle, card, _of(cohort, by, split["validation"]), device)}
        )
    digest = save_bundle(
        out, bundle.model, card, tables.heatmap_mean, tables.heatmap_p99, dtype=_stored_type(bundle.path)
    )
    return Recalibrated(Path(out), digest, card, (*cohort.failures, *failures))


def _check_unknown(cohort: Cohort, card: Card) -> None:
    """Raises CohortRejected when any normal is one that the network learned from: it finds these too normal, and every other image would be flagged."""
    by = card.training.split_by
    known = learned_units(card, set(cohort.units(by))) - set(card.training.split.get("calibration", ()))
    if known:
        raise CohortRejected(
            f"the model learned from {len(known)} of these patients",
            where=cohort.path,
            cure="Give normals of other patients, or the model's own table of labels.",
        )


def _of(cohort: Cohort, by: SplitBy, units: set[str]) -> Cohort:
    kept = (series for series, unit in zip(cohort.series, cohort.units(by), strict=True) if unit in units)
    return Cohort(cohort.path, tuple(kept), cohort.failures)


def _judged(bundle: Bundle, card: Card, validation: Cohort, device: str) -> dict[str, Any]:
    """Every score that the new tables know, on the card's own validation patients."""
    judged = Bundle(bundle.model, card, bundle.hash, bundle.heatmap_mean, bundle.heatmap_p99, bundle.path)
    return judge(judged, validation.labelled("normal"), validation.labelled("abnormal"), device=device).metrics


def _stored_type(path: Path) -> torch.dtype:
    half = any(entry.get("dtype") == "F16" for name, entry in read_header(path).items() if name.startswith("model."))
    return torch.float16 if half else torch.float32


def main() -> None:
    """Recalibrate one bundle and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="an installed model's id, or a bundle")
    parser.add_argument(
        "--normals", required=True, help="normals: anything that can be opened, or the model's own labels.csv"
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cohort", help="what the card calls the normals; their file's or folder's name when left out")
    parser.add_argument("--device", default="auto")
    asked = parser.parse_args()
    made = recalibrate(asked.model, asked.normals, asked.out, device=asked.device, cohort_name=asked.cohort)
    print(made.path, made.hash, {name: (m.auroc, m.auroc_ci95) for name, m in made.card.evaluation.items()})


if __name__ == "__main__":
    run_command(main)
