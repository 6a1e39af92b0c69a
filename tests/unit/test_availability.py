from datetime import UTC, datetime, timedelta
from functools import reduce
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.availability import AvailabilityState, Interval, NodeAvailability, merged
from tests.snapshots import HOUR, NOON, flavors, hours, node, site

HORIZON = 24
"""Bounds of intervals are whole hours below this, so that an oracle can look at every half hour."""

TICK = timedelta(minutes=30)
MOMENTS = [NOON + step * TICK for step in range(-2, 2 * HORIZON + 2)]

INTERVALS = st.tuples(st.integers(0, HORIZON - 1), st.integers(1, 6)).map(lambda pair: hours(pair[0], sum(pair)))
RESERVATIONS = st.lists(INTERVALS, max_size=8)
NODES = st.builds(lambda reservations: node("n1", *reservations), RESERVATIONS)
WINDOWS = INTERVALS


def covered(reservations: list[Interval] | tuple[Interval, ...], moment: datetime) -> bool:
    """The oracle: whether any reservation holds `moment`."""
    return any(each.start <= moment < each.end for each in reservations)


@given(RESERVATIONS)
def test_merging_changes_no_moment(reservations: list[Interval]) -> None:
    blocks = merged(reservations)
    for moment in MOMENTS:
        assert covered(blocks, moment) == covered(reservations, moment)


@given(RESERVATIONS)
def test_merged_intervals_are_sorted_and_leave_a_gap_between_them(reservations: list[Interval]) -> None:
    blocks = merged(reservations)
    assert all(one.end < other.start for one, other in pairwise(blocks))
    assert merged(reversed(blocks)) == blocks


@given(RESERVATIONS)
def test_a_node_is_reserved_while_any_reservation_holds_it_and_available_else(reservations: list[Interval]) -> None:
    subject = node("n1", *reservations)
    for moment in MOMENTS:
        expected = AvailabilityState.RESERVED if covered(reservations, moment) else AvailabilityState.AVAILABLE
        assert subject.state_at(moment) is expected


@given(NODES)
def test_a_state_lasts_until_it_is_said_to_and_changes_then(subject: NodeAvailability) -> None:
    for moment in MOMENTS:
        state, until = subject.state_at(moment), subject.until(moment)
        later = [each for each in MOMENTS if each > moment]
        changes = [each for each in later if subject.state_at(each) is not state]
        last_end = max((each.end for each in subject.reservations), default=NOON)
        assert until == next(
            iter(changes), last_end if moment < last_end and state is AvailabilityState.RESERVED else None
        )


@given(NODES, st.sampled_from(MOMENTS))
def test_time_changes_a_node_at_its_next_bound_and_not_before(subject: NodeAvailability, moment: datetime) -> None:
    bounds = [bound for block in subject.reservations for bound in (block.start, block.end)]
    assert subject.next_bound(moment) == min((bound for bound in bounds if bound > moment), default=None)


@given(NODES, WINDOWS)
def test_a_node_can_be_reserved_for_a_window_that_meets_no_reservation(
    subject: NodeAvailability, window: Interval
) -> None:
    free = not any(covered(subject.reservations, moment) for moment in MOMENTS if window.start <= moment < window.end)
    assert subject.reservable_throughout(window) is free


@given(INTERVALS, INTERVALS)
def test_intervals_overlap_if_they_share_a_moment(one: Interval, other: Interval) -> None:
    shared = [moment for moment in MOMENTS if covered([one], moment) and covered([other], moment)]
    assert one.overlaps(other) == other.overlaps(one) == bool(shared)
    clipped = one.clipped_to(other)
    assert (clipped is not None) == bool(shared)
    if clipped:
        assert [moment for moment in MOMENTS if covered([clipped], moment)] == shared


@given(
    st.lists(
        st.builds(
            lambda r, m, u: NodeAvailability("n1", tuple(r), maintenance=m, unreadable=u),
            RESERVATIONS,
            st.booleans(),
            st.booleans(),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_duplicate_records_of_a_host_are_one_node_in_the_worst_state(records: list[NodeAvailability]) -> None:
    one = reduce(NodeAvailability.worst_of, records)
    for moment in MOMENTS:
        assert one.state_at(moment) is min(
            (each.state_at(moment) for each in records), key=list(AvailabilityState).index
        )
    assert reduce(NodeAvailability.worst_of, reversed(records)) == one


def test_back_to_back_reservations_are_one_block() -> None:
    subject = node("n1", hours(2, 3), hours(0, 1), hours(1, 2))
    assert subject.reservations == (hours(0, 3),)
    assert subject.until(NOON) == NOON + 3 * HOUR


def test_an_interval_holds_its_start_and_not_its_end() -> None:
    subject = node("n1", hours(1, 2))
    states = [subject.state_at(NOON + each * HOUR) for each in (0, 1, 2)]
    assert states == [AvailabilityState.AVAILABLE, AvailabilityState.RESERVED, AvailabilityState.AVAILABLE]


@pytest.mark.parametrize(
    ("subject", "state"),
    [
        (NodeAvailability("n1", (hours(-1, 1),), maintenance=True, unreadable=True), AvailabilityState.UNKNOWN),
        (NodeAvailability("n1", (hours(-1, 1),), maintenance=True), AvailabilityState.MAINTENANCE),
    ],
)
def test_what_is_unknown_or_in_maintenance_is_never_free_nor_said_to_end(
    subject: NodeAvailability, state: AvailabilityState
) -> None:
    for hour in (-2, 0, 2):
        assert subject.state_at(NOON + hour * HOUR) is state
        assert subject.until(NOON + hour * HOUR) is None
        assert not subject.reservable_throughout(hours(hour, hour + 0.5))


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (NOON, NOON),
        (NOON + HOUR, NOON),
        (NOON.replace(tzinfo=None), NOON + HOUR),
        (NOON, (NOON + HOUR).replace(tzinfo=None)),
        (NOON.replace(tzinfo=None), (NOON + HOUR).replace(tzinfo=None)),
    ],
)
def test_an_empty_reversed_or_naive_interval_is_refused(start: datetime, end: datetime) -> None:
    with pytest.raises(ValueError, match="an interval"):
        Interval(start, end)


def test_the_ends_of_the_calendar_are_moments_like_any_other() -> None:
    ever = Interval(datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
    subject = node("n1", ever)
    assert subject.state_at(datetime.min.replace(tzinfo=UTC)) is AvailabilityState.RESERVED
    assert subject.state_at(ever.end) is AvailabilityState.AVAILABLE
    assert subject.until(NOON) == ever.end


def test_nodes_with_the_same_facts_are_equal_whatever_was_asked_of_them() -> None:
    one, other = node("n1", hours(0, 1), hours(3, 4)), node("n1", hours(3, 4), hours(0, 1))
    one.state_at(NOON)
    assert one == other


def test_a_site_is_stale_three_intervals_after_it_was_updated() -> None:
    for snapshot in (site(), flavors()):
        assert snapshot.stale_from(NOON) == NOON + timedelta(minutes=3)


def test_many_nodes_do_not_fill_a_log() -> None:
    assert len(repr(site("tacc", 1, *(node(f"n{each}") for each in range(1000))))) < 500
