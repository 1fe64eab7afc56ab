"""The radiologists' boxes of the adult chests lie on their images, and both frames they are given in mean the same place."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from trainers.cohort import read_cohort
from trainers.localisation import read_regions, regions_of

pytestmark = pytest.mark.realdata


def test_every_box_lies_on_an_image_of_the_cohort_and_both_frames_agree(shared_data: Path) -> None:
    folder = shared_data / "chest_adult"
    regions = read_regions(folder / "boxes.csv")
    rows = list(csv.DictReader((folder / "boxes.csv").open()))
    assert sum(len(each) for each in regions.values()) == len(rows)
    for row, region in ((row, regions[row["file"]]) for row in rows):
        left, top, width, height = (float(row[name]) / 1024 for name in "xywh")
        wanted = pytest.approx((top, left, top + height, left + width), abs=1e-4)
        assert any(each.box == wanted and each.finding == row["label"] for each in region)
        assert min(left, top) >= 0 and left + width <= 1.001 and top + height <= 1.001
    cohort = read_cohort(folder / "labels.csv")
    assert sum(len(regions_of(series, regions)) for series in cohort.series) == len(rows)
