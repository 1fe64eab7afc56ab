"""Heatmaps are judged exactly where people marked: in whatever frame boxes were drawn, and at chance when they point nowhere."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from engine.errors import CohortRejected
from engine.imaging.discovery import open_study
from engine.imaging.series import Series
from engine.phantoms.cohort import make_cohort
from engine.scoring.result import SeriesResult
from trainers.localisation import Region, check_told_apart, localisation, marked, read_regions, regions_of

QUARTER = (0.5, 0.0, 1.0, 0.5)  # lower left


def write(path: Path, *rows: dict[str, object]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return path


def result(name: str, heatmap: np.ndarray) -> SeriesResult:
    series = Series(name, name, name, "radiograph", "raster", (f"/films/{name}",))
    return SeriesResult(series, "m", "0", heatmap=heatmap.astype(np.float16))


def one_hot(shape: tuple[int, int], row: int, column: int) -> np.ndarray:
    heat = np.zeros(shape)
    heat[row, column] = 1
    return heat


@pytest.mark.parametrize(
    "row",
    [
        {
            "file": "a.png",
            "label": "Mass",
            "x": 0,
            "y": 512,
            "w": 512,
            "h": 512,
            "x512": 0,
            "y512": 256,
            "w512": 256,
            "h512": 256,
        },
        {"file": "a.png", "label": "Mass", "x": 0, "y": 128, "w": 128, "h": 128, "rows": 256, "columns": 256},
        {"path": "films/a.png", "finding": "Mass", "x1024": 0, "y1024": 512, "w1024": 512, "h1024": 512},
    ],
    ids=["named frame", "stated size", "other names"],
)
def test_a_box_means_the_same_place_in_whatever_frame_it_was_drawn(tmp_path: Path, row: dict[str, object]) -> None:
    read = read_regions(write(tmp_path / "boxes.csv", row))
    (region,) = regions_of(result("a.png", np.zeros((8, 8))).series, read)
    assert region.finding == "Mass" and region.box == pytest.approx(QUARTER) and region.area == pytest.approx(0.25)
    for shape in ((128, 128), (64, 32), (7, 9)):
        rows, columns = np.mgrid[: shape[0], : shape[1]]
        wanted = ((rows + 0.5) / shape[0] >= 0.5) & ((columns + 0.5) / shape[1] < 0.5)
        assert np.array_equal(region.inside(shape), wanted)


def test_boxes_may_be_saved_as_excel_saves_unicode_text(tmp_path: Path) -> None:
    text = "file\tlabel\tx512\ty512\tw512\th512\r\na.png\tMass\t0\t256\t256\t256\r\n"
    (tmp_path / "boxes.csv").write_bytes(text.encode("utf-16"))
    (region,) = read_regions(tmp_path / "boxes.csv")["a.png"]
    assert region.finding == "Mass" and region.box == pytest.approx(QUARTER)


@pytest.mark.parametrize(
    "text", ["", "file,label\na.png,Mass\n", "file,x,y,w,h\na.png,1,2,3,4\n", "file,x512\na.png,one\n"]
)
def test_a_table_without_usable_boxes_is_one_error_in_words(tmp_path: Path, text: str) -> None:
    (tmp_path / "boxes.csv").write_text(text)
    with pytest.raises(CohortRejected, match="box") as caught:
        read_regions(tmp_path / "boxes.csv")
    assert caught.value.cure and caught.value.where


def named(path: str) -> Series:
    return Series(path, path, path, "radiograph", "raster", (path,))


@pytest.mark.parametrize("written", ["films/one/a.png", "one/a.png", "one\\a.png", "../one/a.png", "/films/one/a.png"])
def test_boxes_of_one_of_two_files_of_a_name_are_not_the_others(tmp_path: Path, written: str) -> None:
    boxes = write(tmp_path / "boxes.csv", {"path": written, "x512": 0, "y512": 256, "w512": 256, "h512": 256})
    read, pair = read_regions(boxes), [named("/films/one/a.png"), named("/films/two/a.png")]
    assert [len(regions_of(one, read)) for one in pair] == [1, 0]
    check_told_apart(pair, read, boxes)


def test_a_name_that_two_files_have_is_refused(tmp_path: Path) -> None:
    boxes = write(tmp_path / "boxes.csv", {"file": "a.png", "x512": 0, "y512": 256, "w512": 256, "h512": 256})
    one, other = named("/films/one/a.png"), named("/films/two/a.png")
    check_told_apart([one, one, named("/films/two/b.png")], read_regions(boxes), boxes)
    with pytest.raises(CohortRejected, match=r"a\.png may be of /films/one/a\.png or of /films/two/a\.png") as caught:
        check_told_apart([one, other], read_regions(boxes), boxes)
    assert "`path`" in caught.value.cure


def test_a_table_that_names_none_of_the_images_is_refused_before_anything_is_scored(tmp_path: Path) -> None:
    boxes = write(tmp_path / "boxes.csv", {"path": "set/a.png", "x512": 0, "y512": 256, "w512": 256, "h512": 256})
    with pytest.raises(CohortRejected, match=r"it has set/a\.png, and an image here is /films/a\.png") as caught:
        check_told_apart([named("/films/a.png")], read_regions(boxes), boxes)
    assert "file name" in caught.value.cure


def test_peaks_in_the_box_count_and_a_fixed_point_is_unmasked_by_other_images_peaks() -> None:
    regions = {f"{i}.png": [Region("Mass", QUARTER)] for i in range(10)}
    # every heatmap points at the same pixel, which lies in every box
    always = [result(f"{i}.png", one_hot((8, 8), 6, 1)) for i in range(10)]
    found = localisation(marked(always, [str(i) for i in range(10)], regions), regions)["all"]
    assert (found["share_hit"], found["share_hit_by_area"], found["share_hit_by_other_peaks"]) == (1.0, 0.25, 1.0)
    assert found["pixel_auroc"] == pytest.approx(0.5 + 0.5 / 16)
    # half of them point elsewhere
    places = [(6, 1) if i < 5 else (0, 7) for i in range(10)]
    half = [result(f"{i}.png", one_hot((8, 8), *places[i])) for i in range(10)]
    found = localisation(marked(half, [str(i) for i in range(10)], regions), regions)["all"]
    low, high = found["share_hit_ci95"]
    assert found["share_hit"] == 0.5 and low < 0.5 < high
    # each points at its own box, and there are two places: another's peak hits where it is of the same kind
    upper = Region("Mass", (0.0, 0.5, 0.5, 1.0))
    apart = {name: each if int(name[0]) < 5 else [upper] for name, each in regions.items()}
    found = localisation(marked(half, [str(i) for i in range(10)], apart), apart)["all"]
    assert found["share_hit"] == 1 and found["share_hit_by_other_peaks"] == pytest.approx(4 / 9)


def test_findings_are_told_apart_and_what_no_heatmap_covers_is_counted() -> None:
    upper = Region("Nodule", (0.0, 0.5, 0.5, 1.0))
    regions = {"0.png": [Region("Mass", QUARTER), upper], "1.png": [upper], "unread.png": [upper]}
    results = [result("0.png", one_hot((8, 8), 6, 1)), result("1.png", np.full((8, 8), np.nan))]
    found = localisation(marked(results, ["p", "q"], regions), regions)
    assert found["findings"]["Mass"]["share_hit"] == 1 and found["findings"]["Nodule"]["share_hit"] == 0
    assert found["all"]["n_regions"] == 2 and found["n_regions_without_heatmap"] == 2
    json.dumps(found, allow_nan=False)


def test_pixels_where_the_model_did_not_look_take_no_part() -> None:
    heat = np.arange(64.0).reshape(8, 8)
    heat[:4] = np.nan
    regions = {"0.png": [Region("Mass", QUARTER)]}
    (image,) = marked([result("0.png", heat)], ["p"], regions)
    inside = Region("Mass", QUARTER).inside((8, 8))[4:]
    values = heat[4:]
    wins = (values[inside][:, None] > values[~inside]).mean()
    assert image.pixel_auroc(image.regions) == pytest.approx(wins)


@pytest.mark.usefixtures("coarse_phantoms")
def test_a_heatmap_of_a_planted_lesion_hits_its_mask_and_one_turned_over_does_not(tmp_path: Path) -> None:
    table = make_cohort(tmp_path, 3, chest=3, hands=0, heads=0, lesion_share=1.0)
    regions = read_regions(table)
    assert len(regions) == 3 and all(each[0].mask is not None for each in regions.values())
    series = list(open_study(table))
    normal = make_cohort(tmp_path / "normal", 3, chest=3, hands=0, heads=0, lesion_share=0.0)
    plain = [one.load_radiograph().presentation() for one in open_study(normal)]
    # the same patients without their lesions: the difference is the best heatmap there is, shrunk as models shrink it
    heats = [
        np.abs(one.load_radiograph().presentation() - other)[::2, ::2] for one, other in zip(series, plain, strict=True)
    ]
    found, turned = (
        localisation(
            marked(
                [
                    SeriesResult(one, "m", "0", heatmap=heat[::step, ::step])
                    for one, heat in zip(series, heats, strict=True)
                ],
                [one.patient_id for one in series],
                regions,
            ),
            regions,
        )["all"]
        for step in (1, -1)
    )
    assert found["share_hit"] == 1 and found["pixel_auroc"] > 0.9
    assert turned["pixel_auroc"] < found["pixel_auroc"] - 0.2
