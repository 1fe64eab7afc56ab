"""What is measured of a ratio posterior besides its AUROC, and written into its card.

    python -m trainers.ratio_study checks BUNDLE --table CSV [--boxes CSV] [--curve JSON]
    python -m trainers.ratio_study curve NAME --data FOLDER --out FOLDER --picture PNG

`checks` asks on the validation patients whether borders and letters carry the verdict (trainers/shortcuts.py) and whether heatmaps point at what people
marked (trainers/localisation.py). `curve` trains a starter's recipe anew with ever fewer abnormal images in the mixture. Neither chooses anything.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import torch

from engine.models.bundle import Bundle, load_bundle, save_bundle
from engine.models.card import Metric
from engine.models.shelf import read_header
from trainers.cohort import Cohort
from trainers.judging import Subject, judge, read_sides, without_learned
from trainers.localisation import called, check_told_apart, localisation, marked, read_regions, regions_of
from trainers.ratio_posterior import RatioPosteriorPlan
from trainers.report.drawing import ABNORMAL, save, tidy
from trainers.shell import run_command
from trainers.shortcuts import shortcut_checks
from trainers.starters.recipes import STARTERS
from trainers.starters.starter import Starter

RATES = (0.02, 0.05, 0.1, 0.2, 0.5)
CURVE_PLAN = {"members": 1, "mixture_normals": 0.5}
"""What differs from the bundle's plan at each point: one network, and more unlabelled normals, so that a rare disease still has some images."""
RARE = 0.1
RARE_PLAN = {"risk": "non-negative", "least_normal_share": 0.8}
RARE_EPOCHS = 2
"""And where at most a tenth is abnormal, with so many times the bundle's epochs: the fewer there are, the later a network finds them; chosen at a tenth
on selection patients of the paediatric chests."""


def measured_checks(bundle: Bundle, table: Path, boxes: Path | None = None) -> dict[str, Any]:
    """Shortcuts, and localisation where boxes are given, on the patients whom the bundle has not learned from. For the card's recipe."""
    good, bad, _ = without_learned(*read_sides(table, table, [bundle.card]), [bundle.card])
    found: dict[str, Any] = {"shortcut_checks": shortcut_checks(bundle, good, bad)}
    if boxes is not None:
        found["localisation"] = _localised(bundle, good, bad, boxes)
    return found


def _localised(bundle: Bundle, good: Cohort, bad: Cohort, boxes: Path) -> dict[str, Any]:
    every = read_regions(boxes)
    check_told_apart((*good.series, *bad.series), every, boxes)
    evaluation = judge(Subject.of(bundle, "cpu"), good, bad, keeps_maps=lambda series: bool(regions_of(series, every)))
    images = marked(evaluation.results, evaluation.patients, every)
    here = {name for image in images for name in called(image.result.series)}
    return localisation(images, {name: regions for name, regions in every.items() if name in here})


def with_findings(path: Path, findings: dict[str, Any]) -> Bundle:
    """Write the findings into the recipe of a bundle's card; weights and tables stay as they are, to the bit."""
    half = any(entry.get("dtype") == "F16" for entry in read_header(path).values())
    bundle = load_bundle(path)
    card = bundle.card.model_copy(update={"recipe": bundle.card.recipe | findings})
    dtype = torch.float16 if half else torch.float32
    save_bundle(path, bundle.model, card, bundle.heatmap_mean, bundle.heatmap_p99, dtype=dtype)
    return load_bundle(path)


def mixture_curve(name: str, data: Path, out: Path, rates: Sequence[float] = RATES) -> dict[str, Any]:
    """Train a starter's recipe with each share of abnormal images in the mixture; what the card and the picture need, kept in `out`/curve.json."""
    starter, points = STARTERS[name], []
    for rate in rates:
        plan = {**starter.plan, **CURVE_PLAN, **(_rare(starter) if rate <= RARE else {}), "mixture_rate": rate}
        file = out / f"rate-{rate}" / f"{starter.id}.safetensors"
        if not file.exists():
            replace(starter, plan=plan).make(data, file.parent, "cpu", lambda progress: print(progress, flush=True))
        card = load_bundle(file).card
        points.append(_point(rate, card.training.n_mixture, card.recipe["findings"], card.evaluation["log_posterior"]))
    curve = {
        "note": (
            "AUROC on the validation patients by share of abnormal images in the unlabelled mixture. Each point is a training of its own, with one network "
            "where the bundle averages several, and with half of the training normals in the mixture; where at most a tenth is abnormal, for twice as many "
            "epochs and with the non-negative risk."
        ),
        "points": points,
    }
    (out / "curve.json").write_text(json.dumps(curve, indent=2))
    return curve


def _rare(starter: Starter) -> dict[str, object]:
    """What a point's plan has besides where abnormal images are rare."""
    return {**RARE_PLAN, "epochs": RARE_EPOCHS * RatioPosteriorPlan.model_validate(starter.plan).epochs}


def _point(rate: float, images: int, findings: dict[str, Any], metric: Metric) -> dict[str, Any]:
    return {
        "mixture_rate": rate,
        "n_mixture": images,
        "auroc": round(metric.auroc, 4),
        "auroc_ci95": [round(value, 4) for value in metric.auroc_ci95],
        "estimated_normal_share": findings["normal_share_of_mixture"],
    }


def draw_curve(curve: dict[str, Any], title: str, path: Path) -> None:
    """The curve with its intervals, on a logarithmic axis, as PNG."""
    points = curve["points"]
    rates = [100 * point["mixture_rate"] for point in points]
    areas = [point["auroc"] for point in points]
    spread = [
        [area - point["auroc_ci95"][0] for area, point in zip(areas, points, strict=True)],
        [point["auroc_ci95"][1] - area for area, point in zip(areas, points, strict=True)],
    ]
    figure, axes = plt.subplots(figsize=(5.2, 3.6), layout="constrained")
    axes.errorbar(rates, areas, yerr=spread, color=ABNORMAL, marker="o", capsize=3)
    axes.axhline(0.5, color="0.6", linewidth=1, linestyle="--")
    axes.set_xscale("log")
    axes.set_xticks(rates, [f"{rate:g}" for rate in rates])
    axes.minorticks_off()
    axes.set(xlabel="abnormal images in the mixture, %", ylabel="AUROC (95% interval)", title=title, ylim=(0.2, 1))
    tidy(axes)
    save(figure, path)


def main() -> None:
    """Run one part of the study."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_subparsers(dest="part", required=True)
    checks = parts.add_parser("checks")
    checks.add_argument("bundle", type=Path)
    checks.add_argument("--table", type=Path, required=True)
    checks.add_argument("--boxes", type=Path)
    checks.add_argument("--curve", type=Path)
    curve = parts.add_parser("curve")
    curve.add_argument("name", choices=sorted(name for name in STARTERS if STARTERS[name].method == "ratio-posterior"))
    curve.add_argument("--data", type=Path, required=True)
    curve.add_argument("--out", type=Path, required=True)
    curve.add_argument("--picture", type=Path, required=True)
    asked = parser.parse_args()
    if asked.part == "checks":
        found = measured_checks(load_bundle(asked.bundle), asked.table, asked.boxes)
        if asked.curve is not None:
            found["mixture_curve"] = json.loads(asked.curve.read_text())
        with_findings(asked.bundle, found)
    else:
        found = mixture_curve(asked.name, asked.data, asked.out)
        draw_curve(found, STARTERS[asked.name].images.title, asked.picture)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    run_command(main)
