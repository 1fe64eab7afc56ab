"""Finds images whose bytes are the same, whatever they are called and whoever they are said to be of. Decodes nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from engine.errors import NormascopeError
from engine.imaging import sources
from engine.imaging.series import Series

_BEGINNING = 1 << 16  # bytes: a DICOM header with its unique identifiers, or the whole of a small picture


def copies(first: Sequence[Series], second: Sequence[Series]) -> set[tuple[str, ...]]:
    """The sources of `second` whose bytes are those of one of `first`."""
    known = len(first)
    return {
        second[index - known].sources
        for group in copies_within((*first, *second))
        if group[0] < known
        for index in group
        if index >= known
    }


def copies_within(series: Sequence[Series]) -> list[tuple[int, ...]]:
    """Which are the same, byte for byte: two or more indices a group, in order. Beginnings are compared first, so that few files are read whole."""
    found: list[tuple[int, ...]] = []
    for alike in _equal(series, range(len(series)), whole=False):
        found += _equal(series, alike, whole=True)
    return sorted(found)


def _equal(series: Sequence[Series], indices: Sequence[int], *, whole: bool) -> list[tuple[int, ...]]:
    """Those of `indices` with the same content, or beginning; what cannot be read is like nothing."""
    groups: dict[bytes, list[int]] = {}
    for index in indices:
        groups.setdefault(_digest(series[index].sources, whole=whole), []).append(index)
    groups.pop(b"", None)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def _digest(files: tuple[str, ...], *, whole: bool) -> bytes:
    """Of the files' content, or of the first one's beginning; empty when one cannot be read, which is told when it is decoded."""
    digest = hashlib.sha256()
    try:
        if not whole:
            digest.update(sources.read_start(files[0], _BEGINNING))
        for file in files if whole else ():
            digest.update(sources.read_bytes(file))
    except NormascopeError:
        return b""
    return digest.digest()


def units_with_copies(units: Sequence[str], groups: Sequence[Sequence[int]]) -> tuple[str, ...]:
    """The unit of each image, where units that copies tie together are one, called as the first of them in the alphabet.

    Args:
        units: of each image, as `Cohort.units` has them.
        groups: images that are the same, as `copies_within` has them.
    """
    tied: dict[str, str] = {}

    def whole(unit: str) -> str:
        while unit in tied:
            unit = tied[unit]
        return unit

    for group in groups:
        members = {whole(units[index]) for index in group}
        first = min(members)
        tied |= dict.fromkeys(members - {first}, first)
    return tuple(whole(unit) for unit in units)


def copies_in_words(units: Sequence[str], groups: Sequence[Sequence[int]]) -> str:
    """That images are copies of others in another unit; "" when none is."""
    apart = [group for group in groups if len({units[index] for index in group}) > 1]
    if not apart:
        return ""
    more = sum(len(group) - 1 for group in apart)
    said = "1 image is a copy of another" if more == 1 else f"{more} images are copies of others"
    return f"{said}, byte for byte, under another name or patient. Copies, and whoever they are said to be of, stay on one side of the split."
