"""A walk that has seen other files finds in the next one what a new walk finds, however the files resemble one another."""

from __future__ import annotations

import struct

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.imaging.dicom_elements import Elements, ElementWalk, NeedMore, Unusual

WANTED = frozenset({0x00080018, 0x00100010, 0x00200013, 0x00191005})
TAGS = [*WANTED, *(0x00080000 + number for number in range(0x20, 0x30)), *(0x00191000 + number for number in range(16))]
TAGS += [0x00200032, 0x00280010, 0x7FE00010]

Element = tuple[int, bytes]


def _encoded(elements: list[Element]) -> bytes:
    data = b""
    for tag, value in elements:
        start = struct.pack("<HH", tag >> 16, tag & 0xFFFF)
        if tag == 0x7FE00010:
            data += start + b"OW\0\0" + struct.pack("<I", len(value)) + value
        else:
            data += start + b"LO" + struct.pack("<H", len(value)) + value
    return data


def _walked(walk: ElementWalk, data: bytes, complete: bool) -> Elements | str:
    try:
        return walk(data, 0, complete=complete)
    except (NeedMore, Unusual) as problem:
        return f"{type(problem).__name__} {problem}"


_values = st.sampled_from([b"", b"1 ", b"2 ", b"0001", b"0002"])
_files = st.lists(
    st.tuples(
        st.dictionaries(st.sampled_from(TAGS), _values, max_size=len(TAGS)),
        st.integers(0, 12),  # bytes cut off the end
        st.integers(0, 9),  # nine in ten files are in order
        st.booleans(),
    ),
    min_size=2,
    max_size=12,
)


@given(_files)
@settings(max_examples=200, deadline=None)
def test_what_was_learned_from_other_files_changes_nothing(
    files: list[tuple[dict[int, bytes], int, int, bool]],
) -> None:
    walk = ElementWalk(WANTED, implicit=False)
    for values, cut, order, complete in files:
        elements = sorted(values.items(), reverse=order == 0)
        data = _encoded(elements)
        data = data[: len(data) - cut]
        found, anew = (_walked(one, data, complete) for one in (walk, ElementWalk(WANTED, implicit=False)))
        if order == 0 and isinstance(found, str):  # out of order and cut as well: either may be said first
            assert isinstance(anew, str)
        else:
            assert found == anew


class _Counted(dict[bytes, tuple[int, int, int, bool]]):
    """Counts the elements that a walk looks at one by one."""

    looks = 0

    def get(self, key: bytes, default: object = None) -> object:  # type: ignore[override]
        self.looks += 1
        return super().get(key)


def test_elements_that_nobody_wants_are_passed_at_once_where_they_repeat() -> None:
    walk = ElementWalk(WANTED, implicit=False)
    walk._known = counted = _Counted()

    def file(number: int) -> bytes:
        private = [(0x00191010 + place, b"CONSTANT") for place in range(30)]
        private[12] = (private[12][0], f"{number:08d}".encode())  # a counter among them
        return _encoded([(0x00080018, f"1.2.{number:04d}".encode()), *private, (0x00200013, f"{number:04d}".encode())])

    for number in range(12):
        before = counted.looks
        found = walk(file(number), 0, complete=True)
        assert found.values == {0x00080018: f"1.2.{number:04d}".encode(), 0x00200013: f"{number:04d}".encode()}
    assert counted.looks - before < 8
