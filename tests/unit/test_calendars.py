"""What calendar programs read: no more free time than there is, and the same events on every replica."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from icalendar import Calendar, vText

from api_service.domain.availability_map import Observed
from api_service.domain.inventory import Node
from api_service.domain.node_query import Match
from api_service.domain.planning import busy_times
from api_service.http import calendars
from shared.availability import Interval, NodeAvailability
from tests.inventories import NOW, booked, node_document, node_of, polled
from tests.planned import BOOKINGS, MINUTE, SPAN, STATES, Sample, minutes

DAY = NOW.replace(hour=0)
ALWAYS = Interval(NOW, datetime.max.replace(tzinfo=UTC))
COVERED = Interval(DAY, DAY + timedelta(days=366))
SAMPLES = st.lists(st.tuples(st.sampled_from("ab"), BOOKINGS, STATES), max_size=3).map(
    lambda rows: [Sample(f"n{number}", *row) for number, row in enumerate(rows)]
)


def written(*matches: Match, window: Interval = ALWAYS, now: datetime = NOW, name: str = "Some nodes") -> bytes:
    busy = [(match, tuple(busy_times(match, window, COVERED))) for match in matches]
    sites = {match.node.site_id: match.site for match in matches}
    return calendars.calendar(name, busy, sites, COVERED, now)


def read(*matches: Match, **more: Any) -> Any:
    return Calendar.from_ical(written(*matches, **more))


def match(*bookings: tuple[float, float], node: Node | None = None, at: datetime = NOW, **more: Any) -> Match:
    node = node or node_of("uc", "main", "n", {"uid": "n"})
    known = booked(*bookings, node_id=node.uid, **more)
    return Match(node, Observed(polled(node.site_id, known, at=at), at, at), known)


def never_synced() -> Match:
    return Match(node_of("uc", "main", "n", {"uid": "n"}), None, None)


def not_listed() -> Match:
    return Match(node_of("uc", "main", "n", {"uid": "n"}), Observed(polled("uc"), NOW, NOW), None)


def free(events: Sequence[Any], minute: int) -> bool:
    moment = NOW + minute * MINUTE
    return not any(event.DTSTART <= moment < event.DTEND for event in events)


@settings(max_examples=150)
@given(samples=SAMPLES)
def test_what_a_calendar_leaves_free_is_what_the_map_says_is_free(samples: list[Sample]) -> None:
    told = read(*(sample.match() for sample in samples))
    for sample in samples:
        events = [event for event in told.events if event["SUMMARY"].split()[0] == f"n-{sample.uid}"]
        bookable = sample.match().bookable
        assert [free(events, minute) for minute in range(2 * SPAN)] == [
            bookable and not sample.held(minute) for minute in range(2 * SPAN)
        ]


@given(st.integers(0, 2 * 10**6), st.integers(1, 2 * 10**6))
def test_what_is_shorter_than_a_second_is_rounded_so_that_no_time_becomes_free(after: int, length: int) -> None:
    start = NOW + timedelta(microseconds=after)
    block = Interval(start, start + timedelta(microseconds=length))
    known = NodeAvailability("n", (block,))
    (event,) = read(Match(node_of("uc", "main", "n", {"uid": "n"}), None, known)).events
    assert event.DTSTART <= block.start < block.end <= event.DTEND
    assert max(block.start - event.DTSTART, event.DTEND - block.end) < timedelta(seconds=1)


def test_a_booking_to_the_end_of_the_calendar_can_be_told() -> None:
    known = NodeAvailability("n", (ALWAYS,))
    (event,) = read(Match(node_of("uc", "main", "n", {"uid": "n"}), None, known)).events
    assert (NOW, ALWAYS.end.replace(microsecond=0)) == (event.DTSTART, event.DTEND)


def test_an_event_tells_what_is_the_matter_where_and_since_when_it_is_known() -> None:
    node = node_of("uc", "main", "0a1b", {"uid": "0a1b", "node_name": "nc01"})
    (event,) = read(match((1, 3), node=node, at=NOW - timedelta(seconds=30))).events
    assert {name: event[name].to_ical().decode() for name in event if name != "UID"} == {
        "SUMMARY": "nc01 reserved",
        "DTSTART": "20261122T090000Z",
        "DTEND": "20261122T110000Z",
        "DTSTAMP": "20261122T075930Z",
        "LAST-MODIFIED": "20261122T075930Z",
        "SEQUENCE": "217497570",
        "DESCRIPTION": r"Node 0a1b. As of 2026-11-22 07:59:30 UTC.",
        "LOCATION": "uc/main",
        "TRANSP": "OPAQUE",
    }


@pytest.mark.parametrize(
    ("hidden", "word", "why"),
    [
        (match(maintenance=True), "in maintenance", "As of"),
        (match(unreadable=True), "unknown", "cannot be read"),
        (not_listed(), "unknown", "does not list"),
        (never_synced(), "unknown", "Never synced"),
    ],
    ids=["maintenance", "unreadable", "not listed", "never synced"],
)
def test_a_node_that_is_not_bookable_is_busy_for_all_the_time_that_is_told(hidden: Match, word: str, why: str) -> None:
    told = read(hidden)
    (event,) = told.events
    assert (event["SUMMARY"], event.DTSTART, event.DTEND) == (f"n {word}", COVERED.start, COVERED.end)
    assert why in event["DESCRIPTION"]
    assert "until 2027-11-23 00:00 UTC" in told["X-WR-CALDESC"]


def test_bookings_of_a_node_in_maintenance_are_told_as_well() -> None:
    assert [event["SUMMARY"] for event in read(match((1, 2), maintenance=True)).events] == [
        "n in maintenance",
        "n reserved",
    ]


def test_data_that_is_old_is_told_to_be_so_in_the_calendar_and_its_events() -> None:
    later = NOW + timedelta(seconds=180)
    for now, stale in ((later - timedelta(seconds=1), False), (later, True)):
        told = read(match((1, 2)), now=now)
        for text in (told["X-WR-CALDESC"], told.events[0]["DESCRIPTION"]):
            assert "2026-11-22 08:00:00 UTC" in text
            assert ("older than three poll intervals" in text) is stale


def test_an_event_keeps_its_id_while_its_start_stays_whatever_else_changes() -> None:
    later = NOW + timedelta(hours=1)
    (first,), (prolonged,) = read(match((1, 3))).events, read(match((1, 9), at=later), now=later).events
    assert first["UID"] == prolonged["UID"]
    assert first["DTSTAMP"] != prolonged["DTSTAMP"]


def test_no_two_events_have_one_id() -> None:
    nodes = [
        node_of(*ids, {"uid": ids[2]}) for ids in (("a", "c", "n"), ("b", "c", "n"), ("a", "d", "n"), ("a", "c", "m"))
    ]
    told = read(*(match((0, 1), (2, 3), node=node, maintenance=True) for node in nodes), never_synced())
    ids = [event["UID"] for event in told.events]
    assert len(ids) == len(set(ids)) == 13


def test_ids_are_the_same_after_every_start_and_on_every_replica() -> None:
    (event,) = read(match((1, 3))).events
    assert event["UID"] == "f7d36250-cecd-5fa0-84c2-6aaca9edfcb6"


def test_the_same_is_told_byte_for_byte_while_nothing_changes_and_the_day_lasts() -> None:
    nodes = [match((1, 2)), match(maintenance=True), not_listed(), never_synced()]
    assert written(*nodes) == written(*nodes, now=NOW + timedelta(seconds=100))


def test_a_calendar_says_what_it_is_and_how_often_to_come_again() -> None:
    lines = written(match((1, 2)), name="Nodes, all").decode().split("\r\n")
    assert lines[:4] == [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Reference API//Availability of nodes//EN",
        "METHOD:PUBLISH",
    ]
    assert {
        r"NAME:Nodes\, all",
        r"X-WR-CALNAME:Nodes\, all",
        "REFRESH-INTERVAL;VALUE=DURATION:PT5M",
        "X-PUBLISHED-TTL:PT5M",
    } <= set(lines)


def test_a_site_that_is_polled_seldom_is_to_be_asked_seldom() -> None:
    known = booked()
    site = polled("uc", known, poll_interval=timedelta(minutes=20))
    seldom = Match(node_of("uc", "main", "n", {"uid": "n"}), Observed(site, NOW, NOW), known)
    assert read(seldom).refresh_interval == timedelta(minutes=20)
    assert read(seldom, match()).refresh_interval == timedelta(minutes=5)


def test_a_calendar_without_events_has_a_component_as_it_must() -> None:
    for told in (read(), read(match())):
        told.validate()
        assert [each.name for each in told.subcomponents] == ["VTIMEZONE"]


@pytest.mark.parametrize(
    "uid",
    ["a,b;c:d", "back\\slash", 'quo"te', "emoji 🦀" * 20, "ü" * 200, "BEGIN:VEVENT", "=1+1", "{brace}", "x" * 250],
)
def test_ids_of_any_kind_come_back_as_they_are_and_no_line_is_too_long(uid: str) -> None:
    node = node_of("s,i", "c;l", uid, {"uid": uid})
    made = written(match((1, 2), node=node), name=uid)
    assert all(len(line) <= 75 for line in made.split(b"\r\n"))
    assert b"\n" not in made.replace(b"\r\n", b"")
    told: Any = Calendar.from_ical(made)
    (event,) = told.events
    assert (event["SUMMARY"], event["LOCATION"]) == (f"{uid} reserved", "s,i/c;l")
    # The library reads names as they are written.
    assert told["NAME"] == told["X-WR-CALNAME"] == vText(uid).to_ical().decode()


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("nc01", "nc01"),
        ("a\r\nEND:VCALENDAR\0", "a??END:VCALENDAR?"),
        (None, "n"),
        ("", "n"),
        (7, "n"),
        ("x" * 101, "n"),
    ],
)
def test_a_node_is_called_by_its_name_if_that_can_be_shown(name: Any, shown: str) -> None:
    document = node_document("n", node_name=name)
    (event,) = read(match((1, 2), node=node_of("uc", "main", "n", document))).events
    assert event["SUMMARY"] == f"{shown} reserved"


def test_a_window_keeps_the_bookings_that_meet_it_whole() -> None:
    told = read(match((0, 1), (2, 4), (6, 8)), window=minutes(180, 360))
    assert [(event.DTSTART, event.DTEND) for event in told.events] == [(NOW + 120 * MINUTE, NOW + 240 * MINUTE)]
