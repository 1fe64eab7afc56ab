"""Stored values come out of every transfer syntax as they went in, and become modality units without wrapping round."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import (
    ExplicitVRBigEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from engine.errors import ImplausibleImage, UnreadableImage, UnsupportedTransferSyntax
from engine.imaging.dicom_header import read_header
from engine.imaging.dicom_pixels import decode_frame, decode_stored

ANOTHER_COLOUR = {"examples_palette.dcm"}
NEVER_DECODES = {"MR_truncated.dcm", "JPEG2000-embedded-sequence-delimiter.dcm"}


def grey(colour: np.ndarray) -> np.ndarray:
    return np.rint(colour.astype(np.float64) @ np.array([0.299, 0.587, 0.114]))


def test_every_pydicom_file_decodes_as_pydicom_decodes_it(pydicom_files: Path) -> None:
    compared = set()
    for path in sorted(pydicom_files.rglob("*")):
        try:
            header = read_header(str(path)) if path.is_file() else None
            expected = pydicom.dcmread(path, force=True).pixel_array if header and header.has_pixels else None
        except Exception:  # what pydicom itself cannot decode is tested by name below
            continue
        if expected is None or header is None or path.name in ANOTHER_COLOUR:
            continue
        first = expected[0] if header.frames > 1 else expected
        stored = decode_stored(header)
        if first.ndim == 3:
            assert np.abs(stored.astype(np.float64) - grey(first)).max() <= 1, path.name
        else:
            assert np.array_equal(stored, first), path.name
        compared.add(header.transfer_syntax)
    # implicit, explicit, deflated, big-endian, RLE, JPEG baseline, lossless, JPEG-LS (2), JPEG 2000 (2)
    assert len(compared) >= 11


@pytest.mark.parametrize("name", ["RLE", "bigendian", "expb", "implicit", "jp2klossless", "jpeg_ls_lossless", "padded"])
def test_one_picture_in_many_syntaxes_has_one_set_of_values(pydicom_files: Path, name: str) -> None:
    plain = decode_stored(read_header(str(pydicom_files / "MR_small.dcm")))
    assert np.array_equal(decode_stored(read_header(str(pydicom_files / f"MR_small_{name}.dcm"))), plain)


@pytest.mark.parametrize("name", ["JPGExtended.dcm", "JPEG-lossy.dcm"])
def test_twelve_bit_jpeg_is_decoded(pydicom_files: Path, name: str) -> None:
    stored = decode_stored(read_header(str(pydicom_files / name)))
    assert stored.dtype == np.uint16
    assert (stored[420, 140], stored[230, 120], stored.max()) == (244, 95, 264)


@pytest.mark.parametrize("name", sorted(NEVER_DECODES))
def test_truncated_and_corrupt_pixel_data_is_refused(pydicom_files: Path, name: str) -> None:
    with pytest.raises(UnreadableImage, match="truncated"):
        decode_stored(read_header(str(pydicom_files / name)))


def test_an_unknown_transfer_syntax_names_itself(write_radiograph: Callable[..., Path]) -> None:
    path = write_radiograph(np.zeros((16, 16), np.uint16))
    path.write_bytes(path.read_bytes().replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.9.9\0"))
    with pytest.raises(UnsupportedTransferSyntax, match=r"1\.2\.840\.10008\.1\.9\.9"):
        decode_stored(read_header(str(path)))


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless])
@pytest.mark.parametrize(("kind", "bits"), [("u1", 8), ("u2", 12), ("u2", 16), ("i2", 16)])
def test_lossless_compression_returns_what_was_stored(
    tmp_path: Path, radiograph_dataset: Callable[..., Dataset], syntax: str, kind: str, bits: int
) -> None:
    low = -(1 << (bits - 1)) if kind == "i2" else 0
    pixels = np.linspace(low, low + (1 << bits) - 1, 40 * 50).reshape(40, 50).astype(kind)
    data = radiograph_dataset(pixels, BitsStored=bits, HighBit=bits - 1)
    data.compress(syntax)
    data.save_as(tmp_path / "c.dcm", enforce_file_format=True)
    assert np.array_equal(decode_stored(read_header(str(tmp_path / "c.dcm"))), pixels)


@pytest.mark.parametrize("bits", [10, 12, 14])
def test_overlays_and_rubbish_in_the_high_bits_are_ignored(write_radiograph: Callable[..., Path], bits: int) -> None:
    clean = (np.arange(64 * 64, dtype=np.uint16) % (1 << bits)).reshape(64, 64)
    dirty = clean | (np.random.default_rng(1).integers(0, 1 << (16 - bits), clean.shape) << bits).astype(np.uint16)
    path = write_radiograph(dirty, BitsStored=bits, HighBit=bits - 1)
    assert np.array_equal(decode_stored(read_header(str(path))), clean)


def test_signed_values_in_twelve_bits_keep_their_sign(write_radiograph: Callable[..., Path]) -> None:
    clean = np.arange(-2048, 2048, dtype=np.int16).reshape(64, 64)
    for stored in (clean, clean & 0x0FFF):  # sign extended, and with the high bits left at zero
        path = write_radiograph(stored.astype(np.int16), BitsStored=12, HighBit=11)
        assert np.array_equal(decode_stored(read_header(str(path))), clean)


def test_values_that_do_not_begin_at_bit_zero_are_shifted_down(write_radiograph: Callable[..., Path]) -> None:
    clean = np.arange(4096, dtype=np.uint16).reshape(64, 64)
    path = write_radiograph(clean << 4 | 5, BitsStored=12, HighBit=15)
    assert np.array_equal(decode_stored(read_header(str(path))), clean)


@pytest.mark.parametrize("vr", ["OB", "OW"])
def test_eight_bit_pixels_in_big_endian_words_are_swapped_back(
    tmp_path: Path, radiograph_dataset: Callable[..., Dataset], vr: str
) -> None:
    pixels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    data = radiograph_dataset(pixels)
    data.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    data.PixelData = pixels.tobytes() if vr == "OB" else pixels.view("<u2").byteswap().tobytes()
    data["PixelData"].VR = vr
    pydicom.dcmwrite(tmp_path / "b.dcm", data, implicit_vr=False, little_endian=False, force_encoding=True)
    assert np.array_equal(decode_stored(read_header(str(tmp_path / "b.dcm"))), pixels)


@pytest.mark.parametrize("compressed", [False, True])
def test_a_frame_is_picked_by_its_index(
    tmp_path: Path, radiograph_dataset: Callable[..., Dataset], compressed: bool
) -> None:
    from dataclasses import replace

    frames = np.stack([np.full((20, 30), value, np.uint16) for value in (7, 300, 4000)])
    data = radiograph_dataset(frames, NumberOfFrames=3)
    if compressed:
        data.compress(RLELossless)
    data.save_as(tmp_path / "m.dcm", enforce_file_format=True)
    header = read_header(str(tmp_path / "m.dcm"))
    assert [int(decode_stored(replace(header, frame=index))[3, 4]) for index in range(3)] == [7, 300, 4000]
    with pytest.raises(UnreadableImage, match="no frame 4"):
        decode_stored(replace(header, frame=3))


@pytest.mark.parametrize(
    ("pixels", "slope", "intercept", "kind", "lowest", "highest"),
    [
        (np.array([0, 4095], np.uint16), 1, -1024, np.int16, -1024, 3071),
        (np.array([0, 65535], np.uint16), 1, -1024, np.float32, -1024, 64511),
        (np.array([-32768, 32767], np.int16), 1, -1024, np.float32, -33792, 31743),
        (np.array([0, 255], np.uint8), 257, 0, np.uint16, 0, 65535),
        (np.array([0, 1000], np.uint16), 0.5, 0.25, np.float32, 0.25, 500.25),
        (np.array([0, 4095], np.uint16), 1, 0, np.uint16, 0, 4095),
    ],
)
def test_rescaling_never_wraps_round(
    write_radiograph: Callable[..., Path],
    pixels: np.ndarray,
    slope: float,
    intercept: float,
    kind: type,
    lowest: float,
    highest: float,
) -> None:
    path = write_radiograph(np.resize(pixels, (16, 16)), RescaleSlope=str(slope), RescaleIntercept=str(intercept))
    frame = decode_frame(read_header(str(path)))
    assert frame.pixels.dtype == kind
    assert (frame.pixels.min(), frame.pixels.max()) == (lowest, highest)


@pytest.mark.parametrize(
    ("kind", "padding", "limit", "padded"),
    [
        ("i2", -2000, None, {-2000}),
        ("i2", -2000, -1998, {-2000, -1999, -1998}),
        ("u2", 4095, 4090, {4090, 4095}),  # range written the other way round
        ("u2", 0, None, {0}),
    ],
)
def test_padding_is_marked_before_rescaling(
    write_radiograph: Callable[..., Path], kind: str, padding: int, limit: int | None, padded: set[int]
) -> None:
    values = np.resize(np.array([0, 5, 4090, 4095] if kind == "u2" else [-2000, -1999, -1998, 5], kind), (16, 16))
    extra = {} if limit is None else {"PixelPaddingRangeLimit": limit}
    path = write_radiograph(values, PixelPaddingValue=padding, RescaleIntercept="-1024", RescaleSlope="1", **extra)
    frame = decode_frame(read_header(str(path)))
    assert frame.valid is not None
    assert np.array_equal(~frame.valid, np.isin(values, sorted(padded)))


def test_signed_padding_written_as_unsigned_is_understood(
    tmp_path: Path, radiograph_dataset: Callable[..., Dataset]
) -> None:
    values = np.resize(np.array([-2000, 10], np.int16), (16, 16))
    data = radiograph_dataset(values)
    data.add_new("PixelPaddingValue", "US", 65536 - 2000)
    data.save_as(tmp_path / "p.dcm", enforce_file_format=True)
    valid = decode_frame(read_header(str(tmp_path / "p.dcm"))).valid
    assert valid is not None
    assert np.array_equal(valid, values == 10)


def test_a_modality_lut_replaces_the_rescale(tmp_path: Path, radiograph_dataset: Callable[..., Dataset]) -> None:
    values = np.resize(np.array([0, 10, 11, 12, 99], np.uint16), (16, 16))
    data = radiograph_dataset(values, RescaleSlope="3", RescaleIntercept="1")
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [3, 10, 16])
    item.add_new("LUTData", "US", [500, 40, 900])
    item.ModalityLUTType = "US"
    data.ModalityLUTSequence = [item]
    data.save_as(tmp_path / "l.dcm", enforce_file_format=True)
    pixels = decode_frame(read_header(str(tmp_path / "l.dcm"))).pixels
    table = {0: 500, 10: 500, 11: 40, 12: 900, 99: 900}
    assert np.array_equal(pixels, np.vectorize(table.get)(values))


def test_colour_becomes_grey_and_says_so(pydicom_files: Path) -> None:
    for name, word in (
        ("examples_palette.dcm", "palette"),
        ("examples_rgb_color.dcm", "RGB"),
        ("examples_ybr_color.dcm", "YBR"),
    ):
        frame = decode_frame(read_header(str(pydicom_files / name)))
        assert frame.pixels.ndim == 2
        assert any(word in warning and "grey" in warning for warning in frame.warnings), name


def test_palette_indices_are_looked_up_rather_than_shown(
    tmp_path: Path, radiograph_dataset: Callable[..., Dataset]
) -> None:
    indices = np.resize(np.array([0, 1, 2], np.uint8), (16, 16))
    data = radiograph_dataset(indices, PhotometricInterpretation="PALETTE COLOR")
    for colour, entries in (("Red", [0, 65535, 65535]), ("Green", [0, 65535, 0]), ("Blue", [0, 65535, 0])):
        data.add_new(f"{colour}PaletteColorLookupTableDescriptor", "US", [3, 0, 16])
        data.add_new(f"{colour}PaletteColorLookupTableData", "OW", np.array(entries, "<u2").tobytes())
    data.save_as(tmp_path / "p.dcm", enforce_file_format=True)
    pixels = decode_stored(read_header(str(tmp_path / "p.dcm")))
    assert [int(pixels[0, index]) for index in range(3)] == [0, 65535, round(0.299 * 65535)]


@pytest.mark.parametrize("kind", ["f4", "f8"])
def test_float_pixels_are_read(tmp_path: Path, radiograph_dataset: Callable[..., Dataset], kind: str) -> None:
    values = np.linspace(-1, 1, 256).reshape(16, 16).astype(kind)
    data = radiograph_dataset(np.zeros((16, 16), np.uint16), PixelData=None)
    data.BitsAllocated = values.dtype.itemsize * 8
    setattr(data, "FloatPixelData" if kind == "f4" else "DoubleFloatPixelData", values.tobytes())
    data.save_as(tmp_path / "f.dcm", enforce_file_format=True)
    frame = decode_frame(read_header(str(tmp_path / "f.dcm")))
    assert frame.pixels.dtype == np.float32
    assert np.allclose(frame.pixels, values)


def test_a_header_that_claims_absurd_sizes_is_refused_before_memory_is(write_radiograph: Callable[..., Path]) -> None:
    path = write_radiograph(np.zeros((16, 16), np.uint16), Rows=65535, Columns=65535)
    with pytest.raises(ImplausibleImage, match="65535 x 65535"):
        decode_stored(read_header(str(path)))


def test_uncompressed_pixels_cut_short_are_refused(write_radiograph: Callable[..., Path]) -> None:
    path = write_radiograph(np.zeros((64, 64), np.uint16))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UnreadableImage, match="truncated"):
        decode_stored(read_header(str(path)))


def test_a_jpeg_that_contradicts_its_header_costs_an_error_and_not_the_process(
    pydicom_files: Path, tmp_path: Path
) -> None:
    """GDCM calls abort() on such streams, so this runs in a process of its own."""
    original = (pydicom_files / "SC_rgb_small_odd_jpeg.dcm").read_bytes()
    frame = original.index(b"\xff\xc0\x00\x11\x08")
    cases = {
        "rows": original[: frame + 5] + b"\x00\x09" + original[frame + 7 :],
        "components": original[: frame + 9] + b"\x01" + original[frame + 10 :],
        "precision": original[: frame + 4] + b"\x0c" + original[frame + 5 :],
        "table": original.replace(b"\xff\xdb", b"\xff\xfe"),
        "version": original.replace(b"JFIF\0\x01", b"JFIF\0\x07"),
        "rubbish": original.replace(b"\xff\xc0\x00\x11", b"\xff\x00\x00\x11"),
    }
    for name, content in cases.items():
        (tmp_path / f"{name}.dcm").write_bytes(content)
    code = (
        "import sys\nfrom engine.errors import UnreadableImage\nfrom engine.imaging.dicom_header import read_header\n"
        "from engine.imaging.dicom_pixels import decode_stored\n"
        "for path in sys.argv[1:]:\n"
        "    try:\n        decode_stored(read_header(path))\n    except UnreadableImage as problem:\n        print(problem.what)\n"
    )
    paths = [str(tmp_path / f"{name}.dcm") for name in cases]
    ran = subprocess.run([sys.executable, "-c", code, *paths], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr[-500:]
    assert len(ran.stdout.splitlines()) == len(cases)


def test_an_rle_stream_that_runs_over_its_end_is_an_error(pydicom_files: Path, tmp_path: Path) -> None:
    content = bytearray((pydicom_files / "MR_small_RLE.dcm").read_bytes())
    header = read_header(str(pydicom_files / "MR_small_RLE.dcm"))
    content[header.pixel_offset + 100 :: 7] = b"\x81" * len(content[header.pixel_offset + 100 :: 7])
    path = tmp_path / "rle.dcm"
    path.write_bytes(content)
    with pytest.raises(UnreadableImage):
        decode_stored(read_header(str(path)))


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    "name",
    [
        "MR_small_jpeg_ls_lossless.dcm",
        "MR_small_jp2klossless.dcm",
        "MR_small_RLE.dcm",
        "SC_rgb_jpeg_gdcm.dcm",
        "JPGExtended.dcm",
    ],
)
@pytest.mark.parametrize("share", [0.6, 0.95])
def test_compressed_pixels_cut_short_are_refused_at_once_rather_than_half_shown(
    pydicom_files: Path, tmp_path: Path, name: str, share: float
) -> None:
    """CharLS searches for the rest of a cut stream for twenty seconds; libjpeg paints it grey."""
    content = (pydicom_files / name).read_bytes()
    start = read_header(str(pydicom_files / name)).pixel_offset
    path = tmp_path / "cut.dcm"
    path.write_bytes(content[: start + int(share * (len(content) - start))])
    with pytest.raises(UnreadableImage, match=r"cut|no end"):
        decode_stored(read_header(str(path)))


@pytest.mark.parametrize("name", ["MR_small_jpeg_ls_lossless.dcm", "MR_small_jp2klossless.dcm"])
def test_a_stream_of_another_size_than_its_header_is_refused_before_memory_is_taken(
    pydicom_files: Path, tmp_path: Path, name: str
) -> None:
    content = (pydicom_files / name).read_bytes()
    if "ls" in name.split("_"):
        frame = content.index(b"\xff\xf7") + 5
        content = content[:frame] + b"\xff\xff\xff\xff" + content[frame + 4 :]
    else:
        size = content.index(b"\xff\x4f\xff\x51") + 8
        content = content[:size] + b"\x00\x00\xff\xff" * 2 + content[size + 8 :]
    path = tmp_path / "huge.dcm"
    path.write_bytes(content)
    with pytest.raises(UnreadableImage, match="65535 x 65535"):
        decode_stored(read_header(str(path)))


@pytest.mark.timeout(10)
def test_an_empty_jpeg_2000_box_is_refused_rather_than_walked_for_ever(pydicom_files: Path, tmp_path: Path) -> None:
    content = (pydicom_files / "GDCMJ2K_TextGBR.dcm").read_bytes()
    box = content.index(b"ftypjp2 ") - 4
    path = tmp_path / "box.dcm"
    path.write_bytes(content[:box] + b"\0\0\0\0" + content[box + 4 :])
    with pytest.raises(UnreadableImage, match="boxes"):
        decode_stored(read_header(str(path)))
