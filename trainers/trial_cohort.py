"""The phantoms that `trainers.trial` tries methods on, drawn on all cores. Imports no torch, which each of the drawing processes would load."""

from __future__ import annotations

import csv
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from engine.phantoms import chest, head
from engine.phantoms.dicom import write_ct_series, write_radiograph
from engine.phantoms.phantom import LESION_KINDS, LesionRequest

NORMALS, ABNORMALS = 64, 24
SEED = 90_000
"""Patients of no other cohort of phantoms."""
FILM, VOLUME, VOXEL_MM = 128, (16, 48, 48), (10.0, 4.8, 4.8)


def trial_cohort(folder: Path, *, volumes: bool) -> Path:
    """Chests or heads as coarse DICOM with a labels table; made once a folder. Returns the table."""
    table = folder / "labels.csv"
    if table.exists():
        return table
    folder.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
        rows = list(pool.map(partial(_drawn, folder, volumes), range(NORMALS + ABNORMALS), chunksize=8))
    with table.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["path", "patient_id", "label"], *rows])
    return table


def _drawn(folder: Path, volumes: bool, index: int) -> tuple[str, str, str]:
    """Write one patient's phantom; its row of the table."""
    kinds = LESION_KINDS["head" if volumes else "chest"]
    lesion = LesionRequest(kinds[index % len(kinds)]) if index >= NORMALS else None
    name = f"{index:03d}"
    if volumes:
        write_ct_series(head.render(SEED + index, lesion, shape=VOLUME, spacing=VOXEL_MM), folder / name)
    else:
        name += ".dcm"
        write_radiograph(chest.render(SEED + index, lesion, size=FILM), folder / name)
    return name, f"patient-{index}", "abnormal" if lesion else "normal"
