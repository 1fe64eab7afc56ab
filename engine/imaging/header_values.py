"""Raw DICOM element values to Python: text in its character set, decimal strings, binary numbers. Tolerant: what cannot be read is absent."""

from __future__ import annotations

import math
import struct
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache

SPECIFIC_CHARACTER_SET = 0x00080005


def _is_plain(raw: bytes) -> bool:
    """The same in every character set: no escape to another one."""
    return raw.isascii() and b"\x1b" not in raw


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split("\\")) if text else ()


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part.replace(",", ".")) for part in _parts(text))
    except ValueError:
        return ()


@lru_cache(1024)
def _plain_numbers(raw: bytes) -> tuple[float, ...]:
    """Remembered, because the slices of a series say the same but for a few numbers."""
    return _numbers(raw.strip(b"\x00 ").decode("ascii").strip())


class HeaderValues:
    """Elements of one data set by tag, read as the type that the caller knows them to be."""

    __slots__ = ("_encodings", "_order", "_values")

    def __init__(self, values: Mapping[int, bytes], *, little_endian: bool = True) -> None:
        self._values = values
        self._order = "<" if little_endian else ">"
        self._encodings: Sequence[str] | None = None

    def __contains__(self, tag: int) -> bool:
        return tag in self._values

    def __eq__(self, other: object) -> bool:
        return isinstance(other, HeaderValues) and self._order == other._order and self._values == other._values

    __hash__ = None  # type: ignore[assignment]

    def without(self, tags: Collection[int]) -> HeaderValues:
        """The same elements but for `tags`."""
        kept = dict(self._values)
        for tag in tags:
            kept.pop(tag, None)
        return HeaderValues(kept, little_endian=self._order == "<")

    def text(self, tag: int) -> str:
        """The whole value, stripped; "" when absent. Not split at backslashes."""
        raw = self._values.get(tag, b"").strip(b"\x00 ")
        if not raw:
            return ""
        return (raw.decode("ascii") if _is_plain(raw) else self._decoded(raw)).strip()

    def texts(self, tag: int) -> tuple[str, ...]:
        """The values, split at backslashes, each stripped; () when absent."""
        return _parts(self.text(tag))

    def name(self, tag: int) -> str:
        """A person's name: the alphabetic group (PS3.5 6.2.1), without trailing carets."""
        return self.text(tag).split("=")[0].rstrip("^ ")

    def decimals(self, tag: int) -> tuple[float, ...]:
        """DS values; () when absent or when one of them is not a number (NaN and infinity are kept for the caller to judge)."""
        raw = self._values.get(tag)
        if not raw:
            return ()
        return _plain_numbers(raw) if _is_plain(raw) else _numbers(self.text(tag))

    def decimal(self, tag: int) -> float | None:
        """The first DS value when it is finite."""
        numbers = self.decimals(tag)
        return numbers[0] if numbers and math.isfinite(numbers[0]) else None

    def vector(self, tag: int, length: int) -> tuple[float, ...] | None:
        """Exactly `length` finite DS values, or None."""
        numbers = self.decimals(tag)
        return numbers if len(numbers) == length and all(map(math.isfinite, numbers)) else None

    def pair(self, tag: int) -> tuple[float, float] | None:
        """Two DS values as stored, or None. One value stands for both, as some exporters write square pixels."""
        numbers = self.decimals(tag)
        if not numbers:
            return None
        return (numbers[0], numbers[1] if len(numbers) > 1 else numbers[0])

    def integer(self, tag: int) -> int | None:
        """The first IS value."""
        number = self.decimal(tag)
        return None if number is None else int(number)

    def short(self, tag: int, *, signed: bool = False) -> int | None:
        """The first US or SS value."""
        raw = self._values.get(tag, b"")
        if len(raw) < 2:
            return None
        return int(struct.unpack_from(self._order + ("h" if signed else "H"), raw)[0])

    def date(self, tag: int) -> str:
        """A DA value (or the ACR-NEMA form with dots) as YYYY-MM-DD, "" when it is none."""
        digits = self.text(tag).replace(".", "").replace("-", "")[:8]
        if len(digits) != 8 or not digits.isdigit():
            return ""
        year, month, day = digits[:4], digits[4:6], digits[6:]
        return f"{year}-{month}-{day}" if "01" <= month <= "12" and "01" <= day <= "31" else ""

    def _decoded(self, raw: bytes) -> str:
        from pydicom.charset import convert_encodings, decode_bytes

        if self._encodings is None:
            declared = self._values.get(SPECIFIC_CHARACTER_SET, b"").decode("ascii", "replace").strip("\x00 ")
            try:
                self._encodings = convert_encodings([part.strip() for part in declared.split("\\")] or [""])
            except (LookupError, ValueError):
                self._encodings = ["latin_1"]
        try:
            return decode_bytes(raw, self._encodings, {0x5C, 0x5E, 0x3D})
        except (LookupError, UnicodeError, ValueError):
            return raw.decode("latin_1")
