"""Nodes as oracles of plans see them: by the minutes in which they are held."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from api_service.domain import planning
from api_service.domain.node_query import Match
from shared.availability import Interval, NodeAvailability
from tests.inventories import NOW, node_document, node_of

MINUTE = timedelta(minutes=1)
SPAN = 60
"""Bookings start less than this many minutes after now, and end less than twice as many."""

CASES = settings(max_examples=300)


@dataclass(frozen=True)
class Sample:
    """A node as an oracle sees it: the minutes in which it is held, or a state that never changes."""

    uid: str
    site_id: str
    bookings: tuple[tuple[int, int], ...]
    state: str = "bookable"

    def held(self, minute: int) -> bool:
        return any(start <= minute < end for start, end in self.bookings)

    def can_start(self, minute: int, duration: int) -> bool:
        return self.state == "bookable" and not any(self.held(each) for each in range(minute, minute + duration))

    def match(self) -> Match:
        blocks = tuple(minutes(start, end) for start, end in self.bookings)
        lacking = {"maintenance": self.state == "maintenance", "unreadable": self.state == "unreadable"}
        known = None if self.state == "unlisted" else NodeAvailability(self.uid, blocks, **lacking)
        return Match(node_of(self.site_id, "main", self.uid, node_document(self.uid)), None, known)


BOOKINGS = st.lists(
    st.tuples(st.integers(-SPAN // 4, SPAN - 1), st.integers(1, 20)).map(lambda pair: (pair[0], sum(pair))), max_size=6
).map(tuple)
STATES = st.sampled_from(["bookable"] * 5 + ["maintenance", "unreadable", "unlisted"])
SAMPLES = st.lists(st.tuples(st.sampled_from("ab"), BOOKINGS, STATES), max_size=6).map(
    lambda rows: [Sample(f"n{number}", *row) for number, row in enumerate(rows)]
)
WINDOWS = st.tuples(st.integers(0, SPAN), st.integers(1, SPAN)).map(lambda pair: (pair[0], sum(pair)))


def minutes(start: int, end: int) -> Interval:
    return Interval(NOW + start * MINUTE, NOW + end * MINUTE)


def minute_of(moment: Any) -> int:
    minute, rest = divmod(moment - NOW, MINUTE)
    assert not rest
    return int(minute)


def slots(matches: Iterable[Match], *, across_sites: bool = False, **asked: Any) -> Iterator[planning.Slot]:
    """Of matches that are there already."""
    groups: dict[str, list[Match]] = {}
    for match in matches:
        groups.setdefault("" if across_sites else match.node.site_id, []).append(match)
    return planning.slots([groups[key] for key in sorted(groups)], **asked)
