"""Cohorts that mix what a model cannot learn together are refused, and what an interrupted run left of its prepared images is taken up as it was."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian, generate_uid

from engine.errors import CohortRejected, ImplausibleImage, first_reason
from engine.imaging.series import Series
from engine.models.card import Preprocessing
from trainers.cohort import Cohort, check_normals, decoded, mixed_sizes, prepare_cohort, read_cohort
from trainers.judging import read_sides

Make = Callable[..., Path]


def test_a_resumed_run_sees_no_black_images_and_remembers_what_failed(
    cohort_csv: Callable[..., Path], tmp_path: Path
) -> None:
    series = read_cohort(source := cohort_csv(normals=6)).series
    broken = source.parent / "002.png"
    broken.write_bytes(broken.read_bytes()[:60])
    first, again = (prepare_cohort(series, Preprocessing(name="chest"), (16, 16), tmp_path / "run") for _ in range(2))
    assert len(first.failures) == 1 and first.kept == (0, 1, 3, 4, 5)
    assert [str(error) for error in again.failures] == [str(error) for error in first.failures]
    assert again.kept == first.kept and np.array_equal(again.images, first.images)
    assert not list((tmp_path / "run").glob("*.partial*"))


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="room cannot be asked for on this system")
def test_room_for_all_prepared_images_is_taken_before_the_first_or_an_error_says_that_there_is_none(
    cohort_csv: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    series, seen = read_cohort(cohort_csv(normals=6)).series, Preprocessing(name="chest")
    taken: list[int] = []

    def on_share(_: float) -> None:
        (partial,) = tmp_path.glob("run/*.partial.npy")
        taken.append(partial.stat().st_blocks * 512)

    prepare_cohort(series, seen, (64, 64), tmp_path / "run", on_share)
    assert taken[0] >= 6 * 64 * 64, "a sparse file on a full disk kills the process, and says nothing"

    def no_room(*_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", no_room)
    with pytest.raises(OSError, match="No space left"):
        prepare_cohort(series, seen, (64, 64), tmp_path / "full")
    assert not list((tmp_path / "full").iterdir())


def tagged(count: int, start: int = 0, **tags: str) -> tuple[Series, ...]:
    return tuple(
        Series(f"{i}", f"{i}", f"{i}", "radiograph", "dicom", (f"/films/{i}.dcm",), patient_id=f"P{i}", **tags)
        for i in range(start, start + count)
    )


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        (({"body_part": "CHEST", "modality": "CR"}, {"body_part": "HAND", "modality": "DX"}), "20 CHEST, 12 HAND"),
        (({"modality": "CT"}, {"modality": "MR"}), "20 CT, 12 MR"),
    ],
)
def test_a_cohort_of_two_kinds_is_refused_and_says_which(tags: tuple[dict[str, str], ...], words: str) -> None:
    mixed = Cohort("films", (*tagged(20, **tags[0]), *tagged(12, 100, **tags[1])))
    with pytest.raises(CohortRejected, match=words) as caught:
        check_normals(mixed)
    assert caught.value.cure


def test_two_names_of_one_kind_and_missing_tags_are_no_mixture() -> None:
    films = (
        tagged(20, body_part="CHEST", modality="CR"),
        tagged(12, 100, body_part="THORAX", modality="DX"),
        tagged(5, 200),
    )
    check_normals(Cohort("films", tuple(film for group in films for film in group)))


def test_the_abnormal_side_of_another_body_part_is_not_judged(tmp_path: Path) -> None:
    for side, part, count in (("normal", "CHEST", 20), ("abnormal", "HAND", 6)):
        (tmp_path / side).mkdir()
        for index in range(count):
            write_film(tmp_path / side / f"{index}.dcm", part, f"{side}{index}")
    with pytest.raises(CohortRejected, match="20 CHEST, 6 HAND"):
        read_sides(tmp_path / "normal", tmp_path / "abnormal", [])


def test_a_copy_of_the_normal_folder_is_not_taken_for_abnormals(
    cohort_csv: Callable[..., Path], tmp_path: Path
) -> None:
    folder = cohort_csv(normals=24).parent
    (folder / "cohort.csv").unlink()
    (tmp_path / "copy").mkdir()
    for index, file in enumerate(sorted(folder.glob("*.png"))):
        copied = tmp_path / "copy" / f"renamed{index}.png"
        copied.write_bytes(file.read_bytes())
        os.utime(copied, (1, 1))  # another time and name: only the content is the same
    with pytest.raises(CohortRejected, match="24 images are among the normals and the abnormals"):
        read_sides(folder, tmp_path / "copy", [])
    other = cohort_csv(normals=0, abnormals=6, name="other")
    good, bad = read_sides(folder, other, [])
    assert [one.label for one in (*good.series, *bad.series)] == ["normal"] * 24 + ["abnormal"] * 6


def test_a_table_that_cannot_be_used_is_one_error_about_the_table(tmp_path: Path) -> None:
    table = tmp_path / "cohort.csv"
    table.write_bytes("path,label\n1.png,normal\n".encode("utf-16-le"))  # without the mark that says so
    with pytest.raises(CohortRejected) as caught:
        read_cohort(table)
    assert str(caught.value) == f"{table}: this is not a text table. Save it as CSV (comma separated, UTF-8)"


def test_a_reason_in_brackets_ends_without_a_full_stop() -> None:
    assert first_reason([]) == ""
    error = CohortRejected("no image could be read", where="a.csv", cure="Give a folder.")
    assert first_reason([error]) == " (the first reason: a.csv: no image could be read. Give a folder)"


def test_why_no_image_could_be_read_is_said_with_one_full_stop(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(CohortRejected) as caught:
        read_cohort(tmp_path)
    assert "Copy or export it again). Give a folder" in str(caught.value)


def test_images_of_very_different_sizes_are_told_in_words() -> None:
    def sized(side: int) -> Series:
        return replace(tagged(1)[0], rows=side, columns=side)

    assert mixed_sizes([sized(2000), sized(1200)]) == ""
    assert "224 x 224 to 2000 x 2000" in mixed_sizes([sized(2000), sized(224)])


def test_pixels_that_are_no_numbers_cost_their_image_alone(tmp_path: Path) -> None:
    for index in range(3):
        voxels = np.random.default_rng(index).normal(0, 1, (1, 32, 32)).astype(np.float32)
        if index == 1:
            voxels[0, 3, 3] = np.nan
        SimpleITK.WriteImage(SimpleITK.GetImageFromArray(voxels), str(tmp_path / f"{index}.nii.gz"))
    found = list(decoded(read_cohort(tmp_path).series, Preprocessing(name="chest"), (16, 16)))
    assert [isinstance(item, ImplausibleImage) for item in found] == [False, True, False]
    assert "NaN" in str(found[1]) and "1.nii.gz" in str(found[1])


def write_film(path: Path, part: str, patient: str) -> None:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = ComputedRadiographyImageStorage
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = generate_uid(), generate_uid()
    dataset.Modality, dataset.BodyPartExamined, dataset.PatientID = "CR", part, patient
    dataset.Rows = dataset.Columns = 16
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PixelRepresentation = 1, "MONOCHROME2", 0
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit = 15
    dataset.PixelData = np.arange(256, dtype=np.uint16).tobytes()
    dataset.save_as(path, enforce_file_format=True)


@pytest.mark.parametrize(
    ("known", "written", "few"), [("abnormal", "Pneumonia", "0 abnormal"), ("normal", "healthy", "0 normal")]
)
def test_too_few_of_a_label_that_the_table_calls_otherwise_are_told_with_its_labels(
    cohort_csv: Make, known: str, written: str, few: str
) -> None:
    table = cohort_csv(normals=24, abnormals=6)
    table.write_text(table.read_text().replace(f",{known}", f",{written}"))
    with pytest.raises(CohortRejected, match=f"{few} .* labels '{written}'; known are normal and abnormal"):
        read_sides(table, table, [])
    fewer = cohort_csv(normals=24, abnormals=2, name="fewer")
    with pytest.raises(CohortRejected, match=r"2 abnormal images are too few\. Collect"):
        read_sides(fewer, fewer, [])


@pytest.mark.parametrize(
    ("line", "what"), [("000.png,P99,normal", "patients"), ("000.png,P0,abnormal", "labels"), ("000.png,P0,normal", "")]
)
def test_an_image_is_not_of_two_patients_nor_normal_and_abnormal(cohort_csv: Make, line: str, what: str) -> None:
    table = cohort_csv(normals=3)
    table.write_text(f"{table.read_text()}{line}\n")
    with pytest.raises(CohortRejected, match=f"different {what}") if what else contextlib.nullcontext():
        read_cohort(table)


def test_a_line_that_says_neither_patient_nor_label_hides_no_contradiction_of_two_others(cohort_csv: Make) -> None:
    table = cohort_csv(normals=3)
    header, *lines = table.read_text().splitlines()
    table.write_text("\n".join([header, "000.png,,", *lines, "000.png,P99,abnormal"]) + "\n")
    with pytest.raises(CohortRejected, match="different patients and labels"):
        read_cohort(table)
