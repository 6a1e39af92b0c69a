"""When nodes, sites and flavors are free."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Final

from aiohttp import web

from api_service import keys
from api_service.domain.availability_map import ObservedFlavors, ObservedSite, clipped_segments
from api_service.domain.node_query import NEVER, match_of, matches_of
from api_service.http.bodies import dumps
from api_service.http.openapi import documented
from api_service.http.problems import NotListedError, NotSyncedError, NotSyncedYetError
from api_service.http.queries import FlavorAvailabilityQuery
from api_service.http.representation import bodies_of, json_response
from api_service.http.requests import future_window, ids_of, query_as, refuse_travel
from api_service.http.schemas import FlavorAvailabilityBody, NodeAvailabilityBody, SiteAvailabilityBody
from shared.availability import AvailabilityState, Interval

DEFAULT_WINDOW: Final = timedelta(days=30)
PRESENT_ONLY: Final = "A commit is asked for; `errors` names the parameter."


@documented(
    returns=NodeAvailabilityBody,
    tag="availability",
    errors={400: PRESENT_ONLY, 404: "No such node, or nothing is known of it."},
)
async def get_node_availability(request: web.Request) -> web.Response:
    """A node's state and its bookings to come."""
    refuse_travel(request)
    bodies, now = bodies_of(request), request.app[keys.CLOCK]()
    node = bodies.inventory.node(**ids_of(request))
    site = _synced(request, node.site_id)
    match = match_of(node, request.app[keys.AVAILABILITY])
    if (known := match.known) is None:
        raise NotListedError(f"the Blazar of site {node.site_id} does not list node {node.uid}: it is unknown")
    return json_response(
        dumps(
            {
                "node_id": node.uid,
                "cluster_id": node.cluster_id,
                "site_id": node.site_id,
                "availability": known.state_at(now),
                "availability_until": known.until(now),
                "last_updated": site.last_updated,
                "maintenance": known.maintenance,
                "stale": site.stale_at(now),
                "reservations": [
                    {"start": block.start, "end": block.end} for block in known.reservations if block.end > now
                ],
                "links": bodies.availability_links(node),
            }
        ),
        modified=site.last_updated,
        # A booking may end of a node that is in maintenance all along.
        good_until=min(match.good_until(now), known.next_bound(now) or NEVER),
    )


@documented(
    returns=SiteAvailabilityBody,
    tag="availability",
    errors={400: PRESENT_ONLY, 404: "No such site, or it was never synced."},
)
async def get_site_availability(request: web.Request) -> web.Response:
    """How current a site's data is, and how many of its nodes are in each state."""
    refuse_travel(request)
    bodies, now = bodies_of(request), request.app[keys.CLOCK]()
    site = bodies.inventory.site(**ids_of(request))
    synced = _synced(request, site.uid)
    matches = list(matches_of(site.nodes(), request.app[keys.AVAILABILITY]))
    counts = Counter(match.state_at(now) for match in matches)
    return json_response(
        dumps(
            {
                "site_id": site.uid,
                "last_synced": synced.last_updated,
                "synced_node_count": len(synced.snapshot.nodes),
                "stale": synced.stale_at(now),
                "counts": {state: counts[state] for state in AvailabilityState},
                "links": bodies.links.availability("site.availability", "site", site_id=site.uid),
            }
        ),
        modified=synced.last_updated,
        good_until=min((match.good_until(now) for match in matches), default=None),
    )


@documented(
    returns=FlavorAvailabilityBody,
    query=FlavorAvailabilityQuery,
    tag="availability",
    errors={404: "No such flavor, or its site publishes none.", 503: "The site was not synced yet."},
)
async def get_flavor_availability(request: web.Request) -> web.Response:
    """How many instances of a flavor could run, over time."""
    refuse_travel(request)
    bodies, now = bodies_of(request), request.app[keys.CLOCK]()
    flavor = bodies.inventory.flavor(**ids_of(request))
    window = _window(query_as(FlavorAvailabilityQuery, request), now)
    site = _published(request, flavor.site_id)
    segments = clipped_segments(site, flavor.uid, window)
    if segments is None:
        raise NotListedError(f"site {flavor.site_id} publishes no availability of flavor {flavor.uid}")
    return json_response(
        dumps(
            {
                "flavor_id": flavor.uid,
                "site_id": flavor.site_id,
                "last_updated": site.last_updated,
                "stale": site.stale_at(now),
                "availability": [
                    {"start": during.start, "end": during.end, "available": available, "total": total}
                    for during, available, total in segments
                ],
                "links": bodies.links.availability("flavor.availability", "flavor", **ids_of(request)),
            }
        ),
        modified=site.last_updated,
    )


def _synced(request: web.Request, site_id: str) -> ObservedSite:
    site = request.app[keys.AVAILABILITY].sites.get(site_id)
    if site is None:
        raise NotSyncedError(f"the availability of site {site_id} was never synced: all its nodes are unknown")
    return site


def _published(request: web.Request, site_id: str) -> ObservedFlavors:
    if site_id not in request.app[keys.SETTINGS].flavor_availability.sites:
        raise NotListedError(f"no availability of flavors is configured for site {site_id}")
    site = request.app[keys.AVAILABILITY].flavors.get(site_id)
    if site is None:
        raise NotSyncedYetError(f"the flavors of site {site_id} were not synced yet")
    return site


def _window(query: FlavorAvailabilityQuery, now: datetime) -> Interval:
    """What is asked for, whole: of a flavor's capacity the site tells a little of the past, too."""
    start = query.start_date or now
    first_known = max(start, now)
    # As far as the calendar goes.
    default_end = first_known + min(DEFAULT_WINDOW, datetime.max.replace(tzinfo=UTC) - first_known)
    future = future_window(("start_date", start), ("end_date", query.end_date or default_end), now=now)
    return Interval(start, future.end)
