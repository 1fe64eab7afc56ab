"""DICOM lookup tables (PS3.3 C.11.1.1, C.11.2.1.1): from a sequence item, as files really write them, to numbers. Applies no windows, reads no files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from pydicom.dataset import Dataset


@dataclass(frozen=True, eq=False)
class LookupTable:
    """`outputs[clip(value - first, 0, len - 1)]`.

    Attributes:
        first: the input value of the first entry.
        outputs: [entries] uint16.
        bits: how many bits the outputs use (8 to 16), as the descriptor says or, where it lies, as the outputs need.
        explanation: (0028,3003), "" when absent.
    """

    first: int
    outputs: npt.NDArray[np.uint16]
    bits: int
    explanation: str = ""

    def apply(self, values: npt.NDArray[np.generic]) -> npt.NDArray[np.uint16]:
        """uint16, same shape as `values`, which are rounded when they are not integers."""
        whole = values if values.dtype.kind in "iu" else np.rint(values.astype(np.float32))
        index = np.clip(whole.astype(np.int32) - np.int32(self.first), 0, len(self.outputs) - 1)
        return self.outputs[index]

    def shares(self) -> tuple[float, ...]:
        """The outputs in [0, 1] of the full range that `bits` allow."""
        return tuple((self.outputs.astype(np.float64) / ((1 << self.bits) - 1)).tolist())


def read_lookup_table(item: Dataset, *, signed_input: bool) -> LookupTable | None:
    """The table of an item with LUT Descriptor (0028,3002) and LUT Data (0028,3006), or None when it cannot be one.

    Real files store the first value mapped as US where SS is meant and the reverse, pack 8-bit entries in bytes or in words, give 0 for 65536
    entries, and declare more or fewer bits than the entries use.
    """
    descriptor = item.get((0x0028, 0x3002))
    data = item.get((0x0028, 0x3006))
    if descriptor is None or data is None or descriptor.value is None or len(descriptor.value) != 3:
        return None
    entries, first, bits = (int(number) for number in descriptor.value)
    entries = entries % 65536 or 65536
    if signed_input and first > 32767:
        first -= 65536
    elif not signed_input and first < 0:
        first += 65536
    outputs = _outputs(data.value, entries, getattr(item, "is_little_endian", None) is not False)
    if outputs is None or len(outputs) == 0:
        return None
    needed = int(outputs.max()).bit_length()
    # The 16-bit declaration of a 12-bit table would show the image nearly black; a shorter one would wrap it round.
    bits = max(needed, 8) if bits not in range(8, 17) or needed > bits or (bits == 16 and needed < 14) else bits
    return LookupTable(first, outputs, bits, str(item.get("LUTExplanation", "") or "").strip())


def _outputs(value: object, entries: int, little_endian: bool) -> npt.NDArray[np.uint16] | None:
    if isinstance(value, bytes):
        if len(value) >= 2 * entries:
            return np.frombuffer(value, "<u2" if little_endian else ">u2", entries).astype(np.uint16)
        return np.frombuffer(value, np.uint8)[:entries].astype(np.uint16) if value else None
    numbers = np.atleast_1d(np.asarray(value, np.int64)).astype(np.uint16)
    if 2 * len(numbers) in (entries, entries + 1):  # two 8-bit entries packed in each word, low byte first
        return np.frombuffer(numbers.astype("<u2").tobytes(), np.uint8)[:entries].astype(np.uint16)
    return numbers[:entries]
