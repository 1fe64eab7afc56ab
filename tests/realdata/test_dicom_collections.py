"""Real DICOM, PNG and JPEG collections open as what they are."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pydicom
import pytest

from engine.errors import NormascopeError
from engine.imaging.dicom_header import frame_headers, read_header
from engine.imaging.dicom_pixels import decode_frame, decode_stored
from engine.imaging.discovery import open_study
from engine.imaging.series import Series

pytestmark = pytest.mark.realdata


def opened(path: Path) -> tuple[list[Series], list[NormascopeError]]:
    errors: list[NormascopeError] = []
    return list(open_study(path, on_error=errors.append)), errors


def test_nine_transfer_syntaxes_hold_one_image(shared_data: Path) -> None:
    paths = sorted((shared_data / "dicom" / "dcm_qa_ts" / "In").glob("*.dcm"))
    headers = [read_header(str(path)) for path in paths]
    assert len({header.transfer_syntax for header in headers}) >= 7
    first = decode_stored(headers[0])
    for header in headers[1:]:
        assert np.array_equal(decode_stored(header), first), header.source


def test_twelve_bits_with_rubbish_above_decode_to_twelve_bits(shared_data: Path) -> None:
    for path in sorted((shared_data / "dicom" / "dcm_qa_12bit" / "In").glob("*.dcm")):
        raw = np.frombuffer(pydicom.dcmread(path).PixelData, "<u2").reshape(384, 384)
        expected = (raw & 0x0FFF).astype(np.int32)
        if "Signed" in path.name:
            expected = np.where(expected > 2047, expected - 4096, expected)
        assert np.array_equal(decode_stored(read_header(str(path))), expected), path.name


def test_enhanced_frames_have_their_own_positions(shared_data: Path) -> None:
    for path in sorted((shared_data / "dicom" / "dcm_qa_enh").rglob("*.dcm")):
        headers = frame_headers(str(path))
        assert len(headers) == headers[0].frames > 1
        assert all(header.position and header.orientation and header.pixel_spacing for header in headers)
        whole = pydicom.dcmread(path).pixel_array
        for index in (0, len(headers) // 2, len(headers) - 1):
            assert np.array_equal(decode_stored(headers[index]), whole[index])


def test_each_ct_is_one_volume_though_anonymised_frames_of_reference_differ(shared_data: Path) -> None:
    for folder, slices, body_part in (("chest_lidc_0314", 275, "CHEST"), ("head_ge_tilted", 28, "HEAD")):
        (series,), errors = opened(shared_data / "ct" / folder)
        assert errors == []
        assert (series.kind, series.modality, series.frames, series.body_part) == ("volume", "CT", slices, body_part)


def test_head_ct_padding_is_marked_and_air_is_minus_a_thousand(shared_data: Path) -> None:
    frame = decode_frame(read_header(str(shared_data / "ct" / "head_ge_tilted" / "14.dcm")))
    assert frame.valid is not None
    corners = frame.valid[:20, :20]
    assert not corners.any()
    assert frame.pixels.dtype == np.int16
    values = frame.pixels[frame.valid]
    assert -1100 < np.percentile(values, 1) < -900


def test_the_whole_collection_opens_without_an_error(shared_data: Path) -> None:
    found, errors = opened(shared_data / "dicom")
    assert errors == []
    assert len(found) == 17
    assert len({series.key for series in found}) == 17


@pytest.mark.parametrize(
    ("cohort", "size", "normal"),
    [("chest_paediatric", 5216, 1341), ("chest_adult", 1515, 345), ("knee", 1003, 607), ("limb_fracture", 96, 52)],
)
def test_cohort_tables_open_and_their_images_decode(shared_data: Path, cohort: str, size: int, normal: int) -> None:
    found, errors = opened(shared_data / cohort / "labels.csv")
    assert errors == []
    assert len(found) == size
    assert sum(series.label == "normal" for series in found) == normal
    for series in random.Random(0).sample(found, 12):
        radiograph = series.load_radiograph()
        assert radiograph.pixels.shape == (series.rows, series.columns)
        assert radiograph.presentation().std() > 0.02
