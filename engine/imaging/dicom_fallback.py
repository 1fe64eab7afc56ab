"""Headers that the lean walk leaves alone, read by pydicom: big-endian, no meta header, lookup tables, code sequences, functional groups."""

from __future__ import annotations

import io
import struct
import warnings
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from engine.errors import NormascopeError, UnreadableImage
from engine.imaging import header_tags, sources
from engine.imaging.coded_terms import coded_body_part, coded_view
from engine.imaging.dicom_deflate import inflated
from engine.imaging.dicom_elements import PIXEL_DATA, Elements, ElementWalk, Unusual
from engine.imaging.image_header import (
    EXPLICIT_BIG_ENDIAN,
    EXPLICIT_LITTLE_ENDIAN,
    IMPLICIT_LITTLE_ENDIAN,
    ImageHeader,
)
from engine.imaging.lookup_tables import read_lookup_table
from engine.imaging.windowing import Window

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

# What pydicom warns of in a file (odd value representations, lengths) is either harmless or becomes an error here, in words.
warnings.filterwarnings("ignore", module=r"pydicom\.")

_PREAMBLE, _META_END = 132, 0x00030000
_HOLE = 1024
_over_meta = ElementWalk((), implicit=False, before=_META_END)


def read_with_pydicom(source: str) -> tuple[ImageHeader, Dataset]:
    """The header and the data set without pixels.

    Raises:
        UnreadableImage: not DICOM, or cut or corrupt before the header ends.
    """
    data = sources.read_bytes(source)
    if not data:
        raise UnreadableImage("the file is empty", where=source, cure="Copy or export it again")
    if _was_never_written(data):
        raise _not_dicom(source, data, "it holds zeros where its data set should begin")
    try:
        dataset, body, stop = _parsed(source, data)
        elements = _elements_of(dataset, body, stop)
        storage_class = str(dataset.file_meta.get("MediaStorageSOPClassUID", "") or "")
        header = header_tags.header_of(source, _transfer_syntax(dataset), storage_class, elements)
        header = _with_sequences(header, dataset)
    except NormascopeError:
        raise
    except Exception as problem:  # pydicom raises whatever its parsing meets: any of it means the header is corrupt
        raise _not_dicom(source, data, f"its header cannot be read: {problem}") from problem
    if data[128:132] != b"DICM" and not _plausible(header):
        raise _not_dicom(source, data, "it holds no DICOM header")
    return header, dataset


def _was_never_written(data: bytes) -> bool:
    """The data set begins with a hole, as in a copy that a full or failing disk cut short.

    Asked first, because pydicom takes zeros for elements, eight bytes each, to the end of the file: minutes for a large one.
    """
    start = _PREAMBLE if data[128:132] == b"DICM" else 0
    with suppress(Unusual, struct.error):  # no meta header: the data set begins at once
        start = _over_meta(data, start, complete=True).end
    hole = data[start : start + _HOLE]
    return bool(hole) and not any(hole)


def _parsed(source: str, data: bytes) -> tuple[Dataset, bytes, int]:
    """(data set, the bytes its offsets count in, where its pixel data element begins)."""
    from pydicom import dcmread
    from pydicom.filereader import read_dataset, read_preamble
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    stream = io.BytesIO(data)
    dataset = dcmread(stream, stop_before_pixels=True, force=True)
    if dataset.file_meta.get("TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
        return dataset, data, stream.tell()
    body = inflated(data, where=source)
    again = io.BytesIO(body)
    read_preamble(again, force=True)
    again.seek(144 + struct.unpack_from("<I", data, 140)[0])
    plain = read_dataset(again, False, True, stop_when=lambda tag, vr, length: tag >= 0x7FE00008)
    plain.file_meta = dataset.file_meta
    return plain, body, again.tell()


def _elements_of(dataset: Dataset, body: bytes, stop: int) -> Elements:
    little_endian = dataset.original_encoding[1] is not False
    elements = Elements(little_endian=little_endian)
    for tag in header_tags.WANTED:
        if tag in dataset:
            elements.values[tag] = _raw_value(dataset.get_item(tag), little_endian)
    order = "<" if little_endian else ">"
    if stop + 8 > len(body):
        return elements
    group, element, vr = struct.unpack_from(order + "HH2s", body, stop)
    tag = group << 16 | element
    if 0x7FE00008 <= tag <= PIXEL_DATA and stop + 12 <= len(body):
        implicit = vr not in (
            b"OB",
            b"OW",
            b"OF",
            b"OD",
            b"UN",
        )  # some files have implicit data under an explicit transfer syntax
        offset = stop + (8 if implicit else 12)
        (length,) = struct.unpack_from(order + "I", body, offset - 4)
        elements.pixel_tag, elements.pixel_offset, elements.pixel_length = tag, offset, length
        elements.pixel_vr = "" if implicit else vr.decode("ascii", "replace")
    return elements


def _raw_value(element: Any, little_endian: bool) -> bytes:
    """The bytes as stored; elements that pydicom has already interpreted are written back as text or US."""
    value = element.value
    if isinstance(value, bytes):
        return value
    if value is None or element.VR == "SQ":
        return b""
    if isinstance(value, int) and element.VR in ("US", "SS"):
        return struct.pack("<H" if little_endian else ">H", value & 0xFFFF)
    parts = value if isinstance(value, (list, tuple)) or type(value).__name__ == "MultiValue" else [value]
    return "\\".join(str(part) for part in parts).encode("utf-8", "replace")


def _transfer_syntax(dataset: Dataset) -> str:
    """As the meta header says, unless it is missing or the data set was plainly written otherwise."""
    declared = str(dataset.file_meta.get("TransferSyntaxUID", "") or "")
    implicit, little_endian = dataset.original_encoding
    if little_endian is False:
        written = EXPLICIT_BIG_ENDIAN
    elif implicit is False:
        written = EXPLICIT_LITTLE_ENDIAN
    else:
        written = IMPLICIT_LITTLE_ENDIAN
    plain = (IMPLICIT_LITTLE_ENDIAN, EXPLICIT_LITTLE_ENDIAN, EXPLICIT_BIG_ENDIAN)
    return written if not declared or declared in plain else declared


def _with_sequences(header: ImageHeader, dataset: Dataset) -> ImageHeader:
    """The header with its lookup tables and coded terms."""
    changes: dict[str, Any] = {}
    if items := dataset.get("ModalityLUTSequence"):
        changes["modality_lut"] = read_lookup_table(items[0], signed_input=header.signed)
    if items := dataset.get("VOILUTSequence"):
        # the table's input is what the modality transformation puts out: signed when that can be negative
        signed = changes.get("modality_lut") is None and (header.signed or header.intercept < 0)
        tables = [read_lookup_table(item, signed_input=signed) for item in items]
        windows = tuple(
            Window(
                table.first + len(table.outputs) / 2,
                float(len(table.outputs)),
                lut=(table.first, table.shares()),
                name=table.explanation,
            )
            for table in tables
            if table is not None
        )
        changes["windows"] = windows + header.windows
    if not header.body_part:
        changes["body_part"] = coded_body_part(dataset)
    if not header.view:
        changes["view"] = coded_view(dataset)
    return replace(header, **changes)


def _plausible(header: ImageHeader) -> bool:
    """False for bytes that merely happened to parse, as almost any text does when a preamble is not demanded."""
    if header.sop_class_uid.startswith("1.2.840.10008.") or header.sop_class_uid == "":
        known = bool(header.sop_class_uid or header.study_uid or header.modality)
    else:
        known = header.sop_class_uid.replace(".", "").isdigit()
    return known or (header.rows > 0 and header.columns > 0 and header.bits_allocated in (1, 8, 16, 32, 64))


def _not_dicom(source: str, data: bytes, detail: str) -> UnreadableImage:
    if data[128:132] == b"DICM":
        return UnreadableImage(f"the DICOM file is damaged ({detail})", where=source, cure="Copy or export it again")
    return UnreadableImage(
        "this is not an image that can be read", where=source, cure="Open DICOM, PNG, JPEG or NIfTI files"
    )
