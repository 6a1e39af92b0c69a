"""What Grid'5000's clients read: the state of nodes in its form, and network equipment, of which there is none."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from aiohttp import web

from api_service import keys
from api_service.domain.inventory import Node
from api_service.domain.node_query import Match, match_of
from api_service.domain.planning import bookings_from
from api_service.http.bodies import Bodies, dumps
from api_service.http.costly import BUSY, COSTLY
from api_service.http.openapi import documented
from api_service.http.plans import Grid5000Body
from api_service.http.queries import CollectionQuery
from api_service.http.representation import bodies_of, json_response
from api_service.http.requests import answer, asked_of, bodies_at, ids_of, query_as, refuse_travel, route_name
from api_service.http.schemas import NetworkEquipment, Page
from shared.availability import AvailabilityState, Interval

QUEUE: Final = "default"
"""The queue of every reservation: clients ignore those of `besteffort`, which Blazar does not have."""

HARD_AND_SOFT: Final[Mapping[AvailabilityState, tuple[str, str]]] = {
    AvailabilityState.AVAILABLE: ("alive", "free"),
    AvailabilityState.RESERVED: ("alive", "busy"),
    AvailabilityState.MAINTENANCE: ("dead", "unknown"),
    AvailabilityState.UNKNOWN: ("suspected", "unknown"),
}
"""Clients take every node for usable whose `hard` is neither `dead` nor `suspected`."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND: Final = timedelta(seconds=1)


@documented(returns=Grid5000Body, tag="availability", errors={503: BUSY})
async def get_site_status(request: web.Request) -> web.Response:
    """State and bookings of a site's nodes, in the form of Grid'5000."""
    site = bodies_of(request).inventory.site(**ids_of(request))
    return await _status(request, "site", site.uid, site.nodes())


@documented(returns=Grid5000Body, tag="availability", errors={503: BUSY})
async def get_cluster_status(request: web.Request) -> web.Response:
    """State and bookings of a cluster's nodes, in the form of Grid'5000."""
    cluster = bodies_of(request).inventory.cluster(**ids_of(request))
    return await _status(request, "cluster", cluster.uid, cluster.nodes.values())


@documented(returns=Page[NetworkEquipment], query=CollectionQuery, tag="inventory")
async def list_network_equipments(request: web.Request) -> web.Response:
    """The network equipment of the testbed: an empty list, which Grid'5000's clients ask for."""
    query = query_as(CollectionQuery, request)
    return _nothing(request, query, await bodies_at(request, query))


@documented(returns=Page[NetworkEquipment], query=CollectionQuery, tag="inventory")
async def list_network_equipments_of_site(request: web.Request) -> web.Response:
    """The network equipment of a site: an empty list, which Grid'5000's clients ask for."""
    query = query_as(CollectionQuery, request)
    bodies = await bodies_at(request, query)
    bodies.inventory.site(**ids_of(request))
    return _nothing(request, query, bodies)


def _nothing(request: web.Request, query: CollectionQuery, bodies: Bodies) -> web.Response:
    members: dict[str, Node] = {}
    name, asked, ids = route_name(request), asked_of(request), ids_of(request)
    return answer(query, bodies, bodies.collection(name, members, bodies.node, query, asked, **ids))


async def _status(request: web.Request, resource: str, uid: str, nodes: Iterable[Node]) -> web.Response:
    refuse_travel(request)
    now, known = request.app[keys.CLOCK](), request.app[keys.AVAILABILITY].copied()
    ids = ids_of(request)
    links = bodies_of(request).links.availability(f"{resource}.status", resource, **ids)

    def status() -> bytes:
        matches = {node.uid: match_of(node, known) for node in nodes}
        states = {uid: _node(match, now) for uid, match in matches.items()}
        # Of the site, not of its nodes: it may have none.
        stale = known.is_stale(ids["site_id"], now)
        return dumps({"uid": uid, "nodes": states, "stale": stale, "links": links})

    return json_response(await request.app[COSTLY].do(status))


def _node(match: Match, now: datetime) -> dict[str, object]:
    hard, soft = HARD_AND_SOFT[match.state_at(now)]
    return {"hard": hard, "soft": soft, "reservations": [reservation(each) for each in bookings_from(match, now)]}


def reservation(block: Interval) -> dict[str, object]:
    """A merged booking: our fields, then those of Grid'5000.

    Its clients compute with whole seconds, so a start is rounded down and an end up: no busy second becomes free. They
    read `started_at`, and only where it is absent `scheduled_at`; Grid'5000 sends both of a reservation to come, too.
    """
    start, end = (block.start - _EPOCH) // _SECOND, -((_EPOCH - block.end) // _SECOND)
    return {
        "start": block.start,
        "end": block.end,
        "started_at": start,
        "scheduled_at": start,
        "walltime": end - start,
        "queue": QUEUE,
    }
