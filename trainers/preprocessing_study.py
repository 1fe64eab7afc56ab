"""What each preprocessing step does to AUROC, as in Davletshina 2020, Table 1: the same small network, split and seed, once for each set of steps.

    python -m trainers.preprocessing_study --data FOLDER --out FOLDER [--sets knee limb_fracture]

FOLDER of data holds a folder a set with its labels.csv. Writes OUT/preprocessing_study.csv: AUROC of each score with its interval by patient, and
the difference to the raw images on the same patients; each set of steps as soon as it is measured. The network (CAE, 64 x 64, an eighth of the
paper's bottleneck) and the number of its updates are fixed beforehand and small: the table compares steps, not methods. A network is kept under what
its images hold: sets of steps that leave every image as it was are not trained anew, and a study that was interrupted goes on where it stopped.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from engine.errors import NormascopeError
from engine.imaging.series import Series
from engine.models.bundle import load_bundle
from engine.models.card import Preprocessing
from engine.models.shelf import read_card
from engine.scoring.scorer import Scorer
from trainers.cohort import Cohort, decoded, read_cohort, write_table
from trainers.model_card import CardText
from trainers.run import train
from trainers.shell import run_command

SIZE = 64
RESAMPLES = 1000
SCORES = ("mse", "mse_top200", "ssim")
NETWORK: dict[str, object] = {
    "preprocessing": "chest",  # the images come prepared: this one changes nothing of a square of grey bytes
    "preprocessing_options": {},
    "width": 8,
    "bottleneck": 64,
    "batch": 16,
    "learning_rate": 1e-3,
}

Options = dict[str, object]

CROP: Options = {"carrier": "crop", "part": "largest"}
FULL: Options = {**CROP, "foreground": "segment"}
CONFIGURATIONS: dict[str, Options] = {
    "raw": {},
    "raw + equalised": {"grey": "equalised"},
    "crop": CROP,
    "crop + equalised": {**CROP, "grey": "equalised"},
    "full": FULL,
    "full + equalised": {**FULL, "grey": "equalised"},
    "stretched instead of padded": {"fit": "stretch"},
    "exposure evened": {"grey": "percentile"},
    "carrier": {"carrier": "crop"},
    "markers": {"markers": "paint"},
    "part": {"part": "largest"},
    "foreground": {"foreground": "segment"},
    "negatives turned": {"negative": "turn"},
    "joint": {"part": "joint"},
    "local contrast": {"grey": "local"},
    "negatives turned + joint + local contrast": {"negative": "turn", "part": "joint", "grey": "local"},
}
"""Those of Table 1 (raw, crop and full, without and with histogram equalisation), each switch alone, and those for knees together. All pad to a square
but one."""


@dataclass(frozen=True)
class StudySet:
    """A folder of images, how often it is split anew, and how long the network learns."""

    folder: str
    splits: int
    epochs: int


SETS: dict[str, StudySet] = {
    "knee": StudySet("knee", splits=1, epochs=25),
    # 52 normals leave ten to judge on: five splits use each about once
    "limb_fracture": StudySet("limb_fracture", splits=5, epochs=120),
}

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Judged:
    """One split's held-out images under one configuration: whose, which class, and every score."""

    patients: tuple[str, ...]
    abnormal: npt.NDArray[np.bool_]
    scores: dict[str, Floats]


def prepared_set(cohort: Cohort, owners: Sequence[str], options: Options, folder: Path) -> tuple[Path, str, int]:
    """Every image as a square of grey bytes; the CSV that lists them, a digest of their bytes, and how many could not be prepared."""
    folder.mkdir(parents=True, exist_ok=True)
    asked = Preprocessing(name="chest", options={"fit": "pad", **options})
    rows: list[dict[str, object]] = []
    content, failed = hashlib.sha256(), 0
    found = decoded(cohort.series, asked, (SIZE, SIZE))
    for index, (series, owner, tensor) in enumerate(zip(cohort.series, owners, found, strict=True)):
        if isinstance(tensor, NormascopeError):
            failed += 1
            continue
        grey = np.rint((tensor[0] + 1) * 127.5).astype(np.uint8)
        name = f"{index:05d}.png"
        content.update(name.encode() + grey.tobytes())
        Image.fromarray(grey).save(folder / name)
        rows.append({"path": name, "patient_id": owner, "label": series.label})
    write_table(folder / "labels.csv", ("path", "patient_id", "label"), rows)
    return folder / "labels.csv", content.hexdigest()[:16], failed


def judged_split(csv: Path, epochs: int, seed: int, bundle: Path) -> Judged:
    """Train on one split of the prepared images, or take the bundle of an earlier call, and score those held out."""
    if not bundle.exists():
        text = CardText(cohort=csv.parent.name, public_patients=True)
        options = {**NETWORK, "epochs": epochs, "size": (SIZE, SIZE), "seed": seed}
        train("cae", csv, out=bundle, device="cpu", text=text, options=options, resume=True)
    held_out = set(read_card(bundle).training.split["validation"])
    series = [one for one in read_cohort(csv).series if one.patient_id in held_out]
    return _scored(bundle, series)


def _scored(bundle: Path, series: Sequence[Series]) -> Judged:
    results = [result for result in Scorer(load_bundle(bundle), "cpu").score(series) if not result.error]
    return Judged(
        tuple(result.series.patient_id for result in results),
        np.array([result.series.label == "abnormal" for result in results]),
        {name: np.array([result.scores[name].score for result in results]) for name in SCORES},
    )


def areas(splits: Sequence[Judged], score: str, seed: int = 0) -> Floats:
    """[1 + RESAMPLES] mean AUROC over the splits: of all patients, then of patients drawn again, normal and abnormal apart.

    The same seed draws the same patients for every configuration, so that differences are paired.
    """
    sick = {p for split in splits for p, bad in zip(split.patients, split.abnormal, strict=True) if bad}
    everyone = sorted({p for split in splits for p in split.patients})
    place = {patient: index for index, patient in enumerate(everyone)}
    groups = [[place[p] for p in everyone if (p in sick) == ill] for ill in (False, True)]
    generator = np.random.default_rng(seed)
    weights = np.zeros((1 + RESAMPLES, len(everyone)))
    weights[0] = 1
    for row in weights[1:]:
        for group in groups:
            row += np.bincount(generator.choice(group, len(group)), minlength=len(everyone))
    found = np.full((len(splits), 1 + RESAMPLES), np.nan)
    for index, split in enumerate(splits):
        weight = weights[:, [place[p] for p in split.patients]]
        bad, good = split.abnormal, ~split.abnormal
        high, low = split.scores[score][bad][:, None], split.scores[score][good][None]
        wins = (high > low) + 0.5 * (high == low)
        pairs = weight[:, bad].sum(1) * weight[:, good].sum(1)
        won = np.einsum("rp,pn,rn->r", weight[:, bad], wins, weight[:, good], optimize=True)
        found[index] = np.divide(won, pairs, out=np.full(len(won), np.nan), where=pairs > 0)
    return np.asarray(np.nanmean(found, axis=0))


def study(name: str, data: Path, out: Path) -> Iterator[list[dict[str, object]]]:
    """One set under every configuration, the raw images first: the table's rows, a row for each score."""
    asked = SETS[name]
    cohort = read_cohort(data / asked.folder / "labels.csv")
    owners = [series.patient_id or Path(series.path).stem for series in cohort.series]
    known: dict[str, tuple[str, list[Judged]]] = {}
    raw: list[Judged] = []
    for number, (title, options) in enumerate(CONFIGURATIONS.items()):
        csv, content, failed = prepared_set(cohort, owners, options, out / name / f"configuration-{number:02d}")
        same, splits = known.get(content, ("", []))
        if not splits:
            bundles = [out / name / f"{content}-{seed}.safetensors" for seed in range(asked.splits)]
            splits = [judged_split(csv, asked.epochs, seed, bundle) for seed, bundle in enumerate(bundles)]
            known[content] = (title, splits)
        raw = raw or splits
        yield [_row(name, title, options, score, splits, raw) | {"same_as": same, "failed": failed} for score in SCORES]


def _row(
    name: str, title: str, options: Options, score: str, splits: Sequence[Judged], raw: Sequence[Judged]
) -> dict[str, object]:
    found = areas(splits, score)
    gain = found - areas(raw, score)
    interval, gains = (np.nanquantile(values[1:], (0.025, 0.975)) for values in (found, gain))
    return {
        "set": name,
        "configuration": title,
        "steps": "; ".join(f"{key}: {value}" for key, value in options.items()),
        "score": score,
        "auroc": f"{found[0]:.3f}",
        "low": f"{interval[0]:.3f}",
        "high": f"{interval[1]:.3f}",
        "gain": f"{gain[0]:+.3f}",
        "gain_low": f"{gains[0]:+.3f}",
        "gain_high": f"{gains[1]:+.3f}",
        "splits": len(splits),
        "n_normal": len({p for s in splits for p, bad in zip(s.patients, s.abnormal, strict=True) if not bad}),
        "n_abnormal": len({p for s in splits for p, bad in zip(s.patients, s.abnormal, strict=True) if bad}),
    }


def main() -> None:
    """Run the study from a shell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    asked = parser.parse_args()
    rows: list[dict[str, object]] = []
    for name in asked.sets:
        for measured in study(name, asked.data, asked.out):
            rows += measured
            write_table(asked.out / "preprocessing_study.csv", list(rows[0]), rows)
            print(*(f"{row['score']} {row['auroc']} ({row['low']} to {row['high']})" for row in measured), end=" ")
            print(measured[0]["configuration"], flush=True)


if __name__ == "__main__":
    run_command(main)
