"""What a DICOM header says of one image, and what follows from it. Reads no files: see `dicom_header`."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.imaging.dicom_elements import PIXEL_DATA, UNDEFINED_LENGTH
from engine.imaging.lookup_tables import LookupTable
from engine.imaging.windowing import Window

IMPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2"
EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
EXPLICIT_BIG_ENDIAN = "1.2.840.10008.1.2.2"
GREY = ("MONOCHROME1", "MONOCHROME2")


@dataclass(frozen=True)
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
            and self.pixel_tag == PIXEL_DATA
            and self.pixel_length != UNDEFINED_LENGTH
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
