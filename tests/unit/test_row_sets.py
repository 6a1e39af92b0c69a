"""Sets of rows, whichever way they are kept."""

from hypothesis import given
from hypothesis import strategies as st

from api_service.domain.row_sets import Counting, bits, kept, rows_of

SIZE = 200
ROWS = st.frozensets(st.integers(0, SIZE - 1), max_size=SIZE)


@given(st.lists(ROWS, max_size=4))
def test_sets_together_hold_what_each_holds(sets: list[frozenset[int]]) -> None:
    together = bits([kept(sorted(each), SIZE) for each in sets])
    assert list(rows_of(together)) == sorted(frozenset[int]().union(*sets))


@given(ROWS, ROWS)
def test_rows_that_two_sets_share_are_counted(one: frozenset[int], other: frozenset[int]) -> None:
    counting = Counting(bits([kept(sorted(one), SIZE)]), SIZE)
    assert counting.shared_with(kept(sorted(other), SIZE)) == len(one & other)


def test_few_rows_are_kept_one_by_one_and_many_as_bits() -> None:
    assert not isinstance(kept([3], SIZE), int)
    assert kept([0, 1, 2, 3, 4, 5, 6, 9], SIZE) == 0b1001111111
