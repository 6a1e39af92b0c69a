"""Which nodes fit."""

from datetime import datetime

from aiohttp import web

from api_service import keys
from api_service.domain.availability_map import AvailabilityMap
from api_service.domain.node_query import Match, NodeQuery, search
from api_service.http.openapi import documented
from api_service.http.problems import BadParametersError
from api_service.http.queries import NO_FILTERS, NodeFilters, SearchQuery
from api_service.http.representation import dumps
from api_service.http.requests import answer, asked_of, bodies_at, future_window, query_as, refuse_with_travel
from api_service.http.schemas import Page, SearchItemBody
from shared.availability import Interval


@documented(returns=Page[SearchItemBody], query=SearchQuery, tag="search")
async def search_nodes(request: web.Request) -> web.Response:
    """Nodes of all sites by hardware, state, and a window in which they can be reserved throughout.

    A parameter that is not known is refused, so that a misspelt filter never answers everything. Where
    a commit is asked for, every node is `unknown`, and may be searched by its hardware only.
    """
    now, query = request.app[keys.CLOCK](), query_as(SearchQuery, request)
    refuse_with_travel(query, "availability", "start", "end")
    bodies = await bodies_at(request, query)
    known = AvailabilityMap() if query.given() else request.app[keys.AVAILABILITY]
    wanted = node_query(query, _window(query.start, query.end, now))
    found = search(bodies.inventory.nodes(), known, wanted, now)
    part = slice(query.offset, query.offset + query.limit)
    items = [bodies.found_node(match.node, _availability(match, now)) for match in found[part]]
    asked = asked_of(request)
    links = bodies.links.search([(name, value) for name, value in asked if name not in NO_FILTERS])
    page = bodies.part(items, links, query, asked, total=len(found))
    return answer(query, bodies, dumps(page))


def node_query(query: NodeFilters, window: Interval | None = None) -> NodeQuery:
    """The filters as the domain has them: those of a search, which select the nodes of plans too.

    Args:
        query: What was asked.
        window: In which a node must be reservable throughout.
    """
    return NodeQuery(
        site_ids=_any(query.site_id),
        cluster_ids=_any(query.cluster_id),
        node_types=_any(query.node_type),
        archs=_any(query.arch),
        gpu=_any(query.gpu),
        infiniband=_any(query.infiniband),
        min_ram=min(query.min_ram) if query.min_ram else None,
        states=_any(query.availability),
        window=window,
    )


def _availability(match: Match, now: datetime) -> dict[str, object]:
    return {
        "availability": match.state_at(now),
        "availability_until": match.until(now),
        "last_updated": match.last_updated,
        "stale": match.stale_at(now),
    }


def _any[V](values: list[V] | None) -> frozenset[V] | None:
    return None if values is None else frozenset(values)


def _window(start: datetime | None, end: datetime | None, now: datetime) -> Interval | None:
    if start is None and end is None:
        return None
    if start is None or end is None:
        missing = "start" if start is None else "end"
        raise BadParametersError.of(missing, "start and end belong together: give both or neither")
    return future_window(("start", start), ("end", end), now=now)
