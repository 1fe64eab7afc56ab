"""Series for the viewer's tests: real files where reading is what matters, made volumes with a gate where the timing is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid
from pytestqt.qtbot import QtBot

from app.viewer.viewer import Viewer
from engine.imaging.series import Series
from engine.imaging.volume import Volume, VolumeGeometry


@dataclass(frozen=True)
class GatedVolume(Series):
    """A CT whose slice i is all i * 10 HU, loaded middle first; `gate` holds back all but the first slice until it is set."""

    slices: int = 9
    side: tuple[int, int] = (40, 60)
    spacing: tuple[float, float] = (0.5, 0.5)
    gate: threading.Event = field(default_factory=threading.Event)
    broken: tuple[int, ...] = ()

    def load_volume(
        self, *, on_slice: Any = None, workers: int = 2, cancelled: Callable[[], bool] | None = None
    ) -> Volume:
        """As the engine's: `on_slice(volume, index)` from this thread after each slice."""
        positions = np.stack([np.zeros(self.slices), np.zeros(self.slices), np.arange(self.slices) * 2.5], axis=1)
        geometry = VolumeGeometry(positions, np.array([1.0, 0, 0]), np.array([0, 1.0, 0]), self.spacing)
        voxels = np.full((self.slices, *self.side), -1024, np.int16)
        volume = Volume(voxels, geometry, np.zeros(self.slices, np.bool_), ("uneven",), self.broken)
        middle = self.slices // 2
        for index in (middle, *(i for i in range(self.slices) if i != middle)):
            if index != middle:
                self.gate.wait(5)
            if cancelled is not None and cancelled():
                break
            if index in self.broken:
                continue
            voxels[index] = index * 10
            volume.loaded[index] = True
            if on_slice is not None:
                on_slice(volume, index)
        return volume


@pytest.fixture
def made_ct() -> Callable[..., GatedVolume]:
    """`made_ct("key", open=False, ...)`: a gated CT; with `open` its gate stands open."""

    def make(key: str, *, open: bool = True, **more: Any) -> GatedVolume:
        series = GatedVolume(key, "1", "1.1", "volume", "dicom", (f"{key}.dcm",), **{"modality": "CT", **more})
        if open:
            series.gate.set()
        return series

    return make


@pytest.fixture
def png(tmp_path: Path) -> Callable[..., Series]:
    """`png("name", pixels)`: a series of an 8-bit PNG really written."""

    def write(name: str, pixels: np.ndarray, **more: Any) -> Series:
        path = tmp_path / f"{name}.png"
        Image.fromarray(pixels).save(path)
        return Series(name, "1", f"1.{name}", "radiograph", "raster", (str(path),), **more)

    return write


@pytest.fixture
def monochrome1(tmp_path: Path) -> Series:
    """A DX film of 64 x 32 pixels, 0.4 x 0.2 mm: MONOCHROME1, a ramp over the columns, eight padded rows at the top."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForPresentation
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    film = FileDataset(str(tmp_path / "film.dcm"), {}, file_meta=meta, preamble=bytes(128))
    film.SOPClassUID, film.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    film.StudyInstanceUID, film.SeriesInstanceUID = generate_uid(), generate_uid()
    film.Modality, film.PatientID, film.PatientName = "DX", "P1", "Doe^Jane"
    film.Rows, film.Columns, film.SamplesPerPixel = 64, 32, 1
    film.PhotometricInterpretation, film.PixelRepresentation = "MONOCHROME1", 0
    film.BitsAllocated, film.BitsStored, film.HighBit = 16, 12, 11
    film.PixelSpacing, film.PixelPaddingValue = [0.4, 0.2], 4095
    film.WindowCenter, film.WindowWidth = 1600, 3200
    pixels = np.broadcast_to((np.arange(32) * 100).astype(np.uint16), (64, 32)).copy()
    pixels[:8] = 4095
    film.PixelData = pixels.tobytes()
    film["PixelData"].VR = "OW"
    film.save_as(tmp_path / "film.dcm", enforce_file_format=True)
    return Series("film", "1", "1.2", "radiograph", "dicom", (str(tmp_path / "film.dcm"),), modality="DX")


@pytest.fixture
def viewer(qtbot: QtBot) -> Iterator[Viewer]:
    """A viewer on screen."""
    made = Viewer()
    qtbot.addWidget(made)
    made.resize(640, 480)
    made.show()
    qtbot.waitExposed(made)
    yield made
    made.clear()


@pytest.fixture
def opened(qtbot: QtBot, viewer: Viewer) -> Callable[[Series], Viewer]:
    """`opened(series)`: the viewer with the whole series loaded and its first pixel painted."""

    def open_it(series: Series) -> Viewer:
        loaded: list[float] = []
        viewer.loading.connect(loaded.append)
        with qtbot.waitSignal(viewer.shown):
            viewer.show_series(series)
        qtbot.waitUntil(lambda: 1.0 in loaded)
        viewer.loading.disconnect(loaded.append)
        return viewer

    return open_it
