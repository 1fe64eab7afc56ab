"""Headers to `Series`: one radiograph or one volume each. Splits what one DICOM series mixes; reads no files and no pixels."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from engine.imaging.fingerprint import dicom_fingerprint
from engine.imaging.identifiers import derived_uid
from engine.imaging.image_header import ImageHeader
from engine.imaging.patients import PatientsApart, patient_of
from engine.imaging.reading import shown_frame
from engine.imaging.series import Series, SeriesKind

_SAME_DIRECTION = 0.01
_SAME_POSITION_DECIMALS = 2
_TELLS_PASSES_APART = (
    "acquisition_number",
    "temporal_position",
    "echo_number",
    "convolution_kernel",
    "image_type",
    "trigger_time",
)
"""What distinguishes two passes over the same positions (phases, echoes, reconstructions), the likeliest first."""


def radiograph_of(header: ImageHeader, warnings: tuple[str, ...] = (), *, unlike_its_twin: bool = False) -> Series:
    """The series that one image makes. Its key holds the SOP Instance UID, so that it is the same whichever neighbours are opened with it.

    `unlike_its_twin`: another file claims the same UID but holds something else; the key then comes from the path.
    """
    instance = header.sop_instance_uid or derived_uid("instance", header.source)
    if unlike_its_twin:
        instance = derived_uid("instance", header.source)
        warnings = (
            *warnings,
            "Another file with the same SOP Instance UID holds a different image: check whose this is.",
        )
    if header.frames > 1:
        warnings = (
            *warnings,
            f"A film of {header.frames} frames: frame {shown_frame(header.frames) + 1} stands for it.",
        )
    return _series(header, f"{_series_uid(header)}/{instance}", "radiograph", [header], header.frames, warnings)


def volume_of_frames(header: ImageHeader, first_frame: ImageHeader, warnings: tuple[str, ...] = ()) -> Series:
    """The series that one multi-frame instance of slices makes; `first_frame` carries its geometry."""
    first_frame = replace(first_frame, study_uid=header.study_uid, series_uid=header.series_uid)
    instance = header.sop_instance_uid or derived_uid("instance", header.source)
    return _series(first_frame, f"{_series_uid(header)}/{instance}", "volume", [header], header.frames, warnings)


def series_of_slices(headers: Sequence[ImageHeader], patients: PatientsApart | None = None) -> list[Series]:
    """The volumes that the slices make, in the order in which their first slices came; a slice that stands alone becomes a radiograph.

    Slices of several patients never make one volume. `patients`: what told the headers apart, and warns of it.
    """
    patients = patients or PatientsApart()
    by_series: dict[tuple[object, ...], list[ImageHeader]] = {}
    for header in headers:
        by_series.setdefault((_study_uid(header), _series_uid(header), patient_of(header)), []).append(header)
    return [
        replace(series, warnings=(*series.warnings, *patients.warnings(group[0])))
        for group in by_series.values()
        for series in _split(group)
    ]


def _split(headers: list[ImageHeader]) -> list[Series]:
    stacks = [part for stack in _alike(headers) for place in _by_frame_of_reference(stack) for part in _passes(place)]
    volumes = [stack for stack in stacks if len(stack) > 1]
    made: list[Series] = []
    instances: set[str] = set()
    for stack in stacks:
        first = stack[0]
        if len(stack) == 1:
            single = f"A single {first.modality} slice, shown as an image."
            twin = first.sop_instance_uid in instances
            instances.add(first.sop_instance_uid)
            made.append(radiograph_of(first, (single,), unlike_its_twin=twin and bool(first.sop_instance_uid)))
            continue
        key = _series_uid(first) if len(volumes) == 1 else f"{_series_uid(first)}/{_distinction(first)}"
        split = () if len(volumes) == 1 else (f"One of {len(volumes)} stacks of slices that the DICOM series mixes.",)
        made.append(_series(first, key, "volume", stack, len(stack), split))
    return _with_distinct_keys(made)


def _alike(headers: Iterable[ImageHeader]) -> list[list[ImageHeader]]:
    """Slices of one size, spacing and direction together. Directions drift in the last digits: compared, not hashed."""
    stacks: list[list[ImageHeader]] = []
    for header in headers:
        home = next((stack for stack in stacks if _belongs(header, stack[0])), None)
        if home is None:
            stacks.append([header])
        else:
            home.append(header)
    return stacks


def _belongs(header: ImageHeader, other: ImageHeader) -> bool:
    if (header.rows, header.columns) != (other.rows, other.columns):
        return False
    return _close(header.orientation, other.orientation, _SAME_DIRECTION) and _close(
        header.pixel_spacing, other.pixel_spacing, 0.01 * max(other.pixel_spacing or (1.0,))
    )


def _close(a: tuple[float, ...] | None, b: tuple[float, ...] | None, tolerance: float) -> bool:
    if a is None or b is None:
        return a is b
    return all(abs(x - y) <= tolerance or (x != x and y != y) for x, y in zip(a, b, strict=True))


def _by_frame_of_reference(stack: list[ImageHeader]) -> list[list[ImageHeader]]:
    """Scans between which the patient moved. Some anonymisers give every slice a frame of reference of its own, which then tells nothing."""
    parts = _parts(stack, "frame_of_reference_uid")
    return parts if all(len(part) > 1 for part in parts) else [stack]


def _passes(stack: list[ImageHeader]) -> list[list[ImageHeader]]:
    """The stack, or its passes when positions repeat and one attribute tells every repetition apart."""
    instances, places = _places(stack)
    if instances > 1 and places == 1:
        return [[header] for header in stack]  # images of one place, in time or as copies: no volume
    if places == instances:
        return [stack]
    stack = list(
        {(header.sop_instance_uid or header.source, header.position): header for header in reversed(stack)}.values()
    )[::-1]
    if len(stack) == places:
        return [stack]  # the same files lay in two folders
    for attribute in _TELLS_PASSES_APART:
        parts = _parts(stack, attribute)
        counts = [_places(part) for part in parts]
        if len(parts) > 1 and all(places == instances > 1 for instances, places in counts):
            return parts
    return [stack]  # copies: whoever stacks the slices drops and reports them


def _parts(stack: list[ImageHeader], attribute: str) -> list[list[ImageHeader]]:
    parts: dict[object, list[ImageHeader]] = {}
    for header in stack:
        parts.setdefault(getattr(header, attribute), []).append(header)
    return list(parts.values())


def _places(stack: Sequence[ImageHeader]) -> tuple[int, int]:
    """(instances, different positions); slices without a position count as being somewhere of their own."""
    placed = [header.position for header in stack if header.position is not None]
    unplaced = len(stack) - len(placed)
    if not placed:
        return unplaced, unplaced
    rounded = np.round(np.array(placed), _SAME_POSITION_DECIMALS)
    return len(stack), unplaced + len(np.unique(rounded, axis=0))


def _distinction(header: ImageHeader) -> str:
    """Eight hex digits of what sets this stack apart, the same whichever other stacks are there."""
    direction = tuple(round(value, 1) + 0.0 for value in header.orientation or ())
    told: list[object] = [header.rows, header.columns, header.frame_of_reference_uid, direction]
    told += [getattr(header, attribute) for attribute in _TELLS_PASSES_APART]
    return hashlib.sha256(repr(told).encode()).hexdigest()[:8]


def _with_distinct_keys(made: list[Series]) -> list[Series]:
    seen: dict[str, int] = {}
    distinct = []
    for series in made:
        count = seen.get(series.key, 0)
        seen[series.key] = count + 1
        distinct.append(replace(series, key=f"{series.key}.{count + 1}") if count else series)
    return distinct


def _study_uid(header: ImageHeader) -> str:
    return header.study_uid or derived_uid(_of_patient("study", header), _folder(header))


def _series_uid(header: ImageHeader) -> str:
    return header.series_uid or derived_uid(_of_patient("series", header), _folder(header))


def _of_patient(kind: str, header: ImageHeader) -> str:
    """One folder may hold several patients' files without UIDs."""
    patient = patient_of(header)
    return f"{kind} of {patient!r}" if any(patient) else kind


def _folder(header: ImageHeader) -> Path:
    return Path(header.source).parent


def _series(
    header: ImageHeader,
    key: str,
    kind: SeriesKind,
    instances: Sequence[ImageHeader],
    frames: int,
    warnings: tuple[str, ...],
) -> Series:
    return Series(
        key=key,
        study_uid=_study_uid(header),
        series_uid=_series_uid(header),
        kind=kind,
        format="dicom",
        sources=tuple(instance.source for instance in instances),
        patient_id=header.patient_id,
        patient_name=header.patient_name,
        sex=header.sex,
        age=header.age,
        modality=header.modality,
        body_part=header.body_part,
        view=header.view,
        laterality=header.laterality,
        description=header.description,
        study_description=header.study_description,
        study_date=header.study_date,
        accession_number=header.accession_number,
        rows=header.rows,
        columns=header.columns,
        frames=frames,
        synthetic=header.manufacturer == "Normascope" and header.image_comments.startswith("SYNTHETIC"),
        warnings=warnings,
        fingerprint=dicom_fingerprint(instances),
    )
