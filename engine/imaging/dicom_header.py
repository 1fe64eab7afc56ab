"""The one place that reads a DICOM header: what discovery, sorting and decoding need, up to but never including the pixels.

Plain little-endian files are walked by `dicom_elements`; everything else (big-endian, no meta header, lookup tables, code sequences, multi-frame
functional groups) is read by pydicom. Both give the same `ImageHeader`.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from engine.errors import UnreadableImage
from engine.imaging import dicom_elements, header_tags, sources
from engine.imaging.dicom_deflate import inflated
from engine.imaging.dicom_elements import Elements
from engine.imaging.header_values import HeaderValues
from engine.imaging.lookup_tables import LookupTable
from engine.imaging.windowing import Window

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

IMPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2"
EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
EXPLICIT_BIG_ENDIAN = "1.2.840.10008.1.2.2"
DICOMDIR_CLASS = "1.2.840.10008.1.3.10"

_FIRST_READ = 16 << 10
_SECOND_READ = 512 << 10
_STORAGE_CLASS, _TRANSFER_SYNTAX, _META_END = 0x00020002, 0x00020010, 0x00030000
_META = (_STORAGE_CLASS, _TRANSFER_SYNTAX)
GREY = ("MONOCHROME1", "MONOCHROME2")


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """One DICOM instance, or one frame of an enhanced one (`frame_headers`). Text is stripped; absent text is "", absent numbers are None or ().

    Attributes:
        frame: index of the frame that position, orientation, rescale and windows belong to; 0 for a single image.
        position: (0020,0032) LPS mm.  orientation: (0020,0037), six cosines.
        pixel_spacing, imager_pixel_spacing, nominal_scanned_spacing: (row, column) mm as stored, unjudged (PS3.3 10.7).
        slope, intercept: (0028,1053), (0028,1052); 1 and 0 when absent. Superseded by `modality_lut` when there is one.
        padding: (lowest, highest) stored value that means "no pixel here" (PS3.3 C.7.5.1.1.2), or None.
        signed: PixelRepresentation is 1.
        pixel_tag: 7FE00010, 7FE00008 (float), 7FE00009 (double), 0 when the instance has no pixels.
        pixel_offset: byte offset of the pixel data's value in the file, or, for deflated files, in `instance_bytes`.
        pixel_length: of that value in bytes, as declared; 0xFFFFFFFF when encapsulated.
        pixel_vr: OB or OW, "" when the transfer syntax is implicit.
        start_checksum: CRC-32 of the file's first 16 KiB, header and first pixels mostly; 0 for `frame_headers`.
    """

    source: str
    transfer_syntax: str
    sop_class_uid: str = ""
    sop_instance_uid: str = ""
    study_uid: str = ""
    series_uid: str = ""
    frame_of_reference_uid: str = ""
    modality: str = ""
    image_type: tuple[str, ...] = ()
    patient_id: str = ""
    patient_name: str = ""
    sex: str = ""
    age: str = ""
    body_part: str = ""
    view: str = ""
    laterality: str = ""
    patient_orientation: tuple[str, str] = ("", "")
    description: str = ""
    study_description: str = ""
    study_date: str = ""
    accession_number: str = ""
    manufacturer: str = ""
    image_comments: str = ""
    instance_number: int | None = None
    acquisition_number: int | None = None
    temporal_position: int | None = None
    echo_number: int | None = None
    trigger_time: float | None = None
    convolution_kernel: str = ""
    gantry_tilt: float | None = None
    slice_thickness: float | None = None
    rows: int = 0
    columns: int = 0
    frames: int = 1
    samples_per_pixel: int = 1
    photometric: str = "MONOCHROME2"
    presentation_lut_shape: str = ""
    planar_configuration: int = 0
    bits_allocated: int = 0
    bits_stored: int = 0
    high_bit: int = 0
    signed: bool = False
    frame: int = 0
    position: tuple[float, float, float] | None = None
    orientation: tuple[float, float, float, float, float, float] | None = None
    pixel_spacing: tuple[float, float] | None = None
    spacing_calibration: str = ""
    imager_pixel_spacing: tuple[float, float] | None = None
    nominal_scanned_spacing: tuple[float, float] | None = None
    slope: float = 1.0
    intercept: float = 0.0
    modality_lut: LookupTable | None = None
    padding: tuple[int, int] | None = None
    windows: tuple[Window, ...] = ()
    pixel_tag: int = 0
    pixel_offset: int = -1
    pixel_length: int = 0
    pixel_vr: str = ""
    start_checksum: int = field(default=0, compare=False)

    @property
    def has_pixels(self) -> bool:
        """True when there is a picture to decode."""
        return self.pixel_tag != 0 and self.rows > 0 and self.columns > 0 and self.bits_allocated > 0

    @property
    def is_encapsulated(self) -> bool:
        """True when the pixel data is compressed frame by frame (PS3.5 A.4)."""
        return self.transfer_syntax not in (
            IMPLICIT_LITTLE_ENDIAN,
            EXPLICIT_LITTLE_ENDIAN,
            DEFLATED,
            EXPLICIT_BIG_ENDIAN,
        )

    @property
    def is_plain(self) -> bool:
        """True when the file holds, at `pixel_offset`, uncompressed little-endian grey pixels of 8 or 16 bits: numpy can read them in place."""
        return (
            self.transfer_syntax in (IMPLICIT_LITTLE_ENDIAN, EXPLICIT_LITTLE_ENDIAN)
            and self.pixel_tag == dicom_elements.PIXEL_DATA
            and self.pixel_length != dicom_elements.UNDEFINED_LENGTH
            and self.samples_per_pixel == 1
            and self.bits_allocated in (8, 16)
            and self.photometric in GREY
        )

    @property
    def minimum_is_white(self) -> bool:
        """The lowest value is shown white.

        A grey image may say so twice: as MONOCHROME1 (PS3.3 C.7.6.3.1.2), and with a PresentationLUTShape of INVERSE (C.8.11.3.1.2), which is
        the same inversion and never a second one. The standard wants both to agree in DX. Where they do not, the shape is followed: it is the
        last step of the grey scale and says what comes out of it (C.11.6.1.2). What it is on a colour image is passed over.
        """
        if self.presentation_lut_shape in ("IDENTITY", "INVERSE") and self.photometric in GREY:
            return self.presentation_lut_shape == "INVERSE"
        return self.photometric == "MONOCHROME1"

    @property
    def polarity_is_contradicted(self) -> bool:
        """PhotometricInterpretation and PresentationLUTShape disagree about which end is white."""
        return self.minimum_is_white != (self.photometric == "MONOCHROME1")


def read_header(source: str) -> ImageHeader:
    """The header of a DICOM file or zip member. Does not say whether there are pixels: see `has_pixels`.

    Raises:
        UnreadableImage: missing, empty, not DICOM, or cut or corrupt before the header ends.
    """
    checksum: int | None = None
    for size in (_FIRST_READ, _SECOND_READ, None):
        data = sources.read_bytes(source) if size is None else sources.read_start(source, size)
        if not data:
            raise UnreadableImage("the file is empty", where=source, cure="Copy or export it again")
        checksum = zlib.crc32(data) if checksum is None else checksum
        try:
            header = _plain_header(source, data, complete=size is None or len(data) < size)
            return replace(header, start_checksum=checksum)
        except dicom_elements.NeedMore:
            continue
        except (dicom_elements.Unusual, struct.error, UnicodeDecodeError):
            break
    return replace(_full_header(source)[0], start_checksum=checksum or 0)


def frame_headers(source: str) -> list[ImageHeader]:
    """One header a frame of a multi-frame instance, each with its own position, orientation, spacing, rescale and windows.

    They come from the functional groups (PS3.3 C.7.6.16) of enhanced CT and MR; frames of plain multi-frame files share the instance's values.
    A single-frame instance gives one header. Raises as `read_header`.
    """
    from engine.imaging.functional_groups import headers_of_frames

    header, dataset = _full_header(source)
    return headers_of_frames(header, dataset)


def read_dataset(source: str) -> Dataset:
    """pydicom's data set without pixels, for the rare reader that needs what `ImageHeader` leaves out. Raises as `read_header`."""
    return _full_header(source)[1]


def instance_bytes(source: str, transfer_syntax: str) -> bytes:
    """The bytes that `pixel_offset` counts in: the file, or the file with its deflated data set (PS3.5 A.5) expanded."""
    data = sources.read_bytes(source)
    return inflated(data, where=source) if transfer_syntax == DEFLATED else data


def _plain_header(source: str, data: bytes, *, complete: bool) -> ImageHeader:
    """The header of a little-endian file with preamble and meta header, as nearly all are. Raises NeedMore, Unusual."""
    if data[128:132] != b"DICM":
        raise dicom_elements.Unusual("no preamble")
    meta = dicom_elements.walk(data, 132, implicit=False, wanted=_META, complete=complete, before=_META_END)
    syntax = HeaderValues(meta.values).text(_TRANSFER_SYNTAX)
    if syntax in ("", EXPLICIT_BIG_ENDIAN):
        raise dicom_elements.Unusual("not little-endian")
    if syntax == DEFLATED:
        data, complete = inflated(sources.read_bytes(source), where=source), True
    elements = dicom_elements.walk(
        data, meta.end, implicit=syntax == IMPLICIT_LITTLE_ENDIAN, wanted=header_tags.WANTED, complete=complete
    )
    if header_tags.needs_sequences(elements.values):
        raise dicom_elements.Unusual("lookup tables, functional groups or codes")
    return header_of(source, syntax, HeaderValues(meta.values).text(_STORAGE_CLASS), elements)


def header_of(source: str, transfer_syntax: str, storage_class: str, elements: Elements) -> ImageHeader:
    """The header that the elements of one data set make; `storage_class` of the meta header stands in for an SOP class that is missing."""
    fields = header_tags.header_fields(HeaderValues(elements.values, little_endian=elements.little_endian))
    fields["sop_class_uid"] = fields["sop_class_uid"] or storage_class
    return ImageHeader(
        source=source,
        transfer_syntax=transfer_syntax,
        pixel_tag=elements.pixel_tag,
        pixel_offset=elements.pixel_offset,
        pixel_length=elements.pixel_length,
        pixel_vr=elements.pixel_vr,
        **fields,
    )


def _full_header(source: str) -> tuple[ImageHeader, Dataset]:
    from engine.imaging.dicom_fallback import read_with_pydicom

    return read_with_pydicom(source)
