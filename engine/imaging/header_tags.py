"""Which elements an image header is made of, and how they become an `ImageHeader`. Reads no files."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from engine.imaging.dicom_elements import Elements
from engine.imaging.header_values import HeaderValues
from engine.imaging.image_header import ImageHeader
from engine.imaging.windowing import VoiFunction, Window

MODALITY_LUT, VOI_LUT = 0x00283000, 0x00283010
SHARED_GROUPS, FRAME_GROUPS = 0x52009229, 0x52009230
ANATOMIC_REGION, VIEW_CODE = 0x00082218, 0x00540220

_TEXT = {
    "sop_class_uid": 0x00080016,
    "sop_instance_uid": 0x00080018,
    "study_uid": 0x0020000D,
    "series_uid": 0x0020000E,
    "frame_of_reference_uid": 0x00200052,
    "modality": 0x00080060,
    "patient_id": 0x00100020,
    "sex": 0x00100040,
    "age": 0x00101010,
    "body_part": 0x00180015,
    "view": 0x00185101,
    "description": 0x0008103E,
    "study_description": 0x00081030,
    "accession_number": 0x00080050,
    "manufacturer": 0x00080070,
    "image_comments": 0x00204000,
    "convolution_kernel": 0x00181210,
    "spacing_calibration": 0x00280A02,
    "presentation_lut_shape": 0x20500020,
}
_UPPER_CASE = ("modality", "body_part", "view", "sex", "presentation_lut_shape")
_INTEGER = {
    "instance_number": 0x00200013,
    "acquisition_number": 0x00200012,
    "temporal_position": 0x00200100,
    "echo_number": 0x00180086,
}
_DECIMAL = {"trigger_time": 0x00181060, "gantry_tilt": 0x00181120, "slice_thickness": 0x00180050}
_PAIR = {"pixel_spacing": 0x00280030, "imager_pixel_spacing": 0x00181164, "nominal_scanned_spacing": 0x00182010}
_SHORT = {
    "rows": 0x00280010,
    "columns": 0x00280011,
    "planar_configuration": 0x00280006,
    "bits_allocated": 0x00280100,
    "bits_stored": 0x00280101,
}
IMAGE_TYPE, PATIENT_NAME, STUDY_DATE, SERIES_DATE = 0x00080008, 0x00100010, 0x00080020, 0x00080021
BIRTH_DATE = 0x00100030
IMAGE_LATERALITY, LATERALITY, PATIENT_ORIENTATION = 0x00200062, 0x00200060, 0x00200020
FRAMES, POSITION, ORIENTATION = 0x00280008, 0x00200032, 0x00200037
SAMPLES, PHOTOMETRIC, HIGH_BIT, PIXEL_REPRESENTATION = 0x00280002, 0x00280004, 0x00280102, 0x00280103
PADDING, PADDING_LIMIT = 0x00280120, 0x00280121
CENTER, WIDTH, INTERCEPT, SLOPE = 0x00281050, 0x00281051, 0x00281052, 0x00281053
WINDOW_NAME, VOI_FUNCTION = 0x00281055, 0x00281056
CHARACTER_SET = 0x00080005

WANTED = frozenset(
    (
        *_TEXT.values(), *_INTEGER.values(), *_DECIMAL.values(), *_PAIR.values(), *_SHORT.values(),
        IMAGE_TYPE, PATIENT_NAME, BIRTH_DATE, STUDY_DATE, SERIES_DATE, IMAGE_LATERALITY, LATERALITY, PATIENT_ORIENTATION, FRAMES,
        POSITION, ORIENTATION,
        SAMPLES, PHOTOMETRIC, HIGH_BIT, PIXEL_REPRESENTATION, PADDING, PADDING_LIMIT, CENTER, WIDTH, INTERCEPT, SLOPE,
        WINDOW_NAME, VOI_FUNCTION, CHARACTER_SET,
        MODALITY_LUT, VOI_LUT, SHARED_GROUPS, FRAME_GROUPS, ANATOMIC_REGION, VIEW_CODE,
    )
)  # fmt: skip
"""Tags that the walk keeps; of the sequences among them only the presence."""


_CROSS_SECTIONAL = (b"CT", b"MR", b"PT", b"NM")


def needs_sequences(values: Mapping[int, bytes]) -> bool:
    """True when a sequence says something of this image that its plain elements do not."""
    if any(tag in values for tag in (MODALITY_LUT, VOI_LUT, SHARED_GROUPS, FRAME_GROUPS)):
        return True
    if values.get(_TEXT["modality"], b"").strip(b" \0") in _CROSS_SECTIONAL:
        return False
    region_unsaid = ANATOMIC_REGION in values and not values.get(_TEXT["body_part"], b"").strip(b" \0")
    view_unsaid = VIEW_CODE in values and not values.get(_TEXT["view"], b"").strip(b" \0")
    return region_unsaid or view_unsaid


def header_of(
    source: str, transfer_syntax: str, storage_class: str, elements: Elements, checksum: int = 0
) -> ImageHeader:
    """The header that the elements of one data set make; `storage_class` of the meta header stands in for an SOP class that is missing."""
    fields = _fields(HeaderValues(elements.values, little_endian=elements.little_endian))
    header = object.__new__(ImageHeader)
    # Set all at once: the constructor of a frozen class sets field by field, which takes longer than reading the file.
    header.__dict__.update(
        fields,
        source=source,
        transfer_syntax=transfer_syntax,
        sop_class_uid=fields["sop_class_uid"] or storage_class,
        frame=0,
        modality_lut=None,
        pixel_tag=elements.pixel_tag,
        pixel_offset=elements.pixel_offset,
        pixel_length=elements.pixel_length,
        pixel_vr=elements.pixel_vr,
        start_checksum=checksum,
    )
    return header


def _fields(values: HeaderValues) -> dict[str, Any]:
    """Attributes of `ImageHeader` that plain elements give.

    The slices of a series say the same but for a few elements: what was last interpreted is used again while its bytes are the same.
    """
    global _last_shared
    shared = values.without(_OF_ONE_IMAGE)
    known, fields = _last_shared
    if known != shared:
        fields = _shared_fields(shared)
        _last_shared = (shared, fields)  # one assignment: other threads see the old pair or the new
    return fields | {
        "sop_instance_uid": values.text(_TEXT["sop_instance_uid"]),
        "frame_of_reference_uid": values.text(_TEXT["frame_of_reference_uid"]),
        "position": values.vector(POSITION, 3),
        "trigger_time": values.decimal(_DECIMAL["trigger_time"]),
        **{name: values.integer(tag) for name, tag in _INTEGER.items()},
    }


_OF_ONE_IMAGE = frozenset(
    (
        _TEXT["sop_instance_uid"],
        _TEXT["frame_of_reference_uid"],
        POSITION,
        _DECIMAL["trigger_time"],
        *_INTEGER.values(),
    )
)
_last_shared: tuple[HeaderValues | None, dict[str, Any]] = (None, {})


def _shared_fields(values: HeaderValues) -> dict[str, Any]:
    fields: dict[str, Any] = {name: values.text(tag) for name, tag in _TEXT.items()}
    for name in _UPPER_CASE:
        fields[name] = fields[name].upper()
    fields |= {name: values.decimal(tag) for name, tag in _DECIMAL.items()}
    fields |= {name: values.pair(tag) for name, tag in _PAIR.items()}
    fields |= {name: values.short(tag) or 0 for name, tag in _SHORT.items()}
    laterality = (values.text(IMAGE_LATERALITY) or values.text(LATERALITY)).upper()
    slope = values.decimal(SLOPE)
    signed = values.short(PIXEL_REPRESENTATION) == 1
    fields |= {
        "image_type": tuple(part.upper() for part in values.texts(IMAGE_TYPE)),
        "patient_name": values.name(PATIENT_NAME),
        "study_date": values.date(STUDY_DATE) or values.date(SERIES_DATE),
        "age": fields["age"] or _age_on(values.date(BIRTH_DATE), values.date(STUDY_DATE) or values.date(SERIES_DATE)),
        "laterality": laterality if laterality in ("L", "R") else "",
        "patient_orientation": _edges(values.texts(PATIENT_ORIENTATION)),
        "frames": max(values.integer(FRAMES) or 1, 1),
        "samples_per_pixel": values.short(SAMPLES) or 1,
        "photometric": values.text(PHOTOMETRIC).upper() or "MONOCHROME2",
        "signed": signed,
        "orientation": values.vector(ORIENTATION, 6),
        "slope": slope or 1.0,  # a slope of 0 would blank the picture: faulty exporters write it for "none"
        "intercept": values.decimal(INTERCEPT) or 0.0,
        "padding": _padding(values, signed),
        "windows": window_tags(
            values.decimals(CENTER),
            values.decimals(WIDTH),
            values.text(VOI_FUNCTION).upper(),
            values.texts(WINDOW_NAME),
        ),
    }
    allocated = fields["bits_allocated"]
    stored = fields["bits_stored"]
    fields["bits_stored"] = stored if 0 < stored <= allocated else allocated
    high_bit = values.short(HIGH_BIT)
    plausible = high_bit is not None and fields["bits_stored"] - 1 <= high_bit < max(allocated, 1)
    fields["high_bit"] = high_bit if plausible else max(fields["bits_stored"] - 1, 0)
    return fields


def _age_on(born: str, studied: str) -> str:
    """The Age String (PS3.5 section 6.2) of a patient born on one YYYY-MM-DD, on another; "" when either is not known."""
    try:
        birth, study = date.fromisoformat(born), date.fromisoformat(studied)
    except ValueError:
        return ""
    months = (study.year - birth.year) * 12 + study.month - birth.month - (study.day < birth.day)
    if not 0 <= months < 150 * 12:
        return ""
    return f"{months // 12:03d}Y" if months >= 24 else f"{months:03d}M"


def _edges(sides: tuple[str, ...]) -> tuple[str, str]:
    """PatientOrientation as (towards higher columns, towards higher rows); ("", "") unless both are written in the standard's letters."""
    if len(sides) != 2 or not all(side and set(side) <= set("LRAPHF") for side in sides):
        return ("", "")
    return (sides[0], sides[1])


def window_tags(
    centers: tuple[float, ...], widths: tuple[float, ...], function: str, names: tuple[str, ...]
) -> tuple[Window, ...]:
    """The usable windows of (0028,1050) and (0028,1051), in the file's order (PS3.3 C.11.2.1.2)."""
    kind: VoiFunction = function if function in ("LINEAR_EXACT", "SIGMOID") else "LINEAR"  # type: ignore[assignment]
    smallest = 1.0 if kind == "LINEAR" else 1e-6
    named = [*names, *[""] * len(centers)]
    return tuple(
        Window(center, width, kind, name=name)
        for center, width, name in zip(centers, widths, named, strict=False)
        if abs(center) < 1e7 and smallest <= width < 1e7
    )


def _padding(values: HeaderValues, signed: bool) -> tuple[int, int] | None:
    first = values.short(PADDING, signed=signed)
    if first is None:
        return None
    limit = values.short(PADDING_LIMIT, signed=signed)
    last = first if limit is None else limit
    return (min(first, last), max(first, last))
