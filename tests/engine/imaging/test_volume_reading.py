"""A CT series becomes one HU volume: order, values, defects, and what a reader is told of them."""

from __future__ import annotations

import os
import threading
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian, RLELossless

from engine.errors import ImplausibleImage, InconsistentSeries, StorageUnavailable, UnreadableImage
from engine.imaging import plain_slices
from engine.imaging.volume import AIR, check_for_scoring
from engine.imaging.volume_reading import middle_out, read_volume
from engine.imaging.voxel_memory import BUDGET_VARIABLE, allocate_voxels


def straight(count: int, gap: float = 2.0) -> list[tuple[float, float, float]]:
    return [(-10.0, -20.0, 5.0 + gap * index) for index in range(count)]


def random_hounsfield(count: int, rows: int = 12, columns: int = 10) -> np.ndarray:
    return np.random.default_rng(count).integers(-1024, 3071, (count, rows, columns)).astype(np.int16)


def test_slices_are_sorted_by_position_not_by_name_or_instance_number(write_ct):
    hounsfield = random_hounsfield(9)
    volume = read_volume(write_ct(straight(9), hounsfield))
    assert (volume.voxels == hounsfield).all()
    assert volume.voxels.dtype == np.int16
    assert volume.geometry.slice_positions.tolist() == pytest.approx([5 + 2 * index for index in range(9)])
    assert volume.loaded.all() and volume.warnings == () and volume.unreadable == ()


def test_the_middle_slice_comes_first_then_outward(write_ct):
    seen: list[int] = []
    complete: list[bool] = []

    def follow(volume, index):
        seen.append(index)
        complete.append(bool(volume.loaded[index]) and int(volume.voxels[index, 0, 0]) == 10 * index)

    read_volume(write_ct(straight(7)), on_slice=follow, workers=1)
    assert seen == middle_out(7) == [3, 4, 2, 5, 1, 6, 0]
    assert all(complete)


def test_two_workers_load_every_slice_once(write_ct):
    hounsfield = random_hounsfield(40)
    seen: list[int] = []
    threads: set[str] = set()

    def follow(volume, index):
        seen.append(index)
        threads.add(threading.current_thread().name)

    volume = read_volume(write_ct(straight(40), hounsfield), on_slice=follow)
    assert seen[0] == 20 and sorted(seen) == list(range(40))
    assert (volume.voxels == hounsfield).all()
    assert len(threads) > 1


def test_a_cancelled_load_comes_back_as_far_as_it_is_and_is_not_scored(write_ct):
    loaded: list[int] = []
    volume = read_volume(
        write_ct(straight(9)),
        workers=1,
        on_slice=lambda _, index: loaded.append(index),
        cancelled=lambda: len(loaded) >= 3,
    )
    assert volume.loaded.sum() == 3 and sorted(np.flatnonzero(volume.loaded)) == sorted(loaded)
    with pytest.raises(InconsistentSeries, match="3 of 9 slices are loaded"):
        check_for_scoring(volume)


def test_each_slice_has_its_own_rescale(write_ct):
    def edit(index: int, data: Dataset) -> None:
        if index == 2:
            data.RescaleIntercept = -1000
        if index == 3:
            data.RescaleSlope = 2

    stored = random_hounsfield(5, 6, 6).astype(np.int32) + 1024
    volume = read_volume(write_ct(straight(5), stored - 1024, edit=edit))
    assert (volume.voxels[1] == stored[1] - 1024).all()
    assert (volume.voxels[2] == stored[2] - 1000).all()
    assert (volume.voxels[3] == stored[3] * 2 - 1024).all()


def test_a_slope_that_is_not_whole_is_rounded_and_said(write_ct):
    def edit(index: int, data: Dataset) -> None:
        data.RescaleSlope = "0.5"

    stored = random_hounsfield(4).astype(np.int32) + 1024
    volume = read_volume(write_ct(straight(4), stored - 1024, edit=edit))
    assert (volume.voxels == np.rint(stored * 0.5 - 1024)).all()
    assert any("0.5" in warning and "rounded" in warning for warning in volume.warnings)


def test_values_beyond_int16_are_clipped_and_said(write_ct):
    def edit(index: int, data: Dataset) -> None:
        data.BitsStored, data.HighBit = 16, 15
        pixels = np.full((8, 9), 1000, "<u2")
        pixels[0, :5] = 65000
        data.PixelData = pixels.tobytes()

    volume = read_volume(write_ct(straight(4), edit=edit))
    assert (volume.voxels[:, 0, :5] == 32767).all() and (volume.voxels[:, 1:] == -24).all()
    assert any(warning.startswith("20 voxels") and "clipped" in warning for warning in volume.warnings)


@pytest.mark.parametrize(("padding", "limit"), [(-2000, None), (-2000, -1990), (-32768, None)])
def test_padding_becomes_air(write_ct, padding, limit):
    def edit(index: int, data: Dataset) -> None:
        data.PixelRepresentation, data.BitsStored, data.HighBit = 1, 16, 15
        data.RescaleIntercept = -24
        pixels = np.full((8, 9), 64, "<i2")
        pixels[0] = padding
        pixels[1] = padding if limit is None else limit
        data.add_new("PixelPaddingValue", "SS", padding)
        if limit is not None:
            data.add_new("PixelPaddingRangeLimit", "SS", limit)
        data.PixelData = pixels.tobytes()

    volume = read_volume(write_ct(straight(4), edit=edit))
    assert (volume.voxels[:, :2] == AIR).all() and (volume.voxels[:, 2:] == 40).all()
    assert not any("clipped" in warning for warning in volume.warnings)


@pytest.mark.parametrize("signed", [False, True])
def test_bits_beyond_those_stored_are_removed_as_the_general_decoder_does(write_ct, monkeypatch, signed):
    rng = np.random.default_rng(3)
    rubbish = rng.integers(0, 65536, (5, 8, 9)).astype("<u2")

    def edit(index: int, data: Dataset) -> None:
        data.PixelRepresentation = int(signed)
        data.PixelData = rubbish[index].tobytes()

    series = write_ct(straight(5), edit=edit)
    in_place = read_volume(series).voxels
    monkeypatch.setattr(plain_slices, "can_read_in_place", lambda header: False)
    assert (read_volume(series).voxels == in_place).all()
    stored = (rubbish & 0xFFF).astype(np.int32)
    expected = np.where(stored > 2047, stored - 4096, stored) if signed else stored
    assert (in_place == expected - 1024).all()


@pytest.mark.parametrize("defect", ["none", "padding", "slope", "shifted bits", "eight bits"])
def test_the_short_cut_for_plain_files_equals_the_general_path(write_ct, monkeypatch, defect):
    def edit(index: int, data: Dataset) -> None:
        if defect == "padding":
            data.add_new("PixelPaddingValue", "US", 1024)
        if defect == "slope":
            data.RescaleSlope = "1.5"
        if defect == "shifted bits":
            data.HighBit = 15
        if defect == "eight bits":
            data.BitsAllocated, data.BitsStored, data.HighBit = 8, 8, 7
            data.PixelData = np.arange(120, dtype=np.uint8).tobytes()

    series = write_ct(straight(5), random_hounsfield(5), edit=edit)
    short = read_volume(series)
    monkeypatch.setattr(plain_slices, "can_read_in_place", lambda header: False)
    general = read_volume(series)
    assert (short.voxels == general.voxels).all() and short.warnings == general.warnings


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian, RLELossless]
)
def test_every_transfer_syntax_gives_the_same_volume(write_ct, syntax):
    def edit(index: int, data: Dataset) -> None:
        if syntax == RLELossless:
            data.compress(RLELossless)
            return
        data.file_meta.TransferSyntaxUID = syntax
        if syntax == ExplicitVRBigEndian:
            data.PixelData = np.frombuffer(data.PixelData, "<u2").astype(">u2").tobytes()

    hounsfield = random_hounsfield(5)
    assert (read_volume(write_ct(straight(5), hounsfield, edit=edit)).voxels == hounsfield).all()


def test_a_truncated_slice_is_named_marked_and_shown_as_air(write_ct):
    hounsfield = random_hounsfield(9)
    series = write_ct(straight(9), hounsfield)
    broken = next(source for source in series.sources if pydicom.dcmread(source).InstanceNumber == 9 - 6)
    whole = Path(broken).read_bytes()
    Path(broken).write_bytes(whole[:-50])
    announced: list[int] = []
    volume = read_volume(series, on_slice=lambda _, index: announced.append(index))
    assert volume.unreadable == (6,) and not volume.loaded[6] and volume.loaded.sum() == 8
    assert (volume.voxels[6] == AIR).all() and (volume.voxels[5] == hounsfield[5]).all()
    assert sorted(announced) == list(range(9))
    assert any(Path(broken).name in warning and "shown as missing" in warning for warning in volume.warnings)
    with pytest.raises(InconsistentSeries, match="slice 7"):
        check_for_scoring(volume)


def test_a_file_without_a_readable_header_is_left_out_and_its_gap_is_seen(write_ct):
    series = write_ct(straight(9))
    broken = next(source for source in series.sources if pydicom.dcmread(source).InstanceNumber == 9 - 4)
    Path(broken).write_bytes(b"")
    volume = read_volume(series)
    assert len(volume.voxels) == 8
    assert any(Path(broken).name in warning and "left out" in warning for warning in volume.warnings)
    assert any("1 slice is missing" in warning and "after slice 4" in warning for warning in volume.warnings)


@pytest.mark.parametrize("kept", [0, 200, 700, 900])
def test_wherever_a_file_is_cut_the_rest_is_shown_and_the_file_is_named(write_ct, kept):
    series = write_ct(straight(9))
    broken = next(source for source in series.sources if pydicom.dcmread(source).InstanceNumber == 9 - 4)
    Path(broken).write_bytes(Path(broken).read_bytes()[:kept])
    volume = read_volume(series)
    assert volume.loaded.sum() == 8 and any(Path(broken).name in warning for warning in volume.warnings)


def test_a_series_of_which_nothing_can_be_read_is_an_error(write_ct):
    series = write_ct(straight(4))
    for source in series.sources:
        Path(source).write_bytes(Path(source).read_bytes()[:-20])
    with pytest.raises(UnreadableImage) as caught:
        read_volume(series)
    assert caught.value.where in series.sources and caught.value.cure


def test_three_slices_are_shown_but_not_scored(write_ct):
    volume = read_volume(write_ct(straight(3)))
    assert len(volume.voxels) == 3 and any(warning.startswith("3-slice volume") for warning in volume.warnings)
    with pytest.raises(InconsistentSeries, match="too few"):
        check_for_scoring(volume)
    check_for_scoring(read_volume(write_ct(straight(4), folder="four")))


def test_radioactivity_and_values_without_range_are_not_hounsfield(write_ct):
    def pet(index: int, data: Dataset) -> None:
        data.Modality = "PT"

    def tiny(index: int, data: Dataset) -> None:
        data.RescaleSlope, data.RescaleIntercept = "0.0003", 0

    with pytest.raises(ImplausibleImage, match="radioactivity"):
        read_volume(write_ct(straight(4), edit=pet, folder="pet"))
    with pytest.raises(ImplausibleImage, match=r"slope 0\.0003"):
        read_volume(write_ct(straight(4), edit=tiny, folder="tiny"))


def test_a_volume_beyond_the_memory_budget_lies_in_a_file_that_leaves_nothing_behind(write_ct, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv(BUDGET_VARIABLE, "0.0005")
    hounsfield = random_hounsfield(9)
    volume = read_volume(write_ct(straight(9), hounsfield))
    assert isinstance(volume.voxels, np.memmap) and (volume.voxels == hounsfield).all()
    del volume
    assert not list(tmp_path.glob("normascope-volume-*"))


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="files keep their names on this system")
def test_a_process_that_is_killed_while_it_makes_room_for_a_volume_leaves_nothing_behind(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("os.posix_fallocate", lambda file, start, size: seen.append((size, [*tmp_path.iterdir()])))
    allocate_voxels((4, 16, 16), budget=0)
    assert seen == [(2048, [])]


def test_a_full_disk_is_said_before_a_slice_is_written(monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full, raising=False)
    with pytest.raises(StorageUnavailable, match="No space left"):
        allocate_voxels((4, 16, 16), budget=0)


def test_a_file_that_changed_after_it_was_found_is_read_anew(write_ct):
    series = write_ct(straight(4))
    before = read_volume(series).voxels.copy()
    for source in series.sources:
        data = pydicom.dcmread(source)
        data.RescaleIntercept, data.PatientComments = -1000, "changed"
        data.save_as(source)
    assert (read_volume(series).voxels == before + 24).all()


def test_an_enhanced_multi_frame_file_gives_the_same_volume(write_ct, tmp_path, as_series):
    hounsfield = random_hounsfield(6)
    single = read_volume(write_ct(straight(6), hounsfield))
    data = pydicom.dcmread(next(iter(tmp_path.glob("series/*.dcm"))))
    order = [3, 0, 5, 1, 4, 2]
    _make_enhanced(data, [straight(6)[index] for index in order], [hounsfield[index] for index in order])
    path = tmp_path / "enhanced.dcm"
    data.save_as(path)
    enhanced = read_volume(as_series(path))
    assert (enhanced.voxels == single.voxels).all() and enhanced.warnings == ()
    assert np.allclose(enhanced.geometry.positions, single.geometry.positions)
    assert enhanced.geometry.pixel_spacing == single.geometry.pixel_spacing


def _make_enhanced(data: Dataset, positions: list, hounsfield: list) -> None:
    """Orientation and spacing shared, position and rescale per frame (PS3.3 C.7.6.16)."""

    def item(**values) -> list[Dataset]:
        entry = Dataset()
        for name, value in values.items():
            setattr(entry, name, value)
        return [entry]

    shared, frames, pixels = Dataset(), [], []
    shared.PixelMeasuresSequence = item(PixelSpacing=[1.0, 1.0], SliceThickness=2)
    shared.PlaneOrientationSequence = item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
    for index, (position, values) in enumerate(zip(positions, hounsfield, strict=True)):
        frame = Dataset()
        frame.PlanePositionSequence = item(ImagePositionPatient=list(position))
        intercept = -1024 - index
        frame.PixelValueTransformationSequence = item(RescaleSlope=1, RescaleIntercept=intercept, RescaleType="HU")
        frames.append(frame)
        pixels.append((values.astype(np.int32) - intercept).astype("<u2"))
    for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "RescaleSlope", "RescaleIntercept"):
        del data[name]
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2.1"
    data.SharedFunctionalGroupsSequence, data.PerFrameFunctionalGroupsSequence = [shared], frames
    data.NumberOfFrames, data.BitsStored, data.HighBit = len(frames), 13, 12
    data.PixelData = np.stack(pixels).tobytes()


def test_slices_in_a_zip_give_the_same_volume(write_ct, tmp_path):
    hounsfield = random_hounsfield(5)
    series = write_ct(straight(5), hounsfield)
    with zipfile.ZipFile(tmp_path / "scan.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for source in series.sources:
            archive.write(source, f"scan/{Path(source).name}")
    members = tuple(f"{tmp_path / 'scan.zip'}!/scan/{Path(source).name}" for source in series.sources)
    volume = read_volume(replace(series, sources=members))
    assert (volume.voxels == hounsfield).all() and volume.where == f"{tmp_path / 'scan.zip'}!/scan"


def test_a_fault_in_whoever_follows_the_load_stops_it_and_is_not_swallowed(write_ct):
    def fail(volume, index):
        if index != 5:
            raise RuntimeError("the viewer's own fault")

    with pytest.raises(RuntimeError, match="viewer's own"):
        read_volume(write_ct(straight(10)), on_slice=fail)


@pytest.mark.parametrize("kind", ["colour", "decimal"])
def test_colour_and_decimal_pixels_are_not_hounsfield(write_ct, kind):
    def edit(index: int, data: Dataset) -> None:
        if kind == "colour":
            data.SamplesPerPixel, data.PhotometricInterpretation, data.PlanarConfiguration = 3, "RGB", 0
            data.BitsAllocated, data.BitsStored, data.HighBit = 8, 8, 7
            data.PixelData = bytes(8 * 9 * 3)
        else:
            del data.PixelData
            data.BitsAllocated, data.BitsStored, data.HighBit = 32, 32, 31
            data.FloatPixelData = np.ones(72, "<f4").tobytes()

    with pytest.raises(ImplausibleImage, match=kind) as caught:
        read_volume(write_ct(straight(4), edit=edit))
    assert caught.value.cure


def test_a_modality_lookup_table_stands_in_for_the_rescale(write_ct):
    def edit(index: int, data: Dataset) -> None:
        table = Dataset()
        table.LUTDescriptor = [256, 0, 16]
        table.ModalityLUTType = "HU"
        table.add_new("LUTData", "US", [value * 3 for value in range(256)])
        data.ModalityLUTSequence = [table]
        data.PixelData = np.arange(72, dtype="<u2").tobytes()
        del data.RescaleSlope, data.RescaleIntercept

    volume = read_volume(write_ct(straight(4), edit=edit))
    assert (volume.voxels[1].ravel() == np.arange(72) * 3).all()


def test_mixed_sizes_name_the_odd_slice(write_ct):
    def edit(index: int, data: Dataset) -> None:
        if index == 3:
            data.Rows, data.PixelData = 4, bytes(4 * 9 * 2)

    with pytest.raises(InconsistentSeries, match="pixels, other slices") as caught:
        read_volume(write_ct(straight(6), edit=edit))
    assert caught.value.where and caught.value.where.endswith(".dcm")
