"""The demonstration cohort is made once, repaired when half of it is there, and read by the same discovery as any other cohort."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest

from engine.imaging.discovery import open_study
from engine.phantoms.cohort import make_cohort, planned_studies

COUNTS = {"chest": 3, "hands": 1, "heads": 1}

pytestmark = pytest.mark.usefixtures("coarse_phantoms")


@pytest.fixture(scope="module")
def made(coarse_phantoms: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_cohort(tmp_path_factory.mktemp("cohort"), seed=7, **COUNTS)


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made.parent, tmp_path / "cohort")
    return tmp_path / "cohort"


def _bytes(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_third_of_each_kind_has_a_lesion_and_every_lesion_kind_has_its_turn() -> None:
    studies = planned_studies(0, {"chest": 24, "hand": 12, "head": 6}, 1 / 3)
    for kind, ill, kinds in (("chest", 8, 4), ("hand", 4, 2), ("head", 2, 2)):
        lesions = [study.lesion for study in studies if study.kind == kind and study.lesion]
        assert len(lesions) == ill and len(set(lesions)) == kinds
    assert len({(study.kind, study.seed) for study in studies}) == 42


@pytest.mark.parametrize(("chest", "share"), [(-1, 0.3), (3, 1.2), (3, -0.1)])
def test_an_impossible_cohort_is_refused(tmp_path: Path, chest: int, share: float) -> None:
    with pytest.raises(ValueError):
        make_cohort(tmp_path, chest=chest, lesion_share=share)


def test_discovery_reads_the_cohort_with_its_labels(made: Path) -> None:
    series = list(open_study(made))
    assert [s.kind for s in series] == ["radiograph"] * 4 + ["volume"]
    assert all(s.synthetic for s in series)
    assert [s.label for s in series] == ["normal", "normal", "abnormal", "normal", "normal"]
    assert [s.body_part for s in series] == ["CHEST"] * 3 + ["HAND", "HEAD"]
    assert series[-1].frames == 32


def test_masks_lie_beside_the_images_of_their_size(made: Path) -> None:
    rows = list(csv.DictReader(made.open()))
    assert [row["lesions"] for row in rows] == ["", "", "opacity", "", ""]
    mask = np.load(made.parent / rows[2]["mask"])
    (series,) = open_study(made.parent / rows[2]["path"])
    assert mask.dtype == bool and mask.shape == (series.rows, series.columns) and mask.any()


def test_a_second_call_writes_no_image(made: Path) -> None:
    images = [path for path in made.parent.rglob("*") if path.suffix in (".dcm", ".npy")]
    before = {path: path.stat().st_mtime_ns for path in images}
    calls: list[tuple[int, int, str]] = []
    make_cohort(made.parent, seed=7, **COUNTS, on_study=lambda *call: calls.append(call))
    assert {path: path.stat().st_mtime_ns for path in images} == before
    assert [call[:2] for call in calls] == [(n, 5) for n in range(1, 6)]


def test_a_half_written_cohort_is_repaired_to_the_same_bytes(made: Path, copy: Path) -> None:
    rows = list(csv.DictReader(made.open()))
    (copy / "cohort.csv").unlink()
    (copy / rows[0]["path"]).unlink()
    (copy / rows[2]["mask"]).write_bytes(b"cut short")
    (copy / rows[3]["path"]).write_bytes((copy / rows[3]["path"]).read_bytes()[:5000])
    make_cohort(copy, seed=7, **COUNTS)
    assert _bytes(copy) == _bytes(made.parent)


def test_a_damaged_ledger_costs_time_and_nothing_else(made: Path, copy: Path) -> None:
    (copy / "cohort.json").write_text('{"recipe": 1, "stud')
    make_cohort(copy, seed=7, chest=1, hands=0, heads=0)
    (row,) = csv.DictReader((copy / "cohort.csv").open())
    assert (copy / row["path"]).read_bytes() == (made.parent / row["path"]).read_bytes()


def test_cancelling_keeps_what_is_finished(tmp_path: Path) -> None:
    done: list[str] = []
    make_cohort(
        tmp_path, seed=7, **COUNTS, on_study=lambda *call: done.append(call[2]), cancelled=lambda: len(done) == 1
    )
    assert done == ["PHANTOM-CHEST-007000"]
    assert (tmp_path / "chest" / "PHANTOM-CHEST-007000.dcm").is_file()
    assert not (tmp_path / "cohort.csv").exists()


def test_a_patient_made_anew_with_another_lesion_is_not_taken_for_what_it_was_before(made: Path, copy: Path) -> None:
    for share in (0, 1 / 3):  # the same file, of the same size, without its lesion and with it again
        table = make_cohort(copy, seed=7, chest=3, hands=0, heads=0, lesion_share=share)
    last = list(csv.DictReader(table.open()))[2]
    assert last["lesions"] and (copy / last["path"]).read_bytes() == (made.parent / last["path"]).read_bytes()
