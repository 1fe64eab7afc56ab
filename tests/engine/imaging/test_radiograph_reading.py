"""A radiograph is shown as its file asks, measured only as far as it can be, and refused when it cannot be one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset

from engine.errors import ImplausibleImage, ImpossibleSpacing
from engine.imaging.radiograph import Radiograph
from engine.imaging.series import Series

RAMP = np.arange(4096, dtype=np.uint16).reshape(64, 64)
Opened = Callable[[str | Path], tuple[list[Series], list[Any]]]


@pytest.fixture
def read(write_radiograph: Callable[..., Path], opened: Opened) -> Callable[..., Radiograph]:
    def load(pixels: np.ndarray = RAMP, **elements: Any) -> Radiograph:
        found, errors = opened(write_radiograph(pixels, **elements))
        assert all(isinstance(error, ImpossibleSpacing) for error in errors)
        return found[0].load_radiograph()

    return load


def test_monochrome1_is_turned_over_for_display_and_only_there(read: Callable[..., Radiograph]) -> None:
    radiograph = read(PhotometricInterpretation="MONOCHROME1", WindowCenter="2048", WindowWidth="4096")
    assert radiograph.minimum_is_white
    assert np.array_equal(radiograph.pixels, RAMP)
    shown = radiograph.presentation()
    assert shown[0, 0] == 1
    assert shown[-1, -1] == 0


@pytest.mark.parametrize(
    ("photometric", "shape", "lowest_is_white", "warned"),
    [
        ("MONOCHROME1", "INVERSE", True, False),  # as PS3.3 C.8.11.3.1.2 wants it: one inversion said twice, never two
        ("MONOCHROME2", "IDENTITY", False, False),
        ("MONOCHROME2", "INVERSE", True, True),
        ("MONOCHROME1", "IDENTITY", False, True),
        ("MONOCHROME1", "", True, False),
        ("MONOCHROME2", "UNHEARD OF", False, False),
    ],
)
def test_the_presentation_shape_says_which_end_is_white_and_a_contradiction_is_told(
    read: Callable[..., Radiograph], photometric: str, shape: str, lowest_is_white: bool, warned: bool
) -> None:
    window = {"WindowCenter": "2048", "WindowWidth": "4096"}
    radiograph = read(PhotometricInterpretation=photometric, PresentationLUTShape=shape, **window)
    assert radiograph.presentation()[0, 0] == (1 if lowest_is_white else 0)
    assert any("negative" in words for words in radiograph.warnings) == warned


def test_the_files_window_is_used_and_its_others_are_kept(read: Callable[..., Radiograph]) -> None:
    radiograph = read(
        WindowCenter=["1000", "2000"], WindowWidth=["500", "900"], WindowCenterWidthExplanation=["BONE", "SOFT"]
    )
    assert (radiograph.window.center, radiograph.window.width, radiograph.window.name) == (1000, 500, "BONE")
    assert radiograph.other_windows[0].name == "SOFT"
    shown = radiograph.presentation()
    assert shown.ravel()[700] == 0
    assert shown.ravel()[1300] == 1


@pytest.mark.parametrize(
    "elements", [{}, {"WindowCenter": "90000", "WindowWidth": "10"}, {"WindowCenter": "5", "WindowWidth": "-3"}]
)
def test_without_a_usable_window_the_image_is_still_seen(
    read: Callable[..., Radiograph], elements: dict[str, str]
) -> None:
    assert read(**elements).presentation().std() > 0.2


def test_a_voi_lut_wins_over_the_window(
    tmp_path: Path, radiograph_dataset: Callable[..., Dataset], opened: Opened
) -> None:
    data = radiograph_dataset(RAMP, WindowCenter="1", WindowWidth="2")
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [4096, 0, 12])
    item.add_new("LUTData", "OW", np.arange(4095, -1, -1, dtype="<u2").tobytes())
    item.LUTExplanation = "TURNED"
    data.VOILUTSequence = [item]
    data.save_as(tmp_path / "v.dcm", enforce_file_format=True)
    radiograph = opened(tmp_path / "v.dcm")[0][0].load_radiograph()
    assert radiograph.window.name == "TURNED"
    assert np.allclose(radiograph.presentation(), 1 - RAMP / 4095, atol=1e-6)


def test_padding_shows_black_and_does_not_widen_the_window(read: Callable[..., Radiograph]) -> None:
    pixels = RAMP.astype(np.int16) % 200 + 1000
    pixels[:10] = -2000
    for interpretation in ("MONOCHROME1", "MONOCHROME2"):
        radiograph = read(pixels, PixelPaddingValue=-2000, PhotometricInterpretation=interpretation)
        assert radiograph.valid is not None
        assert not radiograph.valid[:10].any()
        assert (radiograph.presentation()[:10] == 0).all()
        assert radiograph.presentation()[10:].std() > 0.2


@pytest.mark.parametrize(
    ("elements", "spacing", "source"),
    [
        ({"PixelSpacing": [0.14, 0.15]}, (0.14, 0.15), "PixelSpacing"),
        ({"ImagerPixelSpacing": [0.2, 0.2]}, (0.2, 0.2), "ImagerPixelSpacing"),
        ({"PixelSpacing": [0.2, 0.2], "ImagerPixelSpacing": [0.2, 0.2]}, (0.2, 0.2), "ImagerPixelSpacing"),
        ({"PixelSpacing": [0.15, 0.15], "ImagerPixelSpacing": [0.2, 0.2]}, (0.15, 0.15), "PixelSpacing"),
        (
            {"PixelSpacing": [0.2, 0.2], "ImagerPixelSpacing": [0.2, 0.2], "PixelSpacingCalibrationType": "FIDUCIAL"},
            (0.2, 0.2),
            "PixelSpacing",
        ),
        ({"NominalScannedPixelSpacing": [0.17, 0.17]}, (0.17, 0.17), "NominalScannedPixelSpacing"),
        ({}, None, ""),
        ({"PixelSpacing": [0, 0]}, None, ""),
        ({"PixelSpacing": [900, 900]}, None, ""),
        ({"PixelSpacing": [-0.2, 0.2]}, None, ""),
        ({"PixelSpacing": [0, 0], "ImagerPixelSpacing": [0.2, 0.2]}, (0.2, 0.2), "ImagerPixelSpacing"),
    ],
)
def test_spacing_is_what_can_be_trusted(
    read: Callable[..., Radiograph], elements: dict[str, Any], spacing: tuple[float, float] | None, source: str
) -> None:
    radiograph = read(**elements)
    assert (radiograph.spacing, radiograph.spacing_source) == (spacing, source)
    impossible = any(value in (0, 900, -0.2) for value in elements.get("PixelSpacing", ()))
    assert any("impossible" in warning for warning in radiograph.warnings) == impossible
    assert any("magnified" in warning for warning in radiograph.warnings) == (source == "ImagerPixelSpacing")


@pytest.mark.parametrize("shape", [(1, 1), (1, 4000), (7, 7)])
def test_an_image_of_a_pixel_or_a_line_is_refused(
    write_radiograph: Callable[..., Path], opened: Opened, shape: tuple[int, int]
) -> None:
    path = write_radiograph(np.zeros(shape, np.uint16))
    with pytest.raises(ImplausibleImage, match=f"{shape[0]} x {shape[1]}"):
        opened(path)[0][0].load_radiograph()


def test_pixels_that_are_not_numbers_are_refused(
    tmp_path: Path, radiograph_dataset: Callable[..., Dataset], opened: Opened
) -> None:
    values = np.ones((16, 16), np.float32)
    values[3, 3] = np.nan
    data = radiograph_dataset(np.zeros((16, 16), np.uint16), PixelData=None, BitsAllocated=32)
    data.FloatPixelData = values.tobytes()
    data.save_as(tmp_path / "nan.dcm", enforce_file_format=True)
    with pytest.raises(ImplausibleImage, match="NaN"):
        opened(tmp_path / "nan.dcm")[0][0].load_radiograph()


def test_a_film_is_stood_for_by_its_middle_frame_and_says_so(
    write_radiograph: Callable[..., Path], opened: Opened
) -> None:
    frames = np.stack([np.full((16, 16), value, np.uint8) for value in range(9)])
    found, _ = opened(write_radiograph(frames, Modality="XA", NumberOfFrames=9))
    assert [(series.kind, series.frames) for series in found] == [("radiograph", 9)]
    radiograph = found[0].load_radiograph()
    assert radiograph.pixels[0, 0] == 4
    assert any("frame 5" in warning for warning in radiograph.warnings)
