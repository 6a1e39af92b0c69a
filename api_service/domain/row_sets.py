"""Sets of rows as integers, a bit a row: `&`, `|` and counting take microseconds for 50 000 rows."""

import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import compress, count
from typing import Final

type Rows = int | array[int]
"""A set that is kept: as bits, or where that is shorter, row by row."""

_ROW_BITS: Final = 32
_FEW: Final = 32
_NOT_EMPTY: Final = re.compile(rb"[^\0]")


def kept(rows: Sequence[int], size: int) -> Rows:
    """Of `size` rows these, each once, in whatever form is shorter."""
    if len(rows) == size:
        return (1 << size) - 1
    one_by_one = array("I", rows)
    return bits([one_by_one]) if len(rows) * _ROW_BITS > size else one_by_one


def bits(sets: Iterable[Rows]) -> int:
    """All the sets as one."""
    together, one_by_one = 0, array("I")
    for each in sets:
        if isinstance(each, int):
            together |= each
        else:
            one_by_one.extend(each)
    if not one_by_one:
        return together
    scattered = bytearray(max(one_by_one) // 8 + 1)
    for row in one_by_one:
        scattered[row >> 3] |= 1 << (row & 7)
    return together | int.from_bytes(scattered, "little")


def rows_of(together: int) -> Iterator[int]:
    """The rows of a set, the lowest first; a few of many are found without going through all."""
    if together.bit_count() * _FEW > together.bit_length():
        return compress(count(), map("1".__eq__, reversed(f"{together:b}")))
    return _few_rows_of(together.to_bytes(together.bit_length() // 8 + 1, "little"))


def _few_rows_of(octets: bytes) -> Iterator[int]:
    for found in _NOT_EMPTY.finditer(octets):
        first, octet = 8 * found.start(), found[0][0]
        yield from (first + bit for bit in range(8) if octet >> bit & 1)


class Counting:
    """How many rows of other sets are in this one."""

    def __init__(self, together: int, size: int) -> None:
        self._together = together
        # A digit a row, whose lowest bit says whether it is in the set.
        self._digits = f"{together:0{size}b}".encode()[::-1]

    def shared_with(self, one: Rows) -> int:
        """How many rows of `one` are in this set."""
        if isinstance(one, int):
            return (one & self._together).bit_count()
        return sum(self._digits[row] & 1 for row in one)
