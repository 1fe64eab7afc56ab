"""results.csv is what scripts read: its columns, a row a score, a row a failure, and nothing lost when writing fails."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from engine.errors import StorageUnavailable, UnreadableImage
from engine.imaging.series import Series
from engine.scoring.result import ScoreValue, SeriesResult
from engine.scoring.results_csv import COLUMNS, ResultsCsv

SERIES = Series(
    key="k", study_uid="1.2", series_uid="1.3", kind="radiograph", format="raster", sources=("/data/a.png",)
)


def rows(folder: Path, name: str = "results.csv") -> list[dict[str, str]]:
    with (folder / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_each_score_is_a_row_the_ranking_one_first_and_the_heatmap_is_beside_it(tmp_path: Path) -> None:
    scores = {"alpha": ScoreValue(1.5, 12.0, False), "ssim": ScoreValue(0.25, 99.0, True)}
    heatmap = np.arange(6, dtype=np.float16).reshape(2, 3)
    with ResultsCsv(tmp_path / "out") as results:
        results.add(SeriesResult(SERIES, "model", "hash", scores, "ssim", heatmap=heatmap))
    first, second = rows(tmp_path / "out")
    assert tuple(first) == COLUMNS
    assert (first["score_name"], first["score"], first["percentile"], first["flagged"]) == (
        "ssim",
        "0.25",
        "99.00",
        "true",
    )
    assert (second["score_name"], second["flagged"], second["error"]) == ("alpha", "false", "")
    assert first["path"] == "/data/a.png" and first["series_uid"] == "1.3"
    np.testing.assert_array_equal(np.load(tmp_path / "out" / first["heatmap"]), heatmap)


def test_a_failure_is_one_row_with_file_and_cure_and_rows_are_on_disk_at_once(tmp_path: Path) -> None:
    with ResultsCsv(tmp_path) as results:
        results.add_error(UnreadableImage("the file is empty", where="/data/b.dcm", cure="Send it again."))
        results.add(SeriesResult(SERIES, "model", "hash", error="/data/a.png: body part HAND. Choose another model."))
        written = rows(tmp_path, "results.csv.partial")  # before the file is closed: a killed run keeps what it has
        assert results.failed == 2
    assert [row["path"] for row in written] == ["/data/b.dcm", "/data/a.png"]
    assert written[0]["error"] == "/data/b.dcm: the file is empty. Send it again."
    assert written[1]["model"] == "model"


def test_an_interrupted_run_leaves_the_table_of_the_last_whole_one(tmp_path: Path) -> None:
    with ResultsCsv(tmp_path) as results:
        results.add_error(UnreadableImage("the file is empty", where="/data/first.dcm", cure="Send it again."))
    with pytest.raises(KeyboardInterrupt), ResultsCsv(tmp_path) as results:
        results.add_error(UnreadableImage("the file is empty", where="/data/second.dcm", cure="Send it again."))
        raise KeyboardInterrupt
    assert [row["path"] for row in rows(tmp_path)] == ["/data/first.dcm"]
    assert [row["path"] for row in rows(tmp_path, "results.csv.partial")] == ["/data/second.dcm"]


def test_a_folder_that_cannot_be_written_is_one_typed_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageUnavailable, match="Free some space"):
        ResultsCsv(tmp_path / "file" / "out")


needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="the disk that is always full is Linux's")


@needs_full
def test_a_full_disk_is_one_typed_error_though_closing_the_table_fails_too(tmp_path: Path) -> None:
    (tmp_path / "results.csv.partial").symlink_to("/dev/full")
    with pytest.raises(StorageUnavailable, match="Free some space"), ResultsCsv(tmp_path) as results:
        results.add_error(UnreadableImage("the file is empty", where="/data/b.dcm", cure="Send it again."))


@needs_full
def test_a_heatmap_for_which_there_is_no_room_is_said_in_words_and_leaves_nothing(tmp_path: Path) -> None:
    scores = {"ssim": ScoreValue(0.25, 99.0, True)}
    heatmap = np.zeros((200, 300), np.float16)
    with pytest.raises(StorageUnavailable) as caught, ResultsCsv(tmp_path) as results:
        (tmp_path / "heatmaps" / "00001_model.npy").symlink_to("/dev/full")
        results.add(SeriesResult(SERIES, "model", "hash", scores, "ssim", heatmap=heatmap))
    assert "requested" not in str(caught.value) and "Free some space" in str(caught.value)
    assert not list((tmp_path / "heatmaps").iterdir())
