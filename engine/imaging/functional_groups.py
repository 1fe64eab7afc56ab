"""Per-frame values of enhanced multi-frame images (PS3.3 C.7.6.16): shared and per-frame functional groups to one header a frame."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from engine.imaging.header_tags import window_tags
from engine.imaging.image_header import ImageHeader

if TYPE_CHECKING:
    from pydicom.dataset import Dataset


def headers_of_frames(header: ImageHeader, dataset: Dataset) -> list[ImageHeader]:
    """[frames] headers in stored order; a group that a frame does not carry comes from the shared groups, then from the instance."""
    shared = (dataset.get("SharedFunctionalGroupsSequence") or [None])[0]
    frames = dataset.get("PerFrameFunctionalGroupsSequence") or []
    count = max(header.frames, len(frames)) if not frames else min(header.frames, len(frames))
    return [
        _frame_header(header, index, frames[index] if index < len(frames) else None, shared) for index in range(count)
    ]


def _frame_header(header: ImageHeader, index: int, frame: Dataset | None, shared: Dataset | None) -> ImageHeader:
    def item(sequence: str) -> Dataset | None:
        for group in (frame, shared):
            if group is not None and (items := group.get(sequence)):
                return items[0]
        return None

    changes: dict[str, Any] = {"frame": index}
    if (plane := item("PlanePositionSequence")) is not None:
        changes["position"] = _numbers(plane.get("ImagePositionPatient"), 3)
    if (plane := item("PlaneOrientationSequence")) is not None:
        changes["orientation"] = _numbers(plane.get("ImageOrientationPatient"), 6)
    if (measures := item("PixelMeasuresSequence")) is not None:
        changes["pixel_spacing"] = _numbers(measures.get("PixelSpacing"), 2)
        thickness = _numbers([measures.get("SliceThickness")], 1)
        changes["slice_thickness"] = thickness[0] if thickness else None
    if (transform := item("PixelValueTransformationSequence")) is not None:
        numbers = _numbers([transform.get("RescaleSlope"), transform.get("RescaleIntercept")], 2)
        if numbers is not None and numbers[0] != 0:
            changes["slope"], changes["intercept"] = numbers
    if (voi := item("FrameVOILUTSequence")) is not None:
        centers, widths = _any_numbers(voi.get("WindowCenter")), _any_numbers(voi.get("WindowWidth"))
        function = str(voi.get("VOILUTFunction", "") or "").upper()
        changes["windows"] = window_tags(centers, widths, function, ()) or header.windows
    if (anatomy := item("FrameAnatomySequence")) is not None:
        laterality = str(anatomy.get("FrameLaterality", "") or "").upper()
        changes["laterality"] = laterality if laterality in ("L", "R") else header.laterality
    return replace(header, **{name: value for name, value in changes.items() if value is not None})


def _any_numbers(value: Any) -> tuple[float, ...]:
    if value is None:
        return ()
    try:
        return tuple(
            float(number)
            for number in (value if hasattr(value, "__iter__") and not isinstance(value, str) else [value])
        )
    except (TypeError, ValueError):
        return ()


def _numbers(value: Any, length: int) -> tuple[float, ...] | None:
    numbers = _any_numbers(value)
    return numbers if len(numbers) == length and all(map(math.isfinite, numbers)) else None
