"""Pictures of radiographs are read as grey, upright and in full depth; photographs are refused."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.errors import ImplausibleImage, UnreadableImage
from engine.imaging.raster import raster_size, read_raster

Opened = Callable[[str | Path], tuple[list, list]]
RAMP = np.linspace(0, 255, 120 * 90).reshape(120, 90).astype(np.uint8)


def saved(path: Path, pixels: np.ndarray, mode: str | None = None, **options: object) -> str:
    Image.fromarray(pixels, mode).save(path, **options)
    return str(path)


def test_eight_and_sixteen_bit_grey_keep_their_values(tmp_path: Path) -> None:
    deep = (RAMP.astype(np.uint16) * 16) + 7
    assert np.array_equal(read_raster(saved(tmp_path / "8.png", RAMP)).pixels, RAMP)
    radiograph = read_raster(saved(tmp_path / "16.png", deep))
    assert radiograph.pixels.dtype == np.uint16
    assert np.array_equal(radiograph.pixels, deep)
    assert radiograph.presentation().std() > 0.2  # 12 bits in a 16-bit file are not shown black
    assert radiograph.spacing is None
    assert any("spacing" in warning for warning in radiograph.warnings)


def test_grey_stored_as_colour_is_grey_again(tmp_path: Path) -> None:
    colour = np.repeat(RAMP[..., None], 3, axis=2)
    radiograph = read_raster(saved(tmp_path / "rgb.png", colour))
    assert np.array_equal(radiograph.pixels, RAMP)
    assert not any("colour" in warning for warning in radiograph.warnings)


def test_a_coloured_marker_on_a_radiograph_is_converted_and_said(tmp_path: Path) -> None:
    colour = np.repeat(RAMP[..., None], 3, axis=2)
    colour[4:14, 4:14] = (255, 0, 0)
    radiograph = read_raster(saved(tmp_path / "marked.png", colour))
    assert radiograph.pixels[5, 5] == 76
    assert any("colour" in warning for warning in radiograph.warnings)


def test_jpeg_noise_in_the_colour_channels_is_no_photograph(tmp_path: Path) -> None:
    colour = np.repeat(RAMP[..., None], 3, axis=2).astype(np.int16)
    colour += np.random.default_rng(3).integers(-4, 5, colour.shape)
    path = saved(tmp_path / "noisy.jpg", np.clip(colour, 0, 255).astype(np.uint8), quality=80)
    assert read_raster(path).pixels.shape == RAMP.shape


def test_a_colour_photograph_is_refused(tmp_path: Path) -> None:
    from skimage import data

    for name in ("astronaut", "coffee", "chelsea"):
        path = Path(data.__file__).parent / f"{name}.png"
        if not path.is_file():
            continue
        with pytest.raises(ImplausibleImage, match="colour picture"):
            read_raster(str(path))
    sunset = np.zeros((60, 60, 3), np.uint8)
    sunset[..., 0], sunset[..., 2] = 200, np.linspace(0, 120, 60, dtype=np.uint8)
    with pytest.raises(ImplausibleImage) as caught:
        read_raster(saved(tmp_path / "sunset.jpg", sunset))
    assert "greyscale" in caught.value.cure


@pytest.mark.parametrize(("orientation", "turn"), [(1, 0), (3, 2), (6, 3), (8, 1)])
def test_exif_orientation_is_honoured(tmp_path: Path, orientation: int, turn: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path / "turned.jpg", RAMP, exif=exif, quality=95)
    radiograph = read_raster(path)
    assert radiograph.pixels.shape == raster_size(path)
    assert np.abs(radiograph.pixels.astype(int) - np.rot90(RAMP, turn)).max() < 12
    assert any("upright" in warning for warning in radiograph.warnings) == (orientation != 1)


@pytest.mark.parametrize("mode", ["P", "1", "LA", "RGBA", "CMYK"])
def test_every_common_mode_becomes_two_dimensional_grey(tmp_path: Path, mode: str) -> None:
    path = tmp_path / ("x.jpg" if mode == "CMYK" else "x.png")
    Image.fromarray(RAMP).convert("RGB" if mode == "CMYK" else "L").convert(mode).save(path)
    radiograph = read_raster(str(path))
    assert radiograph.pixels.shape == RAMP.shape
    assert radiograph.pixels.dtype == np.uint8
    assert radiograph.pixels.std() > 40


def test_transparent_parts_are_black(tmp_path: Path) -> None:
    layered = np.full((40, 40, 4), 200, np.uint8)
    layered[:20, :, 3] = 0
    layered[20:, :, 3] = 255
    radiograph = read_raster(saved(tmp_path / "t.png", layered))
    assert radiograph.pixels[0, 0] == 0
    assert radiograph.pixels[30, 0] == 200
    assert any("ransparen" in warning for warning in radiograph.warnings)


@pytest.mark.parametrize("name", ["x.png", "x.jpg"])
@pytest.mark.parametrize("keep", [0.0, 0.01, 0.5, 0.9])
def test_a_truncated_picture_is_refused(tmp_path: Path, name: str, keep: float, opened: Opened) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (120, 90)).astype(np.uint8)
    path = Path(saved(tmp_path / name, noise))
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content))])
    found, errors = opened(path)
    if found:
        with pytest.raises(UnreadableImage):
            found[0].load_radiograph()
    else:
        assert [type(error) for error in errors] == [UnreadableImage]


def test_a_picture_that_claims_to_be_enormous_is_refused(tmp_path: Path, opened: Opened) -> None:
    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 0, 0, 0, 0)
    chunk = b"IHDR" + header
    png = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    body = b"IDAT" + zlib.compress(b"\0" * 100)
    png += struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    path = tmp_path / "huge.png"
    path.write_bytes(png + b"\0\0\0\0IEND\xaeB`\x82")
    found, errors = opened(path)
    assert found == []
    assert [type(error) for error in errors] == [ImplausibleImage]


def test_a_jpeg_whose_size_stands_behind_long_metadata_is_measured(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.fromarray(RAMP).save(buffer, "JPEG")
    plain = buffer.getvalue()
    comment = b"\xff\xfe" + struct.pack(">H", 65535) + b"c" * 65533
    path = tmp_path / "long.jpg"
    path.write_bytes(plain[:2] + comment * 2 + plain[2:])
    assert raster_size(str(path)) == RAMP.shape
