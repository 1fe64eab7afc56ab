"""A model is never judged on the patients it has learned from, and a site's own patients are never mistaken for them."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import SimpleITK

from engine.errors import CohortRejected, StorageUnavailable
from engine.models import shelf
from engine.models.bundle import load_bundle, save_bundle
from trainers.alpha_gan import AlphaGANPlan
from trainers.evaluate import evaluate
from trainers.judging import judge, read_sides, without_learned
from trainers.model_card import CardText
from trainers.run import train

Make = Callable[..., Path]
PLAN = AlphaGANPlan(size=(16, 16), epochs=6, width=32, code=8)


@pytest.mark.usefixtures("undrawn")
def test_patients_the_model_learned_from_are_left_out_and_named(cohort_csv: Make, tmp_path: Path) -> None:
    source = cohort_csv(normals=60, abnormals=8)
    trained = train("alpha-gan", source, out=tmp_path / "m.safetensors", plan=PLAN, text=CardText(public_patients=True))
    notes: list[str] = []
    metrics = evaluate(trained.path, source, source, tmp_path / "report", on_note=notes.append)
    assert (metrics["ssim"].n_normal, metrics["ssim"].n_abnormal) == (11, 8)
    rows = list(csv.DictReader((tmp_path / "report" / "scores.csv").open()))
    assert sum("left out" in row["error"] for row in rows) == 49 and notes[0].startswith("49 images")

    good, bad = read_sides(source, source, [])
    summary = trained.card.training
    site = {"train": tuple(str(i) for i in range(200)), "validation": ("P050",)}
    other = trained.card.model_copy(update={"training": summary.model_copy(update={"split": site})})
    assert without_learned(good, bad, [other])[2] == ()
    everyone = {"train": tuple(sorted({*good.patients, *bad.patients}))}
    greedy = trained.card.model_copy(update={"training": summary.model_copy(update={"split": everyone})})
    with pytest.raises(CohortRejected, match="0 normal and 0 abnormal images are left"):
        without_learned(good, bad, [greedy])


@pytest.mark.usefixtures("undrawn")
def test_a_card_that_names_nobody_is_said_to_hide_who_was_learned_from(cohort_csv: Make, tmp_path: Path) -> None:
    source = cohort_csv(normals=60, abnormals=8)
    trained = train("alpha-gan", source, out=tmp_path / "m.safetensors", plan=PLAN)
    notes: list[str] = []
    evaluate(trained.path, source, source, tmp_path / "report", on_note=notes.append)
    assert notes[0].startswith("The card of m names no patient")


@pytest.mark.usefixtures("undrawn")
def test_films_that_name_no_patient_are_said_to_hide_who_was_learned_from_in_the_card_and_when_judged(
    cohort_csv: Make, tmp_path: Path
) -> None:
    source = cohort_csv(normals=60, abnormals=8)
    rows = list(csv.DictReader(source.open()))
    with source.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["path", "label"])
        writer.writeheader()
        writer.writerows({"path": row["path"], "label": row["label"]} for row in rows)
    trained = train("alpha-gan", source, out=tmp_path / "m.safetensors", plan=PLAN, text=CardText(public_patients=True))
    assert any(limit.startswith("68 images name no patient") for limit in trained.card.limits)
    other, notes = cohort_csv(normals=30, abnormals=8, name="other").parent, list[str]()
    (other / "cohort.csv").unlink()
    apart = tmp_path / "apart"
    apart.mkdir()
    for index in range(30, 38):
        (other / f"{index:03d}.png").rename(apart / f"{index:03d}.png")
    evaluate(trained.path, other, apart, tmp_path / "report", on_note=notes.append)
    assert any("38 images name no patient" in note and "flatter" in note for note in notes)


def test_a_folder_that_cannot_be_made_is_told_before_anything_is_scored(
    cohort_csv: Make, tmp_path: Path, tiny_bundle_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = cohort_csv(normals=30, abnormals=6)
    monkeypatch.setattr("trainers.evaluate.judge", lambda *given, **named: pytest.fail("it was scored"))
    with pytest.raises(StorageUnavailable, match="cannot write here"):
        evaluate(tiny_bundle_file, source, source, source)


def _two_films_a_study(source: Path) -> Path:
    """The cohort with findings, sexes and studies of two films, of each patient one study; its fourth file is empty, its sixth an absurdly large film."""
    rows = list(csv.DictReader(source.open()))
    with source.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["path", "patient_id", "label", "finding", "sex", "study_id"])
        writer.writeheader()
        for index, row in enumerate(rows):
            whose = {"patient_id": f"P{index // 2}", "study_id": "1", "sex": "FM"[index // 2 % 2]}
            writer.writerow({**row, **whose, "finding": "white lung" if row["label"] == "abnormal" else ""})
    (source.parent / "003.png").write_bytes(b"")
    film = SimpleITK.ReadImage(str(source.parent / "005.png"))
    film.SetSpacing((5000, 5000))
    SimpleITK.WriteImage(film, str(source.parent / "005.nii"))
    (source.parent / "005.nii").rename(source.parent / "005.png")
    return source


def _boxes(path: Path) -> Path:
    """One box in each of six abnormal films."""
    lines = (f"{index:03d}.png,lung,4,8,20,30,48,48\n" for index in range(24, 30))
    path.write_text("file,label,x,y,w,h,rows,columns\n" + "".join(lines))
    return path


def test_boxes_that_may_be_of_two_images_are_refused_before_anything_is_scored(
    cohort_csv: Make, tmp_path: Path, tiny_bundle_file: Path
) -> None:
    good, bad = cohort_csv(normals=24), cohort_csv(normals=0, abnormals=6, name="other")  # both have a 003.png
    bad.write_text(bad.read_text().replace(",P", ",Q"))
    (boxes := tmp_path / "boxes.csv").write_text("file,label,x512,y512,w512,h512\n003.png,lung,4,8,20,30\n")
    shares: list[float] = []
    with pytest.raises(CohortRejected, match=r"boxes of 003\.png may be of"):
        evaluate(tiny_bundle_file, good, bad, tmp_path / "out", boxes=boxes, on_share=shares.append)
    assert not shares


def test_everything_asked_for_is_written_and_said_in_words(
    cohort_csv: Make, tmp_path: Path, tiny_bundle_file: Path
) -> None:
    source, boxes = _two_films_a_study(cohort_csv(normals=24, abnormals=12)), _boxes(tmp_path / "boxes.csv")
    notes: list[str] = []
    out = tmp_path / "report"
    out.mkdir()
    (out / "top_cases.png").write_bytes(b"of another model, evaluated here before")
    evaluate(
        tiny_bundle_file, source, source, out, against=tiny_bundle_file, boxes=boxes, on_note=notes.append, device="cpu"
    )

    read = {file.stem: json.loads(file.read_text()) for file in out.glob("*.json")}
    assert set(read) == {"metrics", "groups", "studies", "background", "comparison", "localisation"}
    metric = read["metrics"]["ssim"]
    assert (metric["n_normal"], metric["n_abnormal"], metric["n_patients"]) == (23, 12, 18)
    assert metric["auroc_standard_error"] is not None and "18 patients" in metric["interval"]
    groups = read["groups"]["scores"]["ssim"]
    assert groups["finding"]["white lung"]["n_abnormal"] == 12 and set(groups["sex"]) == {"F", "M"}
    assert read["studies"]["scores"]["ssim"]["n_normal"] == 12 and read["studies"]["rule"] == "max"
    assert (read["comparison"]["difference"], read["comparison"]["p_delong"]) == (0, 1)
    assert read["localisation"]["all"]["n_regions"] == 6 and set(read["localisation"]["findings"]) == {"lung"}
    drawn = {file.name for file in out.glob("*.png")}
    assert {
        "groups.png",
        "comparison.png",
        "localisation.png",
        "split.png",
        "background_reconstruction_error.png",
    } <= drawn
    assert "top_cases.png" not in drawn
    said = "\n".join(notes)
    assert (
        "1 files have no score" in said and "No difference" in said and "marked regions" in said and "By study" in said
    )
    table = list(csv.DictReader((out / "scores.csv").open()))
    assert len(table) == 37 and sum(bool(row["error"]) for row in table) == 2
    assert (
        "Films with an impossible pixel spacing: 1" in said
        and sum(row["path"].endswith("005.png") for row in table) == 2
    )


@pytest.mark.usefixtures("undrawn")
def test_an_ensemble_is_judged_without_the_patients_of_any_member(
    cohort_csv: Make, tmp_path: Path, tiny_bundle_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = load_bundle(tiny_bundle_file)
    monkeypatch.setattr(shelf, "SHIPPED", tmp_path / "shelf")
    monkeypatch.setattr(shelf, "user_folder", lambda: tmp_path / "none")
    (tmp_path / "shelf").mkdir()
    for name, patients in (("one", ("P0", "P1", "P2")), ("two", ("P2", "P3"))):
        summary = bundle.card.training.model_copy(
            update={"split": {"train": patients[1:], "calibration": patients[:1]}}
        )
        card = bundle.card.model_copy(update={"id": name, "training": summary})
        save_bundle(tmp_path / "shelf" / f"{name}.safetensors", bundle.model, card, None, None)
    source = cohort_csv(normals=24, abnormals=6)
    metrics = evaluate("ensemble:one,two", source, source, tmp_path / "report", device="cpu")
    assert set(metrics) == {"ensemble"} and (metrics["ensemble"].n_normal, metrics["ensemble"].n_abnormal) == (20, 6)


def test_maps_stay_in_memory_only_where_they_are_asked_for(cohort_csv: Make, tiny_bundle_file: Path) -> None:
    good, bad = read_sides(source := cohort_csv(normals=20, abnormals=5), source, [])
    found = judge(load_bundle(tiny_bundle_file), good, bad, device="cpu", keeps_maps=lambda one: one in bad.series)
    assert [result.heatmap is not None for result in found.results] == [False] * 20 + [True] * 5
