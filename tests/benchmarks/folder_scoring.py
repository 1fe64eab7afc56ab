"""Scoring a folder of 500 radiographs, beside decoding, preprocessing and inference each run alone on the same files."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian, generate_uid

from engine.imaging.discovery import open_study
from engine.imaging.radiograph import Radiograph
from engine.imaging.series import Series
from engine.models.bundle import Bundle, load_bundle
from engine.models.inference import Inference
from engine.models.shelf import find
from engine.preprocess import prepare
from engine.scoring.scorer import Scorer
from tests.benchmarks.measurement import Measurement

NAME = "folder scoring"
TARGET = "overlapped: at most 1.15 x the slowest of decode, preprocess and inference alone"
COUNT, SIDE, BATCH = 500, 1024, 16
MODEL = "chest-paediatric-alpha-gan"


def run() -> list[Measurement]:
    """One measurement: the folder scored, beside the slowest stage as a plain loop (decoding and preprocessing on one core, inference on all)."""
    bundle = load_bundle(find(MODEL).path)
    with tempfile.TemporaryDirectory() as folder:
        _write_films(Path(folder))
        series = list(open_study(folder))
        list(Scorer(bundle, "cpu", BATCH).score(series[: 2 * BATCH]))  # warm: caches, threads
        stages, images, inputs = {}, [], []
        stages["decode"] = _timed(lambda: images.extend(_decode(series)))
        stages["preprocess"] = _timed(lambda: inputs.extend(_prepare(bundle, images)))
        images.clear()
        stages["inference"] = _timed(lambda: _infer(bundle, np.stack(inputs)))
        whole = _timed(lambda: _check(Scorer(bundle, "cpu", BATCH).score(series)))
    slowest = max(stages, key=lambda name: stages[name])
    said = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in stages.items())
    return [
        Measurement(
            f"score {COUNT} DICOM radiographs of {SIDE} x {SIDE} (alone: {said})",
            whole,
            f"{slowest} alone",
            stages[slowest],
            whole / stages[slowest],
            "at most 1.15 x",
            whole / stages[slowest] <= 1.15,
        )
    ]


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _decode(series: list[Series]) -> list[Radiograph]:
    return [one.load_radiograph() for one in series]


def _prepare(bundle: Bundle, images: list[Radiograph]) -> list[np.ndarray]:
    card = bundle.card
    return [prepare(image, card.preprocessing, card.input.size).tensor for image in images]


def _infer(bundle: Bundle, inputs: np.ndarray) -> None:
    inference = Inference(bundle, "cpu")
    for start in range(0, len(inputs), BATCH):
        inference(torch.from_numpy(inputs[start : start + BATCH]))


def _check(results) -> None:
    failed = [result.error for result in results if result.error]
    if failed:
        raise RuntimeError(f"{len(failed)} were not scored: {failed[0]}")


def _write_films(folder: Path) -> None:
    """Uncompressed 12-bit films as a detector sends them."""
    generator = np.random.default_rng(0)
    rows = np.linspace(-1, 1, SIDE)
    body = 2600 - 1500 * np.exp(-((np.abs(rows)[None, :] - 0.45) ** 2 / 0.05 + rows[:, None] ** 2 / 0.5))
    for index in range(COUNT):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = ComputedRadiographyImageStorage
        meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[f"film {index}"])
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        film = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
        film.SOPClassUID, film.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
        film.StudyInstanceUID = generate_uid(entropy_srcs=[f"study {index}"])
        film.SeriesInstanceUID = generate_uid(entropy_srcs=[f"series {index}"])
        film.Modality, film.BodyPartExamined, film.PatientID = "CR", "CHEST", f"P{index}"
        film.Rows, film.Columns, film.SamplesPerPixel, film.PhotometricInterpretation = SIDE, SIDE, 1, "MONOCHROME2"
        film.BitsAllocated, film.BitsStored, film.HighBit, film.PixelRepresentation = 16, 12, 11, 0
        film.WindowCenter, film.WindowWidth = "2048", "4096"
        pixels = np.clip(np.roll(body, index, 1) + generator.normal(0, 30, (SIDE, SIDE)), 0, 4095).astype("<u2")
        film.PixelData = pixels.tobytes()
        film.save_as(folder / f"film_{index:04d}.dcm", enforce_file_format=True)
