"""The header of a NIfTI-1 or NIfTI-2 file: sizes, number type, scaling and where voxels lie in the patient. Reads no voxels.

Source: nifti1.h and nifti2.h of the NIfTI Data Format Working Group (sections "3D IMAGE (VOLUME) ORIENTATION AND LOCATION IN SPACE" and
"DATA SCALING"). NIfTI axes point right, anterior, superior; `affine` is turned to LPS, this project's axes.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.errors import ImplausibleImage, UnreadableImage

HEADER_BYTES = 544
"""Enough of the file's start to read either version's header."""

_DATA_TYPES = {
    2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8",
}  # fmt: skip
_COLOURS = {128: "RGB", 2304: "RGBA", 32: "complex", 1792: "complex", 2048: "complex"}
_MILLIMETRES = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}
_MOST_BYTES = 16 << 30


@dataclass(frozen=True, eq=False)
class NiftiHeader:
    """What the file says of its voxels.

    Attributes:
        size: voxels along the file's axes i, j, k (1 where the file has fewer).  volumes: how many such volumes (time points, channels).
        dtype: of the stored numbers, with byte order.  offset: of the first voxel in the expanded file.
        slope, intercept: value = stored x slope + intercept.
        affine: [3, 4] voxel index (i, j, k, 1) to LPS mm.
        warnings: doubts about the geometry, in words.
    """

    size: tuple[int, int, int]
    volumes: int
    dtype: np.dtype[np.generic]
    offset: int
    slope: float
    intercept: float
    affine: npt.NDArray[np.float64]
    warnings: tuple[str, ...]

    @property
    def bytes_needed(self) -> int:
        """Length of the expanded file up to the end of its first volume."""
        return self.offset + math.prod(self.size) * self.dtype.itemsize


def parse_nifti_header(start: bytes, where: str) -> NiftiHeader:
    """Read the first `HEADER_BYTES` bytes of an expanded NIfTI file.

    Raises:
        UnreadableImage: empty, cut off, not NIfTI, or a header whose voxels are in another file (.hdr and .img).
        ImplausibleImage: colour or complex numbers, no voxels, or absurdly many.
    """
    order, version = _kind(start, where)
    fields = _fields(start, order, version)
    shape = [int(length) for length in fields.dims[1 : 1 + max(0, min(int(fields.dims[0]), 7))]]
    if not shape or min(shape) < 1:
        raise ImplausibleImage("the header counts no voxels", where=where, cure="Export the image again")
    shape += [1] * (7 - len(shape))
    if fields.datatype not in _DATA_TYPES:
        what = _COLOURS.get(fields.datatype, f"unknown (type {fields.datatype})")
        raise ImplausibleImage(
            f"the voxels are {what} numbers, not grey values",
            where=where,
            cure="Export the image as whole or decimal numbers",
        )
    dtype = np.dtype(order + _DATA_TYPES[fields.datatype])
    if math.prod(shape) * dtype.itemsize > _MOST_BYTES:
        raise ImplausibleImage("the header counts absurdly many voxels", where=where, cure="Export the image again")
    scaled = math.isfinite(fields.slope) and math.isfinite(fields.intercept) and fields.slope != 0
    affine, warnings = _affine(fields, where)
    return NiftiHeader(
        (shape[0], shape[1], shape[2]),
        math.prod(shape[3:]),
        dtype,
        max(int(fields.offset), 352 if version == 1 else 544),
        fields.slope if scaled else 1.0,
        fields.intercept if scaled else 0.0,
        affine,
        warnings,
    )


@dataclass(frozen=True)
class _Fields:
    dims: tuple[int, ...]
    datatype: int
    spacing: tuple[float, ...]
    offset: float
    slope: float
    intercept: float
    units: int
    qform_code: int
    sform_code: int
    quaternion: tuple[float, ...]
    shift: tuple[float, ...]
    sform: tuple[float, ...]


def _kind(start: bytes, where: str) -> tuple[str, int]:
    """(byte order, version)."""
    if not start:
        raise UnreadableImage("the file is empty", where=where, cure="Copy or export it again")
    for order in "<>":
        if len(start) >= 348 and struct.unpack_from(order + "i", start)[0] == 348:
            if start[344:347] == b"ni1":
                raise UnreadableImage(
                    "the header and voxels are two files (.hdr and .img)",
                    where=where,
                    cure="Convert the pair to one .nii file",
                )
            if start[344:347] == b"n+1":
                return order, 1
        if len(start) >= 540 and struct.unpack_from(order + "i", start)[0] == 540 and start[4:7] == b"n+2":
            return order, 2
    raise UnreadableImage("not a NIfTI file, or cut off in its header", where=where, cure="Copy or export it again")


def _fields(start: bytes, order: str, version: int) -> _Fields:
    def read(kind: str, offset: int) -> tuple[float, ...]:
        return struct.unpack_from(order + kind, start, offset)

    if version == 1:
        return _Fields(
            dims=tuple(int(value) for value in read("8h", 40)),
            datatype=int(read("h", 70)[0]),
            spacing=read("8f", 76),
            offset=read("f", 108)[0],
            slope=read("f", 112)[0],
            intercept=read("f", 116)[0],
            units=start[123] & 7,
            qform_code=int(read("h", 252)[0]),
            sform_code=int(read("h", 254)[0]),
            quaternion=read("3f", 256),
            shift=read("3f", 268),
            sform=read("12f", 280),
        )
    return _Fields(
        dims=tuple(int(value) for value in read("8q", 16)),
        datatype=int(read("h", 12)[0]),
        spacing=read("8d", 104),
        offset=read("q", 168)[0],
        slope=read("d", 176)[0],
        intercept=read("d", 184)[0],
        units=int(read("i", 500)[0]) & 7,
        qform_code=int(read("i", 344)[0]),
        sform_code=int(read("i", 348)[0]),
        quaternion=read("3d", 352),
        shift=read("3d", 376),
        sform=read("12d", 400),
    )


def _affine(fields: _Fields, where: str) -> tuple[npt.NDArray[np.float64], tuple[str, ...]]:
    """[3, 4] to LPS mm: the sform where there is one, else the qform, else voxel axes taken for patient axes."""
    if not np.isfinite([*fields.spacing[1:4], *fields.quaternion, *fields.shift, *fields.sform]).all():
        raise ImplausibleImage("the header's geometry is not a number", where=where, cure="Export the image again")
    warnings: list[str] = []
    right_anterior = np.diag([-1.0, -1.0, 1.0])
    qform = right_anterior @ _qform(fields)
    if fields.sform_code > 0:
        affine = right_anterior @ np.array(fields.sform, np.float64).reshape(3, 4)
        apart = float(np.linalg.norm(affine - qform, axis=0).max())
        if fields.qform_code > 0 and apart > 1.0:
            warnings.append("The file's two transforms (sform, qform) disagree; the sform is used.")
    elif fields.qform_code > 0:
        affine = qform
    else:
        affine = np.concatenate([np.diag(np.abs(fields.spacing[1:4])), np.zeros((3, 1))], axis=1).astype(np.float64)
        warnings.append("The file does not say how the patient lies: left and right may be exchanged.")
    return affine * _MILLIMETRES.get(fields.units, 1.0), tuple(warnings)


def _qform(fields: _Fields) -> npt.NDArray[np.float64]:
    """[3, 4] to right-anterior-superior by the quaternion (nifti1.h, method 2)."""
    b, c, d = fields.quaternion
    a = math.sqrt(max(0.0, 1.0 - (b * b + c * c + d * d)))
    rotation = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
    handed = -1.0 if fields.spacing[0] < 0 else 1.0
    scale = np.array([fields.spacing[1], fields.spacing[2], fields.spacing[3] * handed])
    return np.concatenate([rotation * scale, np.array(fields.shift, np.float64)[:, None]], axis=1)
