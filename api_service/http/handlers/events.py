"""What changes, as it changes."""

from typing import Final

from aiohttp import web

from api_service import keys
from api_service.domain.follower import Follower, Selection
from api_service.domain.inventory import Inventory, NotInInventoryError
from api_service.domain.resume_token import ResumeToken
from api_service.http.event_stream import HEADERS, READERS
from api_service.http.openapi import documented
from api_service.http.problems import NoInventoryError
from api_service.http.queries import EventsQuery
from api_service.http.requests import query_as
from api_service.http.text_examples import EVENTS

MEDIA_TYPE: Final = "text/event-stream"


@documented(
    returns=MEDIA_TYPE,
    query=EventsQuery,
    tag="events",
    example=EVENTS,
    stored=False,
    errors={404: "No such site or node.", 503: "Too many follow already, or no inventory is loaded yet."},
)
async def get_events(request: web.Request) -> web.StreamResponse:
    """Server-sent events: states of nodes as they change, and new versions of the inventory.

    A stream begins with what leads from what the client has (`Last-Event-ID`) to what there is: an `inventory` event,
    then for each site `availability` with the nodes that changed, or `resync` with all of them.
    """
    query, inventory = query_as(EventsQuery, request), request.app[keys.INVENTORY]
    if absence := inventory.absence:
        raise NoInventoryError(absence)
    selection = _selection(query, inventory.current)
    if request.method == "HEAD":
        return web.Response(content_type=MEDIA_TYPE, headers=HEADERS)
    readers = request.app[READERS]
    readers.live.advance()
    seen = request.headers.get("Last-Event-ID") or query.newest_event_id or query.last_event_id or ""
    return await readers.follow(request, Follower(readers.live, selection, ResumeToken.parse(seen)))


def _selection(query: EventsQuery, inventory: Inventory) -> Selection:
    # Named twice is asked for once.
    sites = [inventory.site(site_id) for site_id in dict.fromkeys(query.site_id or inventory.sites)]
    for node_id in dict.fromkeys(query.node_id or ()):
        if not any(node_id in cluster.nodes for site in sites for cluster in site.clusters.values()):
            raise NotInInventoryError(f"there is no node {node_id!r:.300}{' at these sites' if query.site_id else ''}")
    return Selection(
        None if query.site_id is None else frozenset(query.site_id),
        None if query.node_id is None else frozenset(query.node_id),
    )
