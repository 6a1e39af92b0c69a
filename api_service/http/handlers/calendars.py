"""Calendars that programs subscribe to. The filters of a search select their nodes."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

from aiohttp import web

from api_service import keys
from api_service.domain.availability_map import ObservedSite
from api_service.domain.node_query import Match, match_of, search, sites_in_question
from api_service.domain.planning import HORIZON, busy_times
from api_service.http import text_examples
from api_service.http.caching import Answer
from api_service.http.costly import BUSY, COSTLY
from api_service.http.filters import explained, node_query
from api_service.http.handlers.planning import ALWAYS
from api_service.http.openapi import documented
from api_service.http.problems import BadParametersError
from api_service.http.queries import SubscriptionQuery, WindowQuery
from api_service.http.ready import Ready
from api_service.http.representation import bodies_of
from api_service.http.requests import future_window, ids_of, query_as, refuse_travel
from shared.availability import Interval

CONTENT_TYPE: Final = "text/calendar"
MAX_NODES: Final = 5000
MAX_EVENTS: Final = 10_000

type Found = tuple[Sequence[Match], Mapping[str, ObservedSite | None]]
"""The nodes of a calendar, and the sites that it describes: None of a site that was never synced."""


@documented(
    returns=CONTENT_TYPE,
    query=WindowQuery,
    tag="planning",
    errors={503: BUSY},
    example=text_examples.ICALENDAR,
)
async def get_node_calendar(request: web.Request) -> web.Response:
    """When a node cannot be reserved, for calendar programs to subscribe to.

    A node of which nothing is known is shown as busy, where its availability is a 404: programs drop a calendar that
    fails, or go on showing the last one.
    """
    refuse_travel(request)
    now = request.app[keys.CLOCK]()
    node = bodies_of(request).inventory.node(**ids_of(request))
    match = match_of(node, request.app[keys.AVAILABILITY])
    name = f"{node.uid} at {node.site_id}/{node.cluster_id}"
    found = [match], {node.site_id: match.site}
    return await _calendar(request, query_as(WindowQuery, request), name, lambda: found, now)


@documented(
    returns=CONTENT_TYPE,
    query=SubscriptionQuery,
    tag="planning",
    errors={503: BUSY},
    example=text_examples.ICALENDAR,
)
async def get_calendar(request: web.Request) -> web.Response:
    """When any of many nodes cannot be reserved, for calendar programs to subscribe to.

    A calendar has no pages: it holds 5000 nodes and 10 000 events at most.
    """
    now, query, bodies = request.app[keys.CLOCK](), query_as(SubscriptionQuery, request), bodies_of(request)
    # Taken here, since the map may change while another thread reads it.
    known, wanted = request.app[keys.AVAILABILITY].copied(), node_query(query)
    filters = [f"{name}={value}" for name, value in request.query.items() if name not in WindowQuery.model_fields]
    name = f"Nodes with {', '.join(filters)}" if filters else "All nodes"

    def found() -> Found:
        matches = search(bodies.index, known, wanted, now)
        site_ids = sites_in_question(matches, wanted, bodies.inventory)
        return matches, {site_id: known.sites.get(site_id) for site_id in site_ids}

    return await _calendar(request, query, name, explained(SubscriptionQuery, bodies.index, found), now)


async def _calendar(
    request: web.Request, query: WindowQuery, name: str, found: Callable[[], Found], now: datetime
) -> web.Response:
    window = future_window(("start", query.start or ALWAYS.start), ("end", query.end or ALWAYS.end), now=now)
    span = _span(query, window, now)

    def answer() -> bytes:
        matches, sites = found()
        if len(matches) > MAX_NODES:
            told = f"{len(matches)} nodes match, more than {MAX_NODES}: one site, or other filters, will do"
            raise BadParametersError.of("site_id", told)
        busy = [(match, tuple(busy_times(match, window, span))) for match in matches]
        if (events := sum(len(times) for _, times in busy)) > MAX_EVENTS:
            hint = "an earlier end, or fewer nodes, will do"
            raise BadParametersError.of("end", f"there are {events} events, more than {MAX_EVENTS}: {hint}")
        # A tenth of a start, for what few ask for; they wait for it in a thread.
        from api_service.http.calendars import calendar  # noqa: PLC0415

        return calendar(name, busy, sites, span, now)

    body = await request.app[COSTLY].do(answer)
    return Answer(Ready(body, f"{CONTENT_TYPE}; charset=utf-8"))


def _span(query: WindowQuery, window: Interval, now: datetime) -> Interval:
    """For how long nodes are told whose state nobody knows the end of: whole days, so that answers stay the same."""
    last = _midnight(window.start) + min(HORIZON, ALWAYS.end - _midnight(window.start))
    return Interval(_midnight(now), query.end or last)


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)
