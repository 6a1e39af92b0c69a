"""Every URL, one per line, named; links are made from the names."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from aiohttp import web

from api_service.http.handlers import (
    availability,
    calendars,
    differences,
    events,
    grid5000,
    inventory,
    operations,
    page,
    planning,
    search,
    versions,
)
from api_service.http.requests import FORM

type Endpoint = Callable[[web.Request], Awaitable[web.StreamResponse]]

SITE: Final = "/sites/{site_id}"
CLUSTER: Final = SITE + "/clusters/{cluster_id}"
NODE: Final = CLUSTER + "/nodes/{node_id}"
FLAVOR: Final = SITE + "/flavors/{flavor_id}"
DIFF: Final = "/versions/{version}/diff/{other}"

RESOURCES: Final[tuple[tuple[str, str, Endpoint], ...]] = (
    # The router looks inside a prefix one by one: what is asked for most comes first.
    ("node.availability", NODE + "/availability", availability.get_node_availability),
    ("node.versions", NODE + "/versions", versions.list_versions),
    ("nodes.versions", CLUSTER + "/nodes/versions", versions.list_versions),
    ("cluster.versions", CLUSTER + "/versions", versions.list_versions),
    ("clusters.versions", SITE + "/clusters/versions", versions.list_versions),
    ("flavor.versions", FLAVOR + "/versions", versions.list_versions),
    ("flavors.versions", SITE + "/flavors/versions", versions.list_versions),
    ("site.versions", SITE + "/versions", versions.list_versions),
    ("sites.versions", "/sites/versions", versions.list_versions),
    ("root.versions", "/versions", versions.list_all_versions),
    ("node.version", NODE + "/versions/{version}", versions.get_version),
    ("nodes.version", CLUSTER + "/nodes/versions/{version}", versions.get_version),
    ("cluster.version", CLUSTER + "/versions/{version}", versions.get_version),
    ("clusters.version", SITE + "/clusters/versions/{version}", versions.get_version),
    ("flavor.version", FLAVOR + "/versions/{version}", versions.get_version),
    ("flavors.version", SITE + "/flavors/versions/{version}", versions.get_version),
    ("site.version", SITE + "/versions/{version}", versions.get_version),
    ("sites.version", "/sites/versions/{version}", versions.get_version),
    ("root.version", "/versions/{version}", versions.get_version),
    ("node.diff", NODE + DIFF, differences.get_differences),
    ("cluster.diff", CLUSTER + DIFF, differences.get_differences),
    ("site.diff", SITE + DIFF, differences.get_differences),
    ("root.diff", DIFF, differences.get_differences),
    ("node", NODE, inventory.get_node),
    ("nodes", CLUSTER + "/nodes", inventory.list_nodes),
    ("cluster", CLUSTER, inventory.get_cluster),
    ("clusters", SITE + "/clusters", inventory.list_clusters),
    ("flavor.availability", FLAVOR + "/availability", availability.get_flavor_availability),
    ("flavor", FLAVOR, inventory.get_flavor),
    ("flavors", SITE + "/flavors", inventory.list_flavors),
    ("site.availability", SITE + "/availability", availability.get_site_availability),
    ("cluster.status", CLUSTER + "/status", grid5000.get_cluster_status),
    ("site.status", SITE + "/status", grid5000.get_site_status),
    ("site.network_equipments", SITE + "/network_equipments", grid5000.list_network_equipments_of_site),
    ("site", SITE, inventory.get_site),
    ("sites", "/sites", inventory.list_sites),
    ("search", "/nodes/search", search.search_nodes),
    ("nodes.availability", "/nodes/availability", planning.list_nodes_availability),
    ("earliest", "/availability/earliest", planning.get_earliest_slot),
    ("capacity", "/availability/capacity", planning.get_capacity),
    ("network_equipments", "/network_equipments", grid5000.list_network_equipments),
    ("root", "/", inventory.get_root),
    ("healthz", "/healthz", operations.get_healthz),
    ("readyz", "/readyz", operations.get_readyz),
    ("status", "/status", operations.get_status),
)
"""JSON resources: each answers the same with `.json`, or a slash, appended."""

OTHERS: Final[tuple[tuple[str, str, Endpoint], ...]] = (
    ("node.calendar", NODE + "/availability.ics", calendars.get_node_calendar),
    ("calendar", "/nodes/availability.ics", calendars.get_calendar),
    ("events", "/events", events.get_events),
    ("metrics", "/metrics", operations.get_metrics),
    ("openapi", "/openapi.json", operations.get_openapi),
    ("asyncapi", "/asyncapi.json", operations.get_asyncapi),
    ("docs", "/docs", operations.get_docs),
    ("docs.asset", "/docs/assets/{name}", operations.get_docs_asset),
    ("ui", "/ui", page.get_page),
    ("ui.asset", "/ui/assets/{name}", page.get_page_asset),
)
"""What has one form only, or, with a slash appended, two."""


def routes() -> Iterable[web.RouteDef]:
    """The plain form of every URL, and after all of these the other forms."""
    for name, path, handler in (*RESOURCES, *OTHERS):
        # An id at the end of a plain form leaves `.json` to the other one, and there takes as little as it can.
        yield web.get(_last_id(path, r"[^/]+(?<!\.json)"), handler, name=name)
    for name, path, handler in RESOURCES:
        forms = r"\.json/?|/" if path != "/" else r"\.json/?"
        yield web.get(f"{_last_id(path, '[^/]+?')}{{{FORM}:{forms}}}", handler, name=f"{name}:form")
    for name, path, handler in OTHERS:
        yield web.get(f"{_last_id(path, '[^/]+?')}{{{FORM}:/}}", handler, name=f"{name}:form")


def plain(router: web.UrlDispatcher) -> Iterable[web.Resource]:
    """Of the resources of a router those that are the plain form of a URL."""
    named = router.named_resources()
    for name, _, _ in (*RESOURCES, *OTHERS):
        if isinstance(found := named[name], web.Resource):
            yield found


def _last_id(path: str, pattern: str) -> str:
    # What aiohttp takes for an id by itself may hold no braces; a file's name may.
    path = path.replace("_id}/", "_id:[^/]+}/")
    return f"{path[:-1]}:{pattern}}}" if path.endswith(("_id}", "{version}", "{other}")) else path
