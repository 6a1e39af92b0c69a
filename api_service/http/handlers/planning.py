"""When to reserve which nodes. The filters of a search select them; the work is done off the event loop."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from aiohttp import web

from api_service import keys
from api_service.domain.node_query import Match, search
from api_service.domain.planning import bookings_in
from api_service.http.costly import COSTLY
from api_service.http.handlers.search import node_query
from api_service.http.openapi import documented
from api_service.http.plans import CalendarItemBody
from api_service.http.queries import CalendarQuery, NodeFilters
from api_service.http.representation import Bodies, bodies_of, dumps, json_response
from api_service.http.requests import future_window, query_as
from api_service.http.schemas import Page
from shared.availability import Interval

BUSY: Final = "Too much is being computed already; `Retry-After` says when to come again."
ALWAYS: Final = Interval(datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))


@documented(returns=Page[CalendarItemBody], query=CalendarQuery, tag="planning", errors={503: BUSY})
async def list_nodes_availability(request: web.Request) -> web.Response:
    """State and bookings of many nodes at once, as a calendar needs them.

    A window keeps the bookings that meet it, whole; nodes are kept by the other filters alone.
    """
    bodies, now = bodies_of(request), request.app[keys.CLOCK]()
    query = query_as(CalendarQuery, request)
    window = future_window(("start", query.start or ALWAYS.start), ("end", query.end or ALWAYS.end), now=now)
    asked, matches = list(request.query.items()), _matches(request, bodies, query, now)

    def answer() -> bytes:
        found = matches()
        items = [
            dumps(_calendar_item(match, window, bodies, now))
            for match in found[query.offset : query.offset + query.limit]
        ]
        return dumps(bodies.part(items, bodies.links.plan("nodes.availability"), query, asked, total=len(found)))

    return json_response(await request.app[COSTLY].do(answer))


def _matches(request: web.Request, bodies: Bodies, query: NodeFilters, now: datetime) -> Callable[[], list[Match]]:
    # Taken here, since the map may change while another thread reads it.
    known, wanted = request.app[keys.AVAILABILITY].copied(), node_query(query)
    return lambda: search(bodies.inventory.nodes(), known, wanted, now)


def _calendar_item(match: Match, window: Interval, bodies: Bodies, now: datetime) -> dict[str, object]:
    node = match.node
    return {
        "node_id": node.uid,
        "cluster_id": node.cluster_id,
        "site_id": node.site_id,
        "availability": match.state_at(now),
        "availability_until": match.until(now),
        "last_updated": match.last_updated,
        "maintenance": match.known.maintenance if match.known else None,
        "stale": match.stale_at(now),
        "reservations": [{"start": block.start, "end": block.end} for block in bookings_in(match, window)],
        "links": bodies.links.node_availability(node, known=match.known is not None),
    }
