"""From 500 CT slice files with shuffled names to one sorted HU volume, beside SimpleITK and a pydicom loop on the same files.

Everybody starts from the folder and ends with the same voxels (checked). Files were just written, so all read from the system's cache.
"""

from __future__ import annotations

import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pydicom
import SimpleITK as sitk  # noqa: N813 - as its own documentation names it
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from engine.imaging.discovery import open_study
from engine.imaging.header_memory import forget_headers
from engine.imaging.series import Series
from tests.benchmarks.measurement import Measurement

NAME = "ct loading"
TARGET = "2x SimpleITK, 3x pydicom; first slice in a tenth of the time; peak memory at most 1.25 x the int16 volume"
COUNT, SIDE, ROUNDS = 500, 512, 3

Fingerprint = tuple[tuple[int, ...], int]


def run() -> list[Measurement]:
    """The whole way beside each peer, the load alone, the first slice, and the memory."""
    with tempfile.TemporaryDirectory(prefix="normascope-ct-") as name:
        folder = Path(name)
        write_series(folder, COUNT)
        times = _alternating(folder)
        memory = {who: _peak_memory(folder, who) for who in ("ours", "pydicom")}
    what = f"{COUNT} uncompressed CT slices of {SIDE} x {SIDE}, names shuffled, to a sorted HU volume"
    alone = "of that, load_volume alone (headers known from discovery)"
    reader = "SimpleITK ImageSeriesReader"
    first, anew = times["first slice"], times["first slice anew"]
    return [
        _faster(what, times["ours"], reader, times["simpleitk"], 2),
        _faster(what, times["ours"], "pydicom loop with np.stack", times["pydicom"], 3),
        _faster(alone, times["load"], "SimpleITK reading files already sorted", times["simpleitk load"], 2),
        _a_tenth("load_volume to the first slice", first, "load_volume to the last", times["load"]),
        _a_tenth(
            f"a new process: load_volume, headers read again, to the first slice (all slices after {times['load anew']:.3f} s)",
            anew,
            f"{reader}, its whole time",
            times["simpleitk"],
        ),
        _a_tenth("folder to the first slice", times["found"] + first, f"{reader}, its whole time", times["simpleitk"]),
        Measurement(
            "peak memory above the start",
            memory["ours"],
            "pydicom loop with np.stack",
            memory["pydicom"],
            memory["ours"],
            "at most 1.25 int16 volumes",
            memory["ours"] <= 1.25,
            "int16 volumes",
        ),
    ]


def _faster(work: str, ours: float, peer: str, theirs: float, times: int) -> Measurement:
    """Seconds beside a peer that is to take at least `times` as long."""
    return Measurement(work, ours, peer, theirs, theirs / ours, f"{times}x faster", theirs >= times * ours)


def _a_tenth(work: str, ours: float, peer: str, theirs: float) -> Measurement:
    """Seconds to a first slice beside the whole time of the peer."""
    return Measurement(work, ours, peer, theirs, ours / theirs, "at most 0.1", ours <= 0.1 * theirs)


def write_series(folder: Path, count: int, side: int = SIDE) -> None:
    """CT slices of noise with a scanner's usual hundred elements, 0.625 mm apart, under names in no order."""
    numbers = list(range(count))
    random.Random(7).shuffle(numbers)
    noise = np.random.default_rng(7).integers(0, 4096, (side, side)).astype("<u2")
    data = _header(side)
    for index in range(count):
        data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = generate_uid()
        data.InstanceNumber = index + 1
        data.ImagePositionPatient = ["-125", "-125", f"{-300 + 0.625 * index:.3f}"]
        data.SliceLocation = f"{-300 + 0.625 * index:.3f}"
        data.PixelData = np.roll(noise, index, 0).tobytes()
        data.save_as(folder / f"IM{numbers[index]:05d}.dcm", enforce_file_format=True)


def _header(side: int) -> Dataset:
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = CTImageStorage
    data.StudyInstanceUID, data.SeriesInstanceUID, data.FrameOfReferenceUID = (generate_uid() for _ in range(3))
    data.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    data.Modality, data.Manufacturer, data.ManufacturerModelName = "CT", "Benchmark", "Noise"
    data.PatientName, data.PatientID, data.PatientSex, data.PatientAge = "Benchmark^Ct", "B1", "O", "060Y"
    data.PatientPosition, data.BodyPartExamined, data.ConvolutionKernel = "HFS", "HEAD", "STD"
    data.StudyDate = data.SeriesDate = data.AcquisitionDate = data.ContentDate = "20200101"
    data.StudyTime = data.SeriesTime = data.AcquisitionTime = data.ContentTime = "120000.000"
    data.StudyDescription, data.SeriesDescription, data.ProtocolName = "Head", "Thin", "Helical head"
    data.SliceThickness, data.KVP, data.GantryDetectorTilt, data.TableHeight = "0.625", "120", "0", "150"
    data.XRayTubeCurrent, data.ExposureTime, data.SpacingBetweenSlices = "200", "1000", "0.625"
    data.SeriesNumber, data.AcquisitionNumber = 2, 1
    data.ImageOrientationPatient = ["1", "0", "0", "0", "1", "0"]
    data.PixelSpacing, data.Rows, data.Columns = ["0.488281", "0.488281"], side, side
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 0
    data.RescaleSlope, data.RescaleIntercept, data.WindowCenter, data.WindowWidth = "1", "-1024", "40", "80"
    for number in range(40):  # a vendor's own
        data.add_new((0x0019, 0x1000 + number), "DS", f"{number}.5")
    data.add_new((0x0019, 0x0010), "LO", "BENCHMARK")
    return data


def _alternating(folder: Path) -> dict[str, float]:
    """Median seconds of each way. They take turns, so that whatever else the machine does falls on all of them; the first turn is not counted,
    because a virtual machine's memory is slow when first touched. No voxels are kept from turn to turn."""
    seen: dict[str, list[float]] = {}
    expected: Fingerprint | None = None
    for turn in range(1 + ROUNDS):
        for name, way in _WAYS.items():
            fingerprint, parts = way(folder)
            expected = expected or fingerprint
            assert fingerprint == expected, f"{name} read another volume"
            if turn > 0:
                for part, seconds in parts.items():
                    seen.setdefault(part, []).append(seconds)
    return {name: statistics.median(values) for name, values in seen.items()}


def _fingerprint(voxels: npt.NDArray[np.int16]) -> Fingerprint:
    return voxels.shape, zlib.crc32(np.ascontiguousarray(voxels, np.int16))


def _stored(folder: Path) -> tuple[Fingerprint, dict[str, float]]:
    """As a new process does with a series from the store: the headers are read again."""
    series = next(iter(open_study(folder)))
    forget_headers()
    fingerprint, load, first = _load(series)
    return fingerprint, {"load anew": load, "first slice anew": first}


def _ours(folder: Path) -> tuple[Fingerprint, dict[str, float]]:
    forget_headers()
    start = time.perf_counter()
    series = next(iter(open_study(folder)))
    found = time.perf_counter() - start
    fingerprint, load, first = _load(series)
    return fingerprint, {"ours": found + load, "found": found, "load": load, "first slice": first}


def _load(series: Series) -> tuple[Fingerprint, float, float]:
    """(what was loaded, seconds, seconds to the first slice)."""
    arrivals: list[float] = []
    start = time.perf_counter()
    volume = series.load_volume(on_slice=lambda volume, index: arrivals.append(time.perf_counter()))
    seconds = time.perf_counter() - start
    return _fingerprint(volume.voxels), seconds, arrivals[0] - start


def _simpleitk(folder: Path) -> tuple[Fingerprint, dict[str, float]]:
    start = time.perf_counter()
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder))
    sorted_at = time.perf_counter()
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(names)
    image = reader.Execute()
    done = time.perf_counter()
    return _fingerprint(sitk.GetArrayViewFromImage(image)), {
        "simpleitk": done - start,
        "simpleitk load": done - sorted_at,
    }


def _pydicom(folder: Path) -> tuple[Fingerprint, dict[str, float]]:
    start = time.perf_counter()
    slices = [pydicom.dcmread(path) for path in folder.iterdir()]
    slices.sort(key=lambda data: float(data.ImagePositionPatient[2]))
    stacked = np.stack([data.pixel_array.astype(np.int16) * np.int16(data.RescaleSlope) for data in slices])
    stacked += np.int16(slices[0].RescaleIntercept)
    seconds = time.perf_counter() - start
    return _fingerprint(stacked), {"pydicom": seconds}


Way = Callable[[Path], tuple[Fingerprint, dict[str, float]]]
_WAYS: dict[str, Way] = {"ours": _ours, "stored": _stored, "simpleitk": _simpleitk, "pydicom": _pydicom}


def _peak_memory(folder: Path, who: str) -> float:
    """Highest resident memory above that before the work, in a process of its own, as a multiple of the int16 volume."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.ct_loading", who, str(folder)],
        capture_output=True,
        text=True,
        check=True,
    )
    return float(json.loads(done.stdout)["bytes"]) / (COUNT * SIDE * SIDE * 2)


def _resident_peak() -> int:
    """Bytes. Not getrusage: there, a child begins with its parent's peak."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("peak memory is measured on Linux only")


if __name__ == "__main__":
    before = _resident_peak()
    kept = _WAYS[sys.argv[1]](Path(sys.argv[2]))
    print(json.dumps({"bytes": _resident_peak() - before}))
