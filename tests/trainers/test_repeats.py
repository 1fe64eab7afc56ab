"""Runs over splits draw other patients, runs over seeds the same; what is finished is not done again; the mean's interval knows what splits share."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.errors import CohortRejected
from trainers import repeats
from trainers.repeats import Asked, Run, repeat, spread, write_report

Make = Callable[..., Path]


class Enough(Exception):
    """What was asked of `train` has been seen."""


def run(number: int, area: float, train: int = 70, tested: int = 18) -> Run:
    return Run(number, train, tested, 50, {"s": area}, {"s": np.linspace(0, 1, 101).tolist()})


def test_runs_are_trained_judged_and_reported_and_not_done_twice(
    cohort_csv: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = cohort_csv(normals=60, abnormals=6), tmp_path / "out"
    given = f"repeats --method alpha-gan --normals {source} --out {out} --runs 2 --size 16 --epochs 1 --device cpu"
    monkeypatch.setattr(sys, "argv", [*given.split(), "--option", "width=32", "--ablate", "code=4"])
    repeats.main()
    found = json.loads((out / "repeats.json").read_text())["variants"]
    assert set(found) == {"alpha-gan_code_4"}
    assert len(found["alpha-gan_code_4"]["ssim"]["aurocs"]) == 2
    table = list(csv.DictReader((out / "repeats.csv").open()))
    assert len(table) == 4 and {row["runs"] for row in table} == {"2"}
    assert (out / "roc_alpha-gan_code_4.png").exists() and not list(out.rglob("*.safetensors"))
    assert "alpha-gan_code_4 ssim:" in capsys.readouterr().out

    monkeypatch.setattr(repeats, "train", lambda *given, **named: pytest.fail("a finished run was done again"))
    options = {"width": "32", "code": "4"}
    asked = Asked("alpha-gan", source, out / "alpha-gan_code_4", size=16, epochs=1, options=options)
    assert [each.number for each in repeat(asked, 2)] == [0, 1]
    with pytest.raises(CohortRejected, match="asked for otherwise"):
        repeat(replace(asked, epochs=2), 2)


def test_a_cohort_that_cannot_be_judged_on_is_refused_before_anything_is_learned(
    cohort_csv: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repeats, "train", lambda *given, **named: pytest.fail("a run was begun"))
    with pytest.raises(CohortRejected, match="0 abnormal images are too few"):
        repeat(Asked("cae", cohort_csv(normals=30), tmp_path / "out"), 2)


@pytest.mark.parametrize("vary", ["split", "seed"])
def test_splits_draw_other_patients_and_seeds_do_not(
    cohort_csv: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, vary: repeats.Vary
) -> None:
    seen: list[tuple[int, int]] = []

    def watched(*given: object, seed: int, options: dict[str, int], **named: object) -> None:
        seen.append((seed, options["split_seed"]))
        raise Enough

    monkeypatch.setattr(repeats, "train", watched)
    asked = Asked("alpha-gan", cohort_csv(), tmp_path / "out", vary=vary)
    for number in range(3):
        with pytest.raises(Enough):
            repeats._run(asked, number, lambda words: None)
    assert seen == [(n, n if vary == "split" else 0) for n in range(3)]


@pytest.mark.parametrize(("words", "devices"), [("", None), (" --devices 2", 2)])
def test_a_command_trains_on_as_many_devices_as_it_is_asked_for(
    words: str, devices: int | None, cohort_csv: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[object] = []

    def watched(*given: object, **named: object) -> None:
        seen.append(named["devices"])
        raise Enough

    monkeypatch.setattr(repeats, "train", watched)
    given = f"repeats --method cae --normals {cohort_csv(normals=60, abnormals=6)} --out {tmp_path}{words}"
    monkeypatch.setattr(sys, "argv", given.split())
    with pytest.raises(Enough):
        repeats.main()
    assert seen == [devices]


def test_a_run_that_was_killed_before_it_was_judged_is_done_again(
    cohort_csv: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its bundle is finished: resuming it would be refused, and the runs that are still to do never done."""
    source, out = cohort_csv(normals=60, abnormals=6), tmp_path / "out"
    asked = Asked("alpha-gan", source, out, size=16, epochs=1, options={"width": "32", "code": "4"}, device="cpu")

    def killed(*_: object, **__: object) -> None:
        raise Enough

    with monkeypatch.context() as patch:
        patch.setattr(repeats, "judge", killed)
        with pytest.raises(Enough):
            repeat(asked, 2)
    assert (out / "run-00.safetensors").exists()
    assert [each.number for each in repeat(asked, 2)] == [0, 1]


def test_runs_on_another_number_of_devices_have_other_weights_and_are_not_counted_as_the_same(tmp_path: Path) -> None:
    asked = Asked("cae", tmp_path / "labels.csv", tmp_path)
    repeats._check_same(asked)
    repeats._check_same(replace(asked, devices=1))
    with pytest.raises(CohortRejected, match="asked for otherwise"):
        repeats._check_same(replace(asked, devices=2))


def test_the_means_interval_is_wider_where_runs_share_their_patients(tmp_path: Path) -> None:
    runs = [run(n, area) for n, area in enumerate((0.80, 0.82, 0.84, 0.86))]
    seeds, splits = spread(runs, "s", "seed"), spread(runs, "s", "split")
    assert seeds.mean == pytest.approx(0.83) and seeds.deviation == pytest.approx(0.02582, abs=1e-5)
    # Student's t with 3 degrees of freedom is 3.182
    assert seeds.mean_ci95[1] - 0.83 == pytest.approx(3.182 * 0.02582 / 2, abs=1e-4)
    assert splits.mean_ci95[1] - 0.83 == pytest.approx(3.182 * 0.02582 * (1 / 4 + 18 / 70) ** 0.5, abs=1e-4)
    write_report(tmp_path, {"a": runs}, "split")
    assert "Nadeau" in json.loads((tmp_path / "repeats.json").read_text())["note"]


def test_one_run_has_no_spread(cohort_csv: Make, tmp_path: Path) -> None:
    with pytest.raises(CohortRejected, match="no spread"):
        repeat(Asked("alpha-gan", cohort_csv(), tmp_path / "out"), 1)
