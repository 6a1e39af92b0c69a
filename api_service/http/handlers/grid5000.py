"""What is known of nodes, in the form of Grid'5000, whose clients read it."""

from collections.abc import Iterable, Mapping
from typing import Final

from aiohttp import web

from api_service import keys
from api_service.domain.inventory import Node
from api_service.domain.node_query import match_of
from api_service.domain.planning import bookings_from
from api_service.http.bodies import dumps
from api_service.http.costly import BUSY, COSTLY
from api_service.http.openapi import documented
from api_service.http.plans import Grid5000Body
from api_service.http.representation import bodies_of, json_response
from api_service.http.requests import ids_of, refuse_travel
from shared.availability import AvailabilityState

HARD_AND_SOFT: Final[Mapping[AvailabilityState, tuple[str, str]]] = {
    AvailabilityState.AVAILABLE: ("alive", "free"),
    AvailabilityState.RESERVED: ("alive", "busy"),
    AvailabilityState.MAINTENANCE: ("dead", "unknown"),
    AvailabilityState.UNKNOWN: ("unknown", "unknown"),
}


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


async def _status(request: web.Request, resource: str, uid: str, nodes: Iterable[Node]) -> web.Response:
    refuse_travel(request)
    now, known = request.app[keys.CLOCK](), request.app[keys.AVAILABILITY].copied()
    links = bodies_of(request).links.availability(f"{resource}.status", resource, **ids_of(request))

    def answer() -> bytes:
        told: dict[str, object] = {}
        stale = False
        for match in (match_of(node, known) for node in nodes):
            hard, soft = HARD_AND_SOFT[match.state_at(now)]
            stale = stale or match.stale_at(now)
            blocks = [{"start": block.start, "end": block.end} for block in bookings_from(match, now)]
            told[match.node.uid] = {"hard": hard, "soft": soft, "reservations": blocks}
        return dumps({"uid": uid, "nodes": told, "stale": stale, "links": links})

    return json_response(await request.app[COSTLY].do(answer))
