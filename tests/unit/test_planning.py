"""When nodes are free together, held to oracles that look at every minute."""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_service.domain import planning
from api_service.domain.availability_map import AvailabilityMap
from api_service.domain.node_query import Match, match_of
from api_service.domain.planning import HORIZON, bookings_in
from tests.inventories import HOUR, NOW, booked, node_document, node_of, polled
from tests.planned import BOOKINGS, CASES, MINUTE, SAMPLES, SPAN, WINDOWS, Sample, minute_of, minutes, slots


def known(*hours: tuple[float, float], uid: str = "n", site_id: str = "uc", **more: Any) -> Match:
    """A node whose bookings are given in hours after now."""
    return Match(node_of(site_id, "main", uid, node_document(uid)), None, booked(*hours, node_id=uid, **more))


@CASES
@given(BOOKINGS, WINDOWS)
def test_the_bookings_in_a_window_are_the_minutes_of_it_that_are_held(
    bookings: tuple[tuple[int, int], ...], window: tuple[int, int]
) -> None:
    sample = Sample("n", "a", bookings)
    told = bookings_in(sample.match(), minutes(*window))
    for minute in range(*window):
        moment = NOW + minute * MINUTE
        assert any(block.start <= moment < block.end for block in told) == sample.held(minute)
    assert all(block.overlaps(minutes(*window)) for block in told)
    assert all(one.end < other.start for one, other in pairwise(told))


def test_nothing_is_booked_where_nothing_is_known() -> None:
    assert bookings_in(Sample("n", "a", ((0, 60),), "unlisted").match(), minutes(0, 60)) == ()


type Told = list[tuple[int, list[str]]]


def naive_slots(samples: list[Sample], count: int, duration: int, after: int) -> Told:
    """The oracle, of one site: every minute at which enough can start and one more can than just before."""
    found: Told = []
    for minute in range(after, 2 * SPAN + 1):
        able = [each for each in samples if each.can_start(minute, duration)]
        won = minute == after or any(not each.can_start(minute - 1, duration) for each in able)
        if able and won and len(able) >= count:
            found.append((minute, [each.uid for each in newest(able, count, duration, minute, after)]))
    return found


def newest(able: list[Sample], count: int, duration: int, minute: int, after: int) -> list[Sample]:
    def age(sample: Sample) -> int:
        before = minute
        while before > after and sample.can_start(before - 1, duration):
            before -= 1
        return minute - before

    chosen = sorted(able, key=lambda each: (age(each), each.uid))[:count]
    return sorted(chosen, key=lambda each: each.uid)


@CASES
@given(SAMPLES, st.integers(1, 4), st.integers(1, 30), st.integers(0, SPAN), st.booleans())
def test_slots_are_what_a_look_at_every_minute_finds(
    samples: list[Sample], count: int, duration: int, after: int, across_sites: bool
) -> None:
    groups = [samples] if across_sites else [[each for each in samples if each.site_id == site] for site in "ab"]
    naive = [slot for group in groups for slot in naive_slots(group, count, duration, after)]
    found = list(
        slots(
            [each.match() for each in samples],
            count=count,
            duration=duration * MINUTE,
            after=NOW + after * MINUTE,
            across_sites=across_sites,
        )
    )
    told = [(minute_of(each.during.start), [match.node.uid for match in each.nodes]) for each in found]
    assert told == sorted(naive, key=lambda slot: slot[0])
    assert {each.during.end - each.during.start for each in found} <= {duration * MINUTE}
    assert across_sites or all(each.site_id for each in found)


def starts(*matches: Match, count: int = 1, hours: float = 2, after: float = 0, across_sites: bool = False) -> Any:
    """In hours after now."""
    found = slots(matches, count=count, duration=hours * HOUR, after=NOW + after * HOUR, across_sites=across_sites)
    return [(slot.during.start - NOW) / HOUR for slot in found]


@pytest.mark.parametrize(
    ("bookings", "after", "expected"),
    [
        ([], 0, [0]),
        ([], 5, [5]),
        ([(-3, 0)], 0, [0]),
        ([(-3, 1)], 0, [1]),
        ([(1, 4)], 4, [4]),
        ([(1, 4)], 3.9, [4]),
        ([(1, 4)], 4.1, [4.1]),
        ([(1, 4), (6, 7)], 5, [7]),
        ([(2, 4)], 0, [0, 4]),
        ([(1.9, 4)], 0, [4]),
        ([(0, 1), (1, 2)], 0, [2]),
        ([(0, 3), (1, 2)], 0, [3]),
        ([(0, 1), (3, 4)], 0, [1, 4]),
        ([(0, 1), (2.99, 4)], 0, [4]),
    ],
    ids=str,
)
def test_a_slot_begins_at_once_or_where_a_booking_ends_and_a_gap_is_long_enough(
    bookings: list[tuple[float, float]], after: float, expected: list[float]
) -> None:
    assert starts(known(*bookings), after=after) == expected


@pytest.mark.parametrize("lacking", [{"maintenance": True}, {"unreadable": True}])
def test_a_node_in_maintenance_or_unreadable_is_in_no_slot(lacking: dict[str, Any]) -> None:
    assert starts(known(**lacking)) == []
    assert starts(known(**lacking), known(uid="o"), count=2) == []


def test_a_node_of_which_nothing_is_known_is_in_no_slot() -> None:
    assert starts(match_of(node_of("uc", "main", "n", {"uid": "n"}), AvailabilityMap())) == []


def test_nodes_are_together_at_one_site_unless_any_will_do() -> None:
    nodes = [known((0, 2), uid="a"), known(uid="b", site_id="tacc"), known((0, 5), uid="c")]
    assert starts(*nodes, count=2) == [5]
    assert starts(*nodes, count=2, across_sites=True) == [2, 5]
    assert starts(*nodes, count=3) == []
    assert starts(*nodes, count=3, across_sites=True) == [5]


def test_the_site_of_a_slot_is_told_where_there_is_one() -> None:
    nodes = [known(uid="a"), known(uid="b", site_id="tacc"), known((0, 5), uid="c")]
    asked = slots(nodes, count=2, duration=HOUR, after=NOW, across_sites=True)
    assert [slot.site_id for slot in asked] == [None, "uc"]
    asked = slots(nodes, count=1, duration=HOUR, after=NOW)
    assert [(slot.during.start, slot.site_id) for slot in asked] == [
        (NOW, "tacc"), (NOW, "uc"), (NOW + 5 * HOUR, "uc"),
    ]  # fmt: skip


def test_a_later_slot_has_the_nodes_that_were_won() -> None:
    nodes = [known(uid="a"), known((0, 5), uid="b"), known(uid="c")]
    asked = slots(nodes, count=2, duration=HOUR, after=NOW)
    assert [[match.node.uid for match in slot.nodes] for slot in asked] == [["a", "c"], ["a", "b"]]


def test_a_slot_starts_within_the_horizon() -> None:
    days = HORIZON / HOUR
    assert starts(known((0, days))) == [days]
    assert starts(known((0, days + 0.01))) == []
    assert starts(known((0, 1), (2, days), (days, days + 1))) == []
    assert starts(known((0, days + 5)), after=5) == [days + 5]


def test_sites_are_not_looked_at_whose_slots_could_not_be_earlier() -> None:
    seen, nodes = AvailabilityMap(), []
    for site_id, hours in (("a", (0, 2)), ("b", (3, 4)), ("c", (3, 4)), ("d", (0, 1))):
        seen.replace(polled(site_id, booked(hours, node_id="n")), received_at=NOW)
        nodes.append(node_of(site_id, "main", "n", {"uid": "n"}))
    looked_at = []

    def watched() -> Iterator[Iterable[Match]]:
        for group in planning.choices(nodes[::-1], seen, across_sites=False):
            matches = list(group)
            looked_at.append(matches[0].node.site_id)
            yield matches

    asked = planning.slots(watched(), count=1, duration=HOUR, after=NOW)
    first, second = next(asked), next(asked)
    assert (first.site_id, second.site_id, looked_at) == ("b", "c", ["a", "b", "c"])
    assert [(slot.site_id, (slot.during.start - NOW) / HOUR) for slot in asked] == [
        ("d", 1),
        ("a", 2),
        ("b", 4),
        ("c", 4),
    ]


def test_a_slot_is_stale_if_what_is_known_of_one_of_its_nodes_is() -> None:
    seen = AvailabilityMap()
    seen.replace(polled("uc", booked(node_id="a")), received_at=NOW)
    seen.replace(polled("tacc", booked(node_id="b"), at=NOW - HOUR), received_at=NOW)
    nodes = [
        match_of(node_of(site_id, "main", uid, {"uid": uid}), seen) for site_id, uid in (("uc", "a"), ("tacc", "b"))
    ]
    asked = slots(nodes, count=1, duration=HOUR, after=NOW)
    assert [(slot.site_id, slot.stale_at(NOW)) for slot in asked] == [("tacc", True), ("uc", False)]
    (slot,) = slots(nodes, count=2, duration=HOUR, after=NOW, across_sites=True)
    assert slot.stale_at(NOW)
