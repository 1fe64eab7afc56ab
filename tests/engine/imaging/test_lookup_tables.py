"""Lookup tables are understood as real files write them, not only as the standard asks."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.dataset import Dataset

from engine.imaging.lookup_tables import read_lookup_table


def item(descriptor: list[int], data: object, vr: str = "US", descriptor_vr: str = "US") -> Dataset:
    made = Dataset()
    made.add_new("LUTDescriptor", descriptor_vr, descriptor)
    made.add_new("LUTData", vr, data)
    return made


def test_zero_entries_means_65536() -> None:
    table = read_lookup_table(item([0, 0, 16], np.arange(65536, dtype="<u2").tobytes(), "OW"), signed_input=False)
    assert table is not None
    assert len(table.outputs) == 65536
    assert table.apply(np.array([60000], np.uint16))[0] == 60000


def test_a_negative_first_value_written_as_unsigned_is_negative() -> None:
    table = read_lookup_table(item([3, 65536 - 2, 16], [1, 2, 3]), signed_input=True)
    assert table is not None
    assert table.first == -2
    assert table.apply(np.array([-9, -2, -1, 0, 9], np.int16)).tolist() == [1, 1, 2, 3, 3]


def test_eight_bit_entries_packed_in_words_are_unpacked() -> None:
    for data, vr in ((bytes([1, 2, 3, 4]), "OW"), ([0x0201, 0x0403], "US")):
        table = read_lookup_table(item([4, 0, 8], data, vr), signed_input=False)
        assert table is not None
        assert table.outputs.tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("declared", "largest", "bits"), [(12, 4095, 12), (16, 4095, 12), (16, 65535, 16), (8, 4095, 12), (0, 255, 8)]
)
def test_bits_are_what_the_entries_use_when_the_declaration_lies(declared: int, largest: int, bits: int) -> None:
    table = read_lookup_table(item([2, 0, declared], [0, largest]), signed_input=False)
    assert table is not None
    assert table.bits == bits
    assert table.shares() == (0.0, 1.0)


@pytest.mark.parametrize("broken", [Dataset(), item([3, 0], [1, 2, 3]), item([3, 0, 16], b"", "OW")])
def test_what_is_no_table_is_none(broken: Dataset) -> None:
    assert read_lookup_table(broken, signed_input=False) is None
