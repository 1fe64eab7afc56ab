"""What a DICOM instance is to a reader: a projection image, a slice, or no picture at all. Decides from headers; reads no files."""

from __future__ import annotations

from typing import Literal

from engine.imaging.image_header import ImageHeader

InstanceKind = Literal["projection", "slice", "slices"]

_CROSS_SECTIONAL = ("CT", "MR", "PT")
_LOCALISER_WORDS = ("LOCALIZER", "SCOUT", "TOPOGRAM")

_NO_PICTURE = {
    "SR": "a structured report",
    "KO": "a key object selection",
    "PR": "a presentation state",
    "DOC": "an encapsulated document",
    "RTSTRUCT": "radiotherapy contours",
    "RTPLAN": "a radiotherapy plan",
    "RTDOSE": "a radiotherapy dose",
    "RTRECORD": "a radiotherapy treatment record",
    "SEG": "a segmentation",
    "REG": "a registration",
    "FID": "fiducials",
    "ECG": "an electrocardiogram",
    "HD": "a haemodynamic recording",
    "AU": "a sound recording",
    "PLAN": "a plan",
    "M3D": "a 3D model",
}
_NO_PICTURE_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.104.": "an encapsulated document",
    "1.2.840.10008.5.1.4.1.1.88.": "a structured report",
    "1.2.840.10008.5.1.4.1.1.11.": "a presentation state",
    "1.2.840.10008.5.1.4.1.1.66": "raw or derived data",
    "1.2.840.10008.5.1.4.1.1.9.": "a waveform",
}


def not_a_picture(header: ImageHeader) -> str:
    """What the instance holds instead of a picture, in words; "" when it is one."""
    if header.modality in _NO_PICTURE:
        return _NO_PICTURE[header.modality]
    return next((words for root, words in _NO_PICTURE_CLASSES.items() if header.sop_class_uid.startswith(root)), "")


def is_localiser(header: ImageHeader) -> bool:
    """True for the scout view that a cross-sectional scan is planned on (PS3.3 C.8.2.1.1.1)."""
    return any(word in part for part in header.image_type for word in _LOCALISER_WORDS)


def kind_of(header: ImageHeader) -> InstanceKind:
    """ "slice" for one CT, MR or PET slice, "slices" for many in one instance; everything else stands alone as "projection"."""
    if header.modality not in _CROSS_SECTIONAL or header.samples_per_pixel != 1:
        return "projection"
    if header.frames > 1:
        return "slices"
    return "projection" if is_localiser(header) else "slice"
