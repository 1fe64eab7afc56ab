"""`normascope score`: every bad input is one row with the file and the cure, the good ones are scored, the status is 3."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    CTImageStorage,
    ExplicitVRLittleEndian,
    UltrasoundImageStorage,
    generate_uid,
)
from safetensors import safe_open
from safetensors.torch import save_file

from engine.models import shelf
from tests.e2e.conftest import Command


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "results.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def dicom(path: Path, pixels: np.ndarray, **tags: object) -> Path:
    """An uncompressed DICOM image with the given pixels and tags over those of a chest film."""
    storage = tags.pop("storage", ComputedRadiographyImageStorage)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = storage, generate_uid(entropy_srcs=[str(path)])
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    image.SOPClassUID, image.SOPInstanceUID = storage, meta.MediaStorageSOPInstanceUID
    image.StudyInstanceUID = generate_uid(
        entropy_srcs=["study", str(path.parent if storage == CTImageStorage else path)]
    )
    image.SeriesInstanceUID = generate_uid(
        entropy_srcs=["series", str(path.parent if storage == CTImageStorage else path)]
    )
    image.Modality, image.BodyPartExamined, image.ViewPosition, image.PatientID = "CR", "CHEST", "PA", "P1"
    image.Rows, image.Columns = pixels.shape[:2]
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 16, 15, 0
    image.PixelData = pixels.astype("<u2").tobytes()
    for name, value in tags.items():
        setattr(image, name, value)
    image.save_as(path, enforce_file_format=True)
    return path


def film(seed: int = 0, shape: tuple[int, int] = (64, 48)) -> np.ndarray:
    return np.random.default_rng(seed).integers(100, 4000, shape)


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as it comes: two sound films among everything that goes wrong."""
    folder = tmp_path_factory.mktemp("hospital")
    dicom(folder / "good.dcm", film(1))
    Image.fromarray((film(2) % 255).astype(np.uint8)).save(folder / "good.png")

    (folder / "empty.dcm").write_bytes(b"")
    whole = dicom(folder / "truncated.dcm", film(3)).read_bytes()
    (folder / "truncated.dcm").write_bytes(whole[: len(whole) // 2])
    (folder / "prose.dcm").write_text("This is a letter, not an image.")
    dicom(folder / "ultrasound.dcm", film(4), storage=UltrasoundImageStorage, Modality="US", BodyPartExamined="")
    dicom(folder / "hand.dcm", film(5), BodyPartExamined="HAND")
    dicom(folder / "one_pixel.dcm", film(6, (1, 1)))
    dicom(folder / "one_grey.dcm", np.full((64, 48), 7))
    dicom(folder / "absurd_spacing.dcm", film(9), PixelSpacing=[5000, 5000], ImagerPixelSpacing=[0, 0])
    photograph = np.zeros((60, 80, 3), np.uint8)
    photograph[:, :40, 0], photograph[:, 40:, 2] = 220, 220
    Image.fromarray(photograph).save(folder / "holiday.jpg")
    broken = film(7).astype(np.float32)
    broken[20:30, 20:30] = np.nan
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(broken), str(folder / "not_numbers.nii"))
    (folder / "cut.png").write_bytes((folder / "good.png").read_bytes()[:200])

    with zipfile.ZipFile(folder / "escapes.zip", "w") as archive:
        archive.writestr("../../outside.dcm", whole)
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.dcm", b"\0" * (200 << 20))
    (folder / "bomb.zip").write_bytes(bomb.getvalue())
    encrypted = bytearray((folder / "escapes.zip").read_bytes())
    with zipfile.ZipFile(folder / "locked.zip", "w") as archive:
        archive.writestr("locked.dcm", whole)
    encrypted = bytearray((folder / "locked.zip").read_bytes())
    encrypted[6] |= 1  # general purpose flag, bit 0: encrypted
    central = encrypted.index(b"PK\x01\x02")
    encrypted[central + 8] |= 1
    (folder / "locked.zip").write_bytes(bytes(encrypted))
    return folder


@pytest.fixture(scope="module")
def scored(hospital: Path, tiny_bundle_file: Path, tmp_path_factory: pytest.TempPathFactory):
    """The folder scored as a shell does it, in a process of its own."""
    out = tmp_path_factory.mktemp("out")
    words = ["score", hospital, "--model", tiny_bundle_file, "--out", out, "--device", "cpu"]
    command = [sys.executable, "-m", "app.cli", *map(str, words)]
    finished = subprocess.run(command, cwd=out, capture_output=True, text=True, timeout=240)
    return finished, out, rows(out)


def test_the_sound_images_are_scored_whatever_lies_beside_them(scored) -> None:
    finished, out, table = scored
    good = {Path(row["path"]).name for row in table if not row["error"]}
    assert good == {"good.dcm", "good.png", "absurd_spacing.dcm"}, finished.stderr
    for row in table:
        if not row["error"]:
            assert 0 <= float(row["percentile"]) <= 100 and float(row["score"]) >= 0
            assert (out / row["heatmap"]).is_file()
    assert sum(not row["error"] for row in table) == 3 * 3, "one row a score"


def test_a_film_of_absurd_spacing_is_one_row_with_the_error_beside_its_scores(scored) -> None:
    finished, _, table = scored
    (about,) = (row for row in table if "absurd_spacing.dcm" in row["error"])
    assert "PixelSpacing of 5000 x 5000 mm is impossible" in about["error"] and "Export it again" in about["error"]
    assert not about["score"] and not about["model"], "of the file, whichever models score it"
    assert sum("absurd_spacing.dcm" in line for line in finished.stderr.splitlines()) == 1
    assert "3 scored, 13 not, 1 with an impossible spacing" in finished.stderr


def test_an_absurd_spacing_alone_ends_with_status_3_and_is_said_once_though_the_film_is_named_twice_and_scored_by_two(
    command: Command, tmp_path: Path
) -> None:
    path = dicom(tmp_path / "films.dcm", film(9), ImagerPixelSpacing=[0, 0])
    members = "ensemble:chest-phantom-denoising-autoencoder,hand-phantom-denoising-autoencoder"
    finished = command("score", path, tmp_path, "--model", members, "--out", tmp_path / "out", "--device", "cpu")
    assert finished.returncode == 3
    assert [bool(row["error"]) for row in rows(tmp_path / "out")] == [True, False]
    assert sum("ImagerPixelSpacing of 0 x 0 mm" in line for line in finished.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "name",
    [
        "empty.dcm",
        "truncated.dcm",
        "prose.dcm",
        "ultrasound.dcm",
        "hand.dcm",
        "one_pixel.dcm",
        "one_grey.dcm",
        "holiday.jpg",
        "not_numbers.nii",
        "cut.png",
        "escapes.zip",
        "bomb.zip",
        "locked.zip",
    ],
)
def test_each_bad_input_is_one_row_that_names_it_and_the_cure(scored, name: str) -> None:
    _, _, table = scored
    about = [row for row in table if name in row["path"]]
    assert len(about) == 1, about
    assert name in about[0]["error"]
    assert about[0]["error"].count(". ") >= 1, "what went wrong, then what to do"
    assert not about[0]["score"] and "Traceback" not in about[0]["error"]


def test_a_film_is_not_mended_with_hounsfield_units(scored) -> None:
    (about,) = (row for row in scored[2] if "not_numbers.nii" in row["path"])
    assert "Export the image again" in about["error"] and "-1024" not in about["error"]


def test_the_status_says_that_something_was_not_scored_and_no_traceback_is_shown(scored, hospital: Path) -> None:
    finished, _, _ = scored
    assert finished.returncode == 3
    assert "Traceback" not in finished.stderr
    assert "Research use only" in finished.stderr
    assert not (hospital.parent.parent / "outside.dcm").exists()


def test_a_broken_file_that_no_model_reads_unasked_is_told_as_broken_and_a_sound_one_by_why(
    command: Command, hospital: Path, tmp_path: Path
) -> None:
    files = [hospital / name for name in ("truncated.dcm", "one_pixel.dcm", "not_numbers.nii", "good.dcm")]
    assert command("score", *files, "--out", tmp_path).returncode == 3
    said = {Path(row["path"]).name: row["error"] for row in rows(tmp_path)}
    assert len(said) == len(files) == len(rows(tmp_path))
    assert "not scored" in said.pop("good.dcm")
    assert all("not scored" not in words and name in words for name, words in said.items()), said


def test_a_sound_file_alone_ends_with_status_0(
    command: Command, hospital: Path, tiny_bundle_file: Path, tmp_path: Path
) -> None:
    assert command("score", hospital / "good.dcm", "--model", tiny_bundle_file, "--out", tmp_path).returncode == 0


@pytest.fixture(scope="module")
def bad_bundles(tiny_bundle_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that is cut off, files that are none, and one whose weights are another network's."""
    folder = tmp_path_factory.mktemp("bundles")
    whole = tiny_bundle_file.read_bytes()
    (folder / "cut.safetensors").write_bytes(whole[: len(whole) - 64])
    (folder / "empty.safetensors").touch()
    (folder / "none.safetensors").write_bytes(b"PK\x03\x04 not a bundle at all, rather a zip")
    with safe_open(tiny_bundle_file, "pt") as bundle:
        weights = {name: bundle.get_tensor(name)[:1].contiguous() for name in bundle.keys()}  # noqa: SIM118 - no mapping
        save_file(weights, folder / "another.safetensors", metadata=bundle.metadata())
    return folder


@pytest.mark.parametrize("name", ["cut", "empty", "none", "another"])
def test_a_bundle_that_cannot_be_used_is_one_line_and_one_row_with_the_cure(
    command: Command, hospital: Path, bad_bundles: Path, tmp_path: Path, name: str
) -> None:
    bundle = bad_bundles / f"{name}.safetensors"
    finished = command("score", hospital / "good.dcm", "--model", bundle, "--out", tmp_path)
    assert finished.returncode == 3
    assert sum(str(bundle) in line for line in finished.stderr.splitlines()) == 1
    (row,) = rows(tmp_path)
    assert row["error"].startswith(str(bundle)) and row["error"].endswith(".") and not row["score"]


def test_a_broken_bundle_of_a_sites_own_is_one_row_and_the_next_best_reads_its_studies(
    command: Command, bad_bundles: Path, hospital: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unnamed, a site's own bundle comes before those that ship: broken, it must not leave its studies without a score."""
    shelf_folder = tmp_path / "models"
    shelf_folder.mkdir()
    with safe_open(bad_bundles / "another.safetensors", "pt") as bundle:
        weights = {name: bundle.get_tensor(name) for name in bundle.keys()}  # noqa: SIM118 - no mapping
        card = json.loads(bundle.metadata()["card"])
    card["applicability"] |= {"modality": ["CR"], "body_part": ["CHEST"], "view": ["PA"], "age_years": None}
    save_file(weights, shelf_folder / "own.safetensors", metadata={"card": json.dumps(card)})
    monkeypatch.setattr(shelf, "user_folder", lambda: shelf_folder)
    (tmp_path / "films").mkdir()
    for number in (1, 2):
        dicom(tmp_path / "films" / f"{number}.dcm", film(number), PatientAge="040Y")
    finished = command("score", tmp_path / "films", "--out", tmp_path / "out", "--device", "cpu")
    assert finished.returncode == 3
    table = rows(tmp_path / "out")
    (broken,) = (row for row in table if row["error"])
    assert broken["path"] == str(shelf_folder / "own.safetensors") and "Ask its maker" in broken["error"]
    assert {Path(row["path"]).name for row in table if row["score"]} == {"1.dcm", "2.dcm"}


def test_a_bundle_that_is_not_there_is_a_slip_of_the_command_and_writes_nothing(
    command: Command, hospital: Path, tmp_path: Path
) -> None:
    finished = command(
        "score", hospital / "good.dcm", "--model", tmp_path / "absent.safetensors", "--out", tmp_path / "o"
    )
    assert finished.returncode == 1 and "absent.safetensors" in finished.stderr
    assert not (tmp_path / "o").exists()


def test_a_member_that_cannot_be_used_is_one_row_beside_the_others_mean(
    command: Command, hospital: Path, bad_bundles: Path, tiny_bundle_file: Path, tmp_path: Path
) -> None:
    members = f"ensemble:{tiny_bundle_file},{bad_bundles / 'another.safetensors'}"
    assert command("score", hospital / "good.dcm", "--model", members, "--out", tmp_path).returncode == 3
    mean, broken = rows(tmp_path)
    assert mean["model"] == "ensemble" and mean["percentile"]
    assert broken["path"] == str(bad_bundles / "another.safetensors") and "Ask its maker" in broken["error"]


def test_what_is_no_image_is_one_line_and_no_row_and_brackets_in_names_are_kept(
    command: Command, hospital: Path, tiny_bundle_file: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "ward"
    (folder / "a [").mkdir(parents=True)  # with the file's own name, what rich takes for the end of a tag
    (folder / "film.dcm").write_bytes((hospital / "good.dcm").read_bytes())
    (folder / "a [/b] [final].dcm").touch()
    for name in ("report.pdf", "orders.txt", "ORDERS"):
        (folder / name).write_text("words")
    finished = command("score", folder, "--model", tiny_bundle_file, "--out", tmp_path / "o")
    said = [line for line in finished.stderr.splitlines() if "report.pdf" in line]
    assert len(said) == 1 and "3 files passed over" in said[0]
    assert "a [/b] [final].dcm: the file is empty" in finished.stderr
    assert {Path(row["path"]).name for row in rows(tmp_path / "o")} == {"film.dcm", "b] [final].dcm"}


def test_a_cohort_table_names_missing_files_and_other_body_parts_and_scores_the_rest(
    command: Command, hospital: Path, tiny_bundle_file: Path, tmp_path: Path
) -> None:
    for name in ("good.png", "good.dcm"):
        (tmp_path / name).write_bytes((hospital / name).read_bytes())
    (tmp_path / "hand.png").write_bytes((hospital / "good.png").read_bytes())
    table = tmp_path / "cohort.csv"
    table.write_text(
        "path,patient_id,label,body_part\ngood.png,A,normal,thorax\nmissing.png,B,abnormal,\nhand.png,C,,hand\ngood.dcm,D,,hand\n"
    )
    finished = command("score", table, "--model", tiny_bundle_file, "--out", tmp_path / "out")
    assert finished.returncode == 3
    by_name = {Path(row["path"]).name: row["error"] for row in rows(tmp_path / "out")}
    assert by_name["good.png"] == "" and "missing.png" in by_name["missing.png"]
    assert "body part HAND; Tiny reads CHEST" in by_name["hand.png"]
    assert "the table says body part HAND, and the file CHEST" in by_name["good.dcm"]


def ct(folder: Path, slices: int, **tags: object) -> Path:
    """A head CT in a folder of its own, with the given tags over those of a sound one."""
    folder.mkdir()
    usual: dict[str, object] = {"Modality": "CT", "BodyPartExamined": "HEAD", "ViewPosition": None}
    usual |= {"ImageOrientationPatient": [1, 0, 0, 0, 1, 0], "PixelSpacing": [1, 1]}
    usual |= {"RescaleSlope": 1, "RescaleIntercept": -1024}
    for index in range(slices):
        place = {"ImagePositionPatient": [0, 0, 5 * index]}
        dicom(folder / f"{index}.dcm", film(index, (64, 64)), storage=CTImageStorage, **(usual | place | tags))
    return folder


def test_three_slices_are_not_a_volume_to_score(command: Command, tmp_path: Path) -> None:
    folder = ct(tmp_path / "ct", 3)
    finished = command("score", folder, "--out", tmp_path / "out")
    assert finished.returncode == 3
    assert all(row["error"] for row in rows(tmp_path / "out"))
    assert pydicom.dcmread(folder / "0.dcm").Modality == "CT", "the patient's files are only read"


def test_series_that_lie_mixed_are_scored_each_for_itself_and_an_absurd_spacing_is_one_row(
    command: Command, tmp_path: Path
) -> None:
    """Two CTs and a film in one folder, none of which is put together with another."""
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    for name, tags in (("sound", {}), ("absurd", {"PixelSpacing": [5000, 5000]})):
        for file in ct(tmp_path / name, 6, **tags).iterdir():
            file.rename(mixed / f"{name}_{file.name}")
    dicom(mixed / "film.dcm", film(8))
    finished = command("score", mixed, "--model", "head-phantom-autoencoder-3d", "--out", tmp_path / "out")
    assert finished.returncode == 3
    table = rows(tmp_path / "out")
    assert len({row["series_uid"] for row in table}) == 3
    errors = [row["error"] for row in table if row["error"]]
    assert len(errors) == 2
    assert sum("pixel spacing" in error and "Export" in error for error in errors) == 1
    assert sum("film.dcm" in error and "reads volumes" in error for error in errors) == 1


def test_an_ensemble_of_named_models_is_one_row_with_the_mean_of_their_percentiles(
    command: Command, tmp_path: Path
) -> None:
    picture = tmp_path / "film.png"
    Image.fromarray((film(7) % 255).astype(np.uint8)).save(picture)
    names = ("chest-phantom-denoising-autoencoder", "hand-phantom-denoising-autoencoder")
    for model, out in ((f"ensemble:{','.join(names)}", "both"), (names[0], "one"), (names[1], "two")):
        finished = command("score", picture, "--model", model, "--out", tmp_path / out, "--device", "cpu")
        assert finished.returncode == 0, finished.stderr
    (row,) = rows(tmp_path / "both")
    assert (row["model"], row["score_name"]) == ("ensemble", "ensemble")
    each = [float(rows(tmp_path / out)[0]["percentile"]) for out in ("one", "two")]
    assert float(row["percentile"]) == pytest.approx(sum(each) / 2, abs=0.01)
