"""The time in which nodes cannot be reserved as iCalendar (RFC 5545), for calendar programs to subscribe to."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from icalendar import Calendar, Event, Timezone, vDatetime, vDuration, vInt, vText

from api_service.domain.availability_map import ObservedSite
from api_service.domain.node_query import Match
from api_service.domain.planning import BusyTime
from shared.availability import AvailabilityState, Interval

PRODUCT: Final = "-//Reference API//Availability of nodes//EN"
NAMESPACE: Final = uuid.UUID("0f4b5d3c-52b1-5b0f-9a5e-3f0c1d6f7a31")
"""Ids of events are made in it: the same one on every replica, and after every start."""

SHORTEST_REFRESH: Final = timedelta(minutes=5)
MAX_NAME_LENGTH: Final = 100
FIRST_SEQUENCE: Final = datetime(2020, 1, 1, tzinfo=UTC)
MAX_SEQUENCE: Final = 2**31 - 1
"""Programs keep it in 32 bits; in seconds that lasts until 2088."""

LAST_SECOND: Final = datetime.max.replace(microsecond=0, tzinfo=UTC)

_OLDER_NAMES: Final = {"NAME": "X-WR-CALNAME", "DESCRIPTION": "X-WR-CALDESC"}
_WORDS: Final = {
    AvailabilityState.RESERVED: "reserved",
    AvailabilityState.MAINTENANCE: "in maintenance",
    AvailabilityState.UNKNOWN: "unknown",
}


def calendar(
    name: str,
    busy: Sequence[tuple[Match, Sequence[BusyTime]]],
    sites: Mapping[str, ObservedSite | None],
    span: Interval,
    now: datetime,
) -> bytes:
    """A calendar with an event for each time; the same bytes as long as nothing else is known and the day lasts.

    Args:
        name: What programs show.
        busy: Nodes, and when they cannot be reserved.
        sites: Whose age the description tells, by site id; None of a site that was never synced.
        span: For how long nodes are told that are unknown or in maintenance; it begins with the day.
        now: Decides what is stale.
    """
    made = Calendar()
    made.prodid, made.version, made.method = PRODUCT, "2.0", "PUBLISH"
    for key, text in (("NAME", _printable(name)), ("DESCRIPTION", _description(sites.items(), span, now))):
        # Programs read either; the library does not escape the older one by itself.
        made[key] = made[_OLDER_NAMES[key]] = vText(text)
    known = [site.snapshot.poll_interval for site in sites.values() if site]
    refresh = vDuration(max(SHORTEST_REFRESH, min(known, default=SHORTEST_REFRESH)))
    made.add("REFRESH-INTERVAL", refresh, parameters={"VALUE": "DURATION"})
    made.add("X-PUBLISHED-TTL", vDuration(refresh.dt))
    for match, times in busy:
        made.subcomponents.extend(_events(match, times, span, now))
    if not made.subcomponents:
        # A calendar must have some component, and some programs refuse one that is empty.
        made.add_component(_time_zone())
    written: bytes = made.to_ical()
    return written


def _events(match: Match, times: Iterable[BusyTime], span: Interval, now: datetime) -> Iterable[Event]:
    node = match.node
    titles = {state: vText(f"{_title(match)} {word}") for state, word in _WORDS.items()}
    same = {
        "LOCATION": vText(f"{node.site_id}/{node.cluster_id}"),
        "DESCRIPTION": vText(_about(match, now)),
        "TRANSP": vText("OPAQUE"),
    }
    observed = _revision(match.last_updated or span.start)
    # What is unknown or in maintenance begins anew with each day, whatever is observed.
    begun = _revision(max(match.last_updated or span.start, span.start))
    for each in times:
        # Made of ready values: `Event.new` and `add` take twice as long, guessing at types and time zones.
        yield Event(
            same
            | (observed if each.state is AvailabilityState.RESERVED else begun)
            | {
                "UID": vText(_uid(match, each)),
                "DTSTART": vDatetime(_seconds(each.during.start)),
                "DTEND": vDatetime(_seconds(each.during.end, up=True)),
                "SUMMARY": titles[each.state],
            }
        )


def _revision(moment: datetime) -> dict[str, Any]:
    """Which of two forms of an event is the newer one; it grows with each poll, the same on every replica."""
    whole = _seconds(moment)
    told = vDatetime(whole)
    sequence = min(max(0, int((whole - FIRST_SEQUENCE).total_seconds())), MAX_SEQUENCE)
    return {"DTSTAMP": told, "LAST-MODIFIED": told, "SEQUENCE": vInt(sequence)}


def _uid(match: Match, time: BusyTime) -> str:
    """Stays the same while the start does; the state of what is not bookable has no start of its own."""
    start = time.during.start.isoformat() if time.state is AvailabilityState.RESERVED else ""
    node = match.node
    # No id holds a slash.
    return str(uuid.uuid5(NAMESPACE, f"{node.site_id}/{node.cluster_id}/{node.uid}/{time.state}/{start}"))


def _title(match: Match) -> str:
    """What people call the node."""
    name = match.node.written.document().get("node_name")
    return _printable(name) if name and isinstance(name, str) and len(name) <= MAX_NAME_LENGTH else match.node.uid


def _about(match: Match, now: datetime) -> str:
    why = ""
    if match.site and match.known is None:
        why = ", which Blazar does not list"
    elif match.known and match.known.unreadable:
        why = ", whose record in Blazar cannot be read"
    return f"Node {match.node.uid}{why}. {_age(match.site, now)}"


def _description(sites: Iterable[tuple[str, ObservedSite | None]], span: Interval, now: datetime) -> str:
    ages = "".join(f"\nSite {site_id}: {_age(site, now)}" for site_id, site in sorted(sites, key=lambda pair: pair[0]))
    until = f"{span.end:%Y-%m-%d %H:%M} UTC"
    return (
        "The time in which nodes cannot be reserved. Those in maintenance, and those of which nothing is known, "
        f"are shown as busy until {until}: what comes after that is not told.{ages}"
    )


def _age(site: ObservedSite | None, now: datetime) -> str:
    if site is None:
        return "Never synced: nothing is known."
    stale = ", which is older than three poll intervals" if site.stale_at(now) else ""
    return f"As of {site.last_updated:%Y-%m-%d %H:%M:%S} UTC{stale}."


def _seconds(moment: datetime, *, up: bool = False) -> datetime:
    """Whole seconds, as iCalendar has no others; rounded so that no time becomes free."""
    whole = moment.astimezone(UTC).replace(microsecond=0)
    return whole + timedelta(seconds=1) if up and moment > whole and whole < LAST_SECOND else whole


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)


def _time_zone() -> Timezone:
    zone = Timezone.from_tzid("UTC")
    # It tells of years outside which the zone is wrong; this one never is.
    del zone["COMMENT"]
    return zone
