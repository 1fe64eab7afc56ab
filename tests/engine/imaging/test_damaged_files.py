"""A file cut or changed anywhere gives a picture or a typed error, never another exception."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import NormascopeError
from engine.imaging.discovery import open_study

FOLDER = Path(pydicom.__file__).parent / "data" / "test_files"
NAMES = (
    "CT_small.dcm", "MR_small_implicit.dcm", "MR_small_bigendian.dcm", "MR_small_RLE.dcm", "MR_small_jpeg_ls_lossless.dcm",
    "MR_small_jp2klossless.dcm", "JPGExtended.dcm", "SC_rgb_jpeg_gdcm.dcm", "SC_rgb_dcmtk_+eb+cy+np.dcm", "image_dfl.dcm",
    "rtplan.dcm", "test-SR.dcm", "dicomdirtests/DICOMDIR", "dicomdirtests/77654033/CR1/6154", "SC_rgb_small_odd_jpeg.dcm",
)  # fmt: skip
NO_PICTURES = ("rtplan.dcm", "test-SR.dcm", "dicomdirtests/DICOMDIR")
REFUSALS = ("UnreadableImage", "UnsupportedTransferSyntax", "ImplausibleImage", "InconsistentSeries")
RELAXED = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@functools.cache
def content(name: str) -> bytes:
    return (FOLDER / name).read_bytes()


def outcome(data: bytes, suffix: str = ".dcm") -> str:
    """What opening and decoding the bytes comes to."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"case{suffix}"
        path.write_bytes(data)
        errors: list[NormascopeError] = []
        shown = 0
        for series in open_study(path, on_error=errors.append):
            if series.kind == "volume":
                continue
            try:
                grey = series.load_radiograph().presentation()
            except NormascopeError as problem:
                errors.append(problem)
                continue
            assert grey.ndim == 2
            assert np.isfinite(grey).all()
            shown += 1
        assert all(error.cure and str(folder) in str(error.where) for error in errors)
        return "picture" if shown else errors[0].kind if errors else "nothing"


@RELAXED
@given(st.sampled_from(NAMES), st.floats(0, 1))
def test_a_dicom_file_cut_at_any_byte(name: str, share: float) -> None:
    data = content(name)
    result = outcome(data[: int(share * len(data))])
    assert result != "nothing" or name.endswith("DICOMDIR")


@RELAXED
@given(st.sampled_from(NAMES), st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), min_size=1, max_size=6))
def test_a_dicom_file_with_changed_bytes(name: str, changes: list[tuple[int, int]]) -> None:
    data = bytearray(content(name))
    for position, value in changes:
        data[position % len(data)] = value
    result = outcome(bytes(data))
    assert result in ("picture", *REFUSALS) or name.endswith("DICOMDIR")
    assert result != "picture" or name not in NO_PICTURES, "what holds no pixels never becomes a picture"


@pytest.mark.parametrize(
    "start", [b"", b"\0" * 128 + b"DICM", "meta header"], ids=["whole file", "data set", "behind the meta header"]
)
def test_a_file_of_zeros_is_refused_without_being_parsed_element_by_element(
    start: bytes | str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def parsed(*_: object, **__: object) -> None:
        raise AssertionError("pydicom takes minutes for a large one")

    monkeypatch.setattr(pydicom, "dcmread", parsed)
    if isinstance(start, str):
        whole = content("CT_small.dcm")
        start = whole[: whole.index(b"\x08\0\x05\0")]
    assert outcome(start + bytes(4096)) == "UnreadableImage"


@RELAXED
@given(
    st.binary(max_size=2000),
    st.sampled_from((b"", b"\0" * 128 + b"DICM", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"PK\x03\x04")),
)
def test_random_bytes_behind_any_beginning(rest: bytes, start: bytes) -> None:
    assert outcome(start + rest) not in ("picture", "nothing")


@pytest.mark.parametrize("suffix", [".png", ".nii", ".nii.gz", ".zip", ".csv", ".jpg", ""])
def test_bytes_under_any_name(suffix: str) -> None:
    for data in (b"", b"\0" * 700, bytes(range(256)) * 4, b"path\nx.dcm\n"):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"case{suffix}"
            path.write_bytes(data)
            errors: list[NormascopeError] = []
            assert list(open_study(path, on_error=errors.append)) == []
            assert errors
