"""How many nodes are free over time, held to oracles that look at every minute."""

from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_service.domain import capacity
from api_service.domain.capacity import (
    Capacity,
    Grid,
    TooManyGroupsError,
    TooManySegmentsError,
    capacities,
    grouped,
)
from api_service.domain.node_query import Match
from tests.inventories import HOUR, NOW, node_document, node_of
from tests.planned import CASES, MINUTE, SAMPLES, WINDOWS, Sample, minute_of, minutes


def counts(segment: Capacity) -> tuple[int, int, int, int]:
    return segment.free, segment.reserved, segment.maintenance, segment.unknown


def naive_counts(samples: list[Sample], start: int, end: int) -> tuple[int, int, int, int]:
    """The oracle: what every node is from one minute to another, of what it is in any of them the worst."""
    found = Counter(
        "reserved"
        if each.state == "bookable" and any(each.held(minute) for minute in range(start, end))
        else each.state
        for each in samples
    )
    return found["bookable"], found["reserved"], found["maintenance"], found["unreadable"] + found["unlisted"]


def contiguous(segments: tuple[Capacity, ...], window: tuple[int, int]) -> bool:
    ends = [NOW + window[0] * MINUTE, *(each.during.end for each in segments)]
    return [each.during.start for each in segments] == ends[:-1] and ends[-1] == NOW + window[1] * MINUTE


@CASES
@given(SAMPLES, WINDOWS)
def test_segments_last_from_change_to_change_and_count_every_minute_right(
    samples: list[Sample], window: tuple[int, int]
) -> None:
    (segments,) = capacities([[each.match() for each in samples]], minutes(*window))
    assert contiguous(segments, window)
    for each in segments:
        for minute in range(minute_of(each.during.start), minute_of(each.during.end)):
            assert counts(each) == naive_counts(samples, minute, minute + 1)
    assert all(counts(one) != counts(other) for one, other in pairwise(segments))


@CASES
@given(SAMPLES, WINDOWS, st.integers(1, 40), st.integers(0, 60))
def test_a_step_counts_as_free_what_is_free_throughout(
    samples: list[Sample], window: tuple[int, int], step: int, earlier: int
) -> None:
    grid = Grid(NOW + (window[0] - earlier) * MINUTE, step * MINUTE)
    (segments,) = capacities([[each.match() for each in samples]], minutes(*window), grid)
    assert contiguous(segments, window)
    bounds = [minute for minute in range(*window) if (minute - window[0] + earlier) % step == 0]
    assert [minute_of(each.during.start) for each in segments[1:]] == [each for each in bounds if each > window[0]]
    for each in segments:
        assert counts(each) == naive_counts(samples, minute_of(each.during.start), minute_of(each.during.end))


def match(uid: str = "n", site_id: str = "uc", **fields: Any) -> Match:
    return Match(node_of(site_id, "main", uid, node_document(uid, **fields)), None, None)


def sample(*bookings: tuple[int, int]) -> Match:
    return Sample("n", "uc", bookings).match()


def told(*nodes: Match, window: tuple[int, int] = (0, 60), step: int | None = None, origin: int = 0) -> Any:
    """Start, end, free and reserved, in minutes after now."""
    grid = Grid(NOW + origin * MINUTE, step * MINUTE) if step else None
    (segments,) = capacities([nodes], minutes(*window), grid)
    return [(minute_of(each.during.start), minute_of(each.during.end), each.free, each.reserved) for each in segments]


def test_no_nodes_are_one_segment_of_nothing() -> None:
    assert told() == [(0, 60, 0, 0)]


def test_bookings_that_touch_or_overlap_are_one() -> None:
    assert told(sample((0, 10), (10, 20), (15, 30))) == [(0, 30, 0, 1), (30, 60, 1, 0)]


def test_where_one_node_is_freed_as_another_is_taken_nothing_changes() -> None:
    assert told(sample((0, 30)), sample((30, 60))) == [(0, 60, 1, 1)]


def test_a_booking_that_ends_as_the_window_starts_or_starts_as_it_ends_is_outside() -> None:
    assert told(sample((-10, 0), (60, 70))) == [(0, 60, 1, 0)]


def test_a_booking_that_ends_with_a_step_leaves_the_next_one_free() -> None:
    assert told(sample((0, 20)), window=(0, 50), step=20) == [(0, 20, 0, 1), (20, 40, 1, 0), (40, 50, 1, 0)]
    assert told(sample((0, 21)), window=(0, 50), step=20) == [(0, 20, 0, 1), (20, 40, 0, 1), (40, 50, 1, 0)]


def test_two_bookings_of_a_node_in_one_step_hold_it_once() -> None:
    assert told(sample((1, 2), (5, 6), (8, 9)), sample(), window=(0, 20), step=10) == [(0, 10, 1, 1), (10, 20, 2, 0)]


def test_steps_are_counted_from_where_they_began_though_that_is_past() -> None:
    assert told(sample(), window=(5, 30), step=10, origin=-20) == [(5, 10, 1, 0), (10, 20, 1, 0), (20, 30, 1, 0)]


def test_a_step_longer_than_the_window_is_all_of_it() -> None:
    assert told(sample((10, 20)), step=1000) == [(0, 60, 0, 1)]


def groups(*nodes: Match, by: str = "rack") -> list[tuple[Any, int]]:
    return [(values if "," in by else values[0], len(members)) for values, members in grouped(nodes, by.split(","))]


def test_nodes_are_grouped_by_where_they_are_whatever_their_files_say() -> None:
    nodes = match("a"), Match(node_of("tacc", "main", "b", node_document("b", site_id="uc")), None, None), match("c")
    assert groups(*nodes, by="site_id") == [("tacc", 1), ("uc", 2)]
    assert groups(*nodes, by="site_id,cluster_id") == [(("tacc", "main"), 1), (("uc", "main"), 2)]


@pytest.mark.parametrize(
    ("field", "fields", "value"),
    [
        ("node_type", {}, "compute_skylake"),
        ("arch", {}, "x86_64"),
        ("gpu", {"gpu": {"gpu": True}}, True),
        ("gpu", {"gpu": None}, None),
        ("main_memory.ram_size", {}, 2**37),
        ("main_memory", {}, None),
        ("nothing", {}, None),
        ("disks.type", {"disks": [{"type": "SSD"}, {"type": "SSD"}]}, "SSD"),
        ("disks.type", {"disks": [{"type": "SSD"}, {"type": "HDD"}, {}]}, ["HDD", "SSD"]),
        ("disks.type", {"disks": [{"type": None}, {"type": "SSD"}]}, "SSD"),
        ("disks", {"disks": [1, [2, True], "x"]}, [1, True, 2, "x"]),
        ("disks..type", {"disks": [{"type": "SSD"}]}, None),
    ],
)
def test_a_group_is_named_by_the_value_of_its_nodes(field: str, fields: dict[str, Any], value: Any) -> None:
    assert groups(match(**fields), by=field) == [(value, 1)]


def test_values_that_json_tells_apart_are_groups_of_their_own_in_their_order() -> None:
    values = ["x", True, None, 10, 9, 1, [1, 2], "10", 1.5]
    found = groups(*(match(f"n{number}", rack=value) for number, value in enumerate(values)))
    assert found == [(value, 1) for value in (None, True, 1, 1.5, 9, 10, "10", "x", [1, 2])]


def test_without_fields_all_nodes_are_one_group_even_if_there_are_none() -> None:
    assert grouped([], []) == [((), [])]
    assert [len(members) for _, members in grouped([match("a"), match("b")], [])] == [2]


def test_more_groups_or_segments_than_there_may_be_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = [match(f"n{number}", rack=number) for number in range(capacity.MAX_GROUPS + 1)]
    assert len(grouped(nodes[1:], ["rack"])) == capacity.MAX_GROUPS
    with pytest.raises(TooManyGroupsError, match="1000"):
        grouped(nodes, ["rack"])
    fine = Grid(NOW, MINUTE)
    window = minutes(0, capacity.MAX_SEGMENTS)
    assert len(capacities([[]], window, fine)[0]) == capacity.MAX_SEGMENTS
    with pytest.raises(TooManySegmentsError, match="10000"):
        capacities([[], []], window, fine)
    with pytest.raises(TooManySegmentsError):
        capacities([[]], minutes(0, capacity.MAX_SEGMENTS + 1), fine)
    monkeypatch.setattr(capacity, "MAX_SEGMENTS", 3)
    assert len(capacities([[sample((10, 20))]], minutes(0, 60))[0]) == 3
    with pytest.raises(TooManySegmentsError):
        capacities([[sample((10, 20))], [sample()]], minutes(0, 60))


def test_too_many_steps_are_refused_before_any_is_made() -> None:
    years = 10 * 366 * 24 * 60
    with pytest.raises(TooManySegmentsError):
        capacities([[]], minutes(0, years), Grid(NOW - HOUR, MINUTE / 60_000))
