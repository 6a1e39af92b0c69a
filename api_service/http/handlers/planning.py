"""When to reserve which nodes. The filters of a search select them; the work is done off the event loop."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain, islice
from typing import Final

from aiohttp import web

from api_service import keys
from api_service.domain.capacity import (
    Capacity,
    Grid,
    Group,
    TooManyGroupsError,
    TooManySegmentsError,
    capacities,
    grouped,
)
from api_service.domain.node_conditions import check_valued
from api_service.domain.node_fields import path_of
from api_service.domain.node_query import Match, NodeQuery, matching, search, sites_in_question
from api_service.domain.planning import HORIZON, Slot, bookings_in, choices, slots
from api_service.http.bodies import Bodies, dumps
from api_service.http.costly import BUSY, COSTLY
from api_service.http.filters import explained, node_query
from api_service.http.openapi import documented
from api_service.http.plans import CalendarItemBody, CapacityBody, EarliestBody
from api_service.http.problems import BadParametersError, NoSlotError
from api_service.http.queries import CalendarQuery, CapacityQuery, EarliestQuery
from api_service.http.representation import bodies_of, json_response
from api_service.http.requests import continued, future_window, query_as
from api_service.http.schemas import Page
from api_service.http.values import MAX_DURATION
from shared.availability import Interval

DEFAULT_WINDOW: Final = timedelta(days=30)
FURTHEST: Final = timedelta(days=3660)
ALWAYS: Final = Interval(datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))


@documented(
    returns=Page[CalendarItemBody],
    query=CalendarQuery,
    tag="planning",
    errors={404: "The commit whose list is continued is not known here.", 503: BUSY},
)
async def list_nodes_availability(request: web.Request) -> web.Response:
    """State and bookings of many nodes at once, as a calendar needs them.

    A window keeps the bookings that meet it, whole; nodes are kept by the other filters alone.
    """
    query, now = query_as(CalendarQuery, request), request.app[keys.CLOCK]()
    window = future_window(("start", query.start or ALWAYS.start), ("end", query.end or ALWAYS.end), now=now)
    bodies = await continued(request, query)
    asked = list(request.query.items())
    # Taken here, since the map may change while another thread reads it.
    known, wanted = request.app[keys.AVAILABILITY].copied(), node_query(query)

    def answer() -> bytes:
        found = search(bodies.index, known, wanted, now)
        items = [
            dumps(_calendar_item(match, window, bodies, now))
            for match in found[query.offset : query.offset + query.limit]
        ]
        return dumps(bodies.part(items, bodies.links.nodes_availability(asked), query, asked, total=len(found)))

    def explained_answer() -> bytes:
        # Here in the thread, since the index of another commit is still to be made.
        return explained(type(query), bodies.index, answer)()

    return json_response(await request.app[COSTLY].do(explained_answer))


@documented(
    returns=EarliestBody,
    query=EarliestQuery,
    tag="planning",
    errors={404: "So many nodes are never free together within a year.", 503: BUSY},
)
async def get_earliest_slot(request: web.Request) -> web.Response:
    """The earliest start at which enough nodes are free together, and alternatives.

    The nodes are at one site unless `across_sites=true`. Those in maintenance, or of which nothing is known, are not
    free. A slot starts at `after`, or where a booking ends.
    """
    bodies, now = bodies_of(request), request.app[keys.CLOCK]()
    query = query_as(EarliestQuery, request)
    after = _not_too_far("after", max(query.after or now, now), now)
    asked = list(request.query.items())
    known, wanted = request.app[keys.AVAILABILITY].copied(), node_query(query)

    def answer() -> bytes:
        rows = matching(bodies.index, known, wanted, now)
        groups = choices(bodies.index.nodes_in(rows), known, across_sites=query.across_sites)
        first, *later = islice(_slots(groups, rows.bit_count(), query, after), 1 + query.alternatives)
        more = {"alternatives": [_slot(slot, bodies, now) for slot in later], "version": bodies.inventory.version}
        return dumps(_slot(first, bodies, now) | more | {"links": bodies.links.plan("earliest", asked)})

    return json_response(await request.app[COSTLY].do(explained(type(query), bodies.index, answer)))


@documented(returns=CapacityBody, query=CapacityQuery, tag="planning", errors={503: BUSY})
async def get_capacity(request: web.Request) -> web.Response:
    """How many nodes are free, reserved, in maintenance and unknown over time, group by group.

    A segment lasts until something changes, or a `step`.
    """
    bodies, now = bodies_of(request), request.app[keys.CLOCK]()
    query = query_as(CapacityQuery, request)
    window = _capacity_window(query, now)
    asked, fields = list(request.query.items()), list(dict.fromkeys(query.group_by or ()))
    known, wanted = request.app[keys.AVAILABILITY].copied(), node_query(query)

    def is_stale(members: Sequence[Match]) -> bool:
        # The one group of an answer without nodes is about the sites that were asked.
        named = NodeQuery() if members else wanted
        return any(known.is_stale(site_id, now) for site_id in sites_in_question(members, named, bodies.inventory))

    def answer() -> bytes:
        check_valued(bodies.index, "group_by", {field: path_of(field) for field in fields})
        matches = search(bodies.index, known, wanted, now)
        groups = [
            {
                "group": dict(zip(fields, group, strict=True)),
                "total": len(members),
                "stale": is_stale(members),
                "segments": segments,
            }
            for group, members, segments in _capacities(matches, fields, window, query, now)
        ]
        about = {"start": window.start, "end": window.end, "groups": groups, "version": bodies.inventory.version}
        return dumps(about | {"links": bodies.links.plan("capacity", asked)})

    return json_response(await request.app[COSTLY].do(explained(type(query), bodies.index, answer)))


def _capacity_window(query: CapacityQuery, now: datetime) -> Interval:
    first = _not_too_far("start", max(query.start or now, now), now)
    window = future_window(
        ("start", query.start or ALWAYS.start), ("end", query.end or first + DEFAULT_WINDOW), now=now
    )
    if window.end - window.start > MAX_DURATION:
        raise BadParametersError.of("end", f"may lie {MAX_DURATION.days} days after the start at most")
    return window


def _capacities(
    matches: Sequence[Match], fields: Sequence[str], window: Interval, query: CapacityQuery, now: datetime
) -> Iterator[tuple[Group, Sequence[Match], list[dict[str, object]]]]:
    grid = Grid(query.start or now, query.step) if query.step else None
    try:
        groups = grouped(matches, fields)
        found = capacities([members for _, members in groups], window, grid)
    except TooManyGroupsError as error:
        raise BadParametersError.of("group_by", str(error)) from error
    except TooManySegmentsError as error:
        hint = "a longer step, a shorter window or fewer groups will do"
        raise BadParametersError.of("step", f"{error}: {hint}") from error
    for (group, members), segments in zip(groups, found, strict=True):
        yield group, members, [_segment(each) for each in segments]


def _segment(capacity: Capacity) -> dict[str, object]:
    return {
        "start": capacity.during.start,
        "end": capacity.during.end,
        "free": capacity.free,
        "reserved": capacity.reserved,
        "maintenance": capacity.maintenance,
        "unknown": capacity.unknown,
    }


def _slots(groups: Iterable[Iterable[Match]], total: int, query: EarliestQuery, after: datetime) -> Iterator[Slot]:
    asked = slots(groups, count=query.count, duration=query.duration, after=after)
    first = next(asked, None)
    if first is None:
        where = "" if query.across_sites else " at one site"
        raise NoSlotError(
            f"{total} nodes match, but {query.count} that can be reserved together{where} "
            f"for {query.duration} are not found in the {HORIZON.days} days after {after:%Y-%m-%dT%H:%M:%SZ}"
        )
    return chain([first], asked)


def _slot(slot: Slot, bodies: Bodies, now: datetime) -> dict[str, object]:
    stale = slot.stale_sites(now)
    return {
        "start": slot.during.start,
        "end": slot.during.end,
        "site_id": slot.site_id,
        "stale": slot.stale_at(now),
        "nodes": [bodies.planned_node(match.node, stale=match.node.site_id in stale) for match in slot.nodes],
    }


def _not_too_far(name: str, moment: datetime, now: datetime) -> datetime:
    # So that nothing that is added to it leaves the calendar.
    if moment - now > FURTHEST:
        raise BadParametersError.of(name, f"may lie {FURTHEST.days} days ahead at most")
    return moment


def _calendar_item(match: Match, window: Interval, bodies: Bodies, now: datetime) -> dict[str, object]:
    node, document = match.node, match.node.written.document()
    return {
        "node_id": node.uid,
        "cluster_id": node.cluster_id,
        "site_id": node.site_id,
        "node_name": document.get("node_name"),
        "node_type": document.get("node_type"),
        "availability": match.state_at(now),
        "availability_until": match.until(now),
        "last_updated": match.last_updated,
        "maintenance": match.known.maintenance if match.known else None,
        "stale": match.stale_at(now),
        "reservations": [{"start": block.start, "end": block.end} for block in bookings_in(match, window)],
        "links": bodies.availability_links(node) if match.known else bodies.links.node_availability(node, known=False),
    }
