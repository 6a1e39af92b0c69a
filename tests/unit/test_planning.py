"""When nodes are free together, held to oracles that look at every minute."""

from datetime import timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from api_service.domain.inventory import Node
from api_service.domain.node_query import Match
from api_service.domain.planning import bookings_in
from shared.availability import Interval, NodeAvailability
from tests.inventories import NOW, booked, node_document

MINUTE = timedelta(minutes=1)
SPAN = 60
"""Bookings start within this many minutes of now, before or after."""

MINUTES = st.integers(-SPAN // 4, SPAN)
BOOKINGS = st.tuples(MINUTES, st.integers(1, 20)).map(lambda pair: (pair[0], sum(pair)))
WINDOWS = st.tuples(st.integers(0, SPAN), st.integers(1, SPAN)).map(lambda pair: minutes(pair[0], sum(pair)))


def minutes(start: int, end: int) -> Interval:
    return Interval(NOW + start * MINUTE, NOW + end * MINUTE)


def match(known: NodeAvailability | None, uid: str = "n", site_id: str = "uc") -> Match:
    return Match(Node(site_id, "main", uid, node_document(uid)), None, known)


def held(bookings: list[tuple[int, int]], minute: int) -> bool:
    """The oracle: whether any booking holds the node in that minute."""
    return any(start <= minute < end for start, end in bookings)


def node(*bookings: tuple[int, int]) -> NodeAvailability:
    return booked(*((start / 60, end / 60) for start, end in bookings))


@given(st.lists(BOOKINGS, max_size=6), WINDOWS)
def test_the_bookings_in_a_window_are_the_minutes_of_it_that_are_held(
    bookings: list[tuple[int, int]], window: Interval
) -> None:
    told = bookings_in(match(NodeAvailability("n", tuple(minutes(*each) for each in bookings))), window)
    first, last = ((bound - NOW) // MINUTE for bound in (window.start, window.end))
    for minute in range(first, last):
        moment = NOW + minute * MINUTE
        assert any(block.start <= moment < block.end for block in told) == held(bookings, minute)
    assert all(block.overlaps(window) for block in told)
    assert all(one.end < other.start for one, other in pairwise(told))


def test_nothing_is_booked_where_nothing_is_known() -> None:
    assert bookings_in(match(None), minutes(0, 60)) == ()
