"""The commits that changed a resource."""

from collections.abc import Callable, Mapping
from email.utils import format_datetime
from itertools import pairwise
from typing import Final

from aiohttp import web

from api_service.domain import history
from api_service.domain.history import Version
from api_service.domain.inventory import Inventory
from api_service.http.bodies import Bodies, dumps
from api_service.http.openapi import documented
from api_service.http.queries import CollectionQuery, TravelQuery
from api_service.http.ready import Keep, Ready
from api_service.http.requests import answer, answer_at, asked_of, bodies_at, ids_of, query_as, route_name
from api_service.http.schemas import Page
from api_service.http.version_bodies import AllVersionsBody, VersionBody

type Ids = Mapping[str, str]


def _site(inventory: Inventory, ids: Ids) -> str:
    return inventory.site(ids["site_id"]).uid


def _cluster(inventory: Inventory, ids: Ids) -> tuple[str, str]:
    return _site(inventory, ids), inventory.cluster(ids["site_id"], ids["cluster_id"]).uid


def _node(inventory: Inventory, ids: Ids) -> tuple[str, str, str]:
    return *_cluster(inventory, ids), inventory.node(ids["site_id"], ids["cluster_id"], ids["node_id"]).uid


def _flavor(inventory: Inventory, ids: Ids) -> tuple[str, str]:
    return _site(inventory, ids), inventory.flavor(ids["site_id"], ids["flavor_id"]).uid


PATHS: Final[Mapping[str, Callable[[Inventory, Ids], str | None]]] = {
    # Of the whole repository, also of commits that touch no data.
    "root": lambda _inventory, _ids: None,
    "sites": lambda _inventory, _ids: history.sites_path(),
    "site": lambda inventory, ids: history.site_path(_site(inventory, ids)),
    "clusters": lambda inventory, ids: history.clusters_path(_site(inventory, ids)),
    "cluster": lambda inventory, ids: history.cluster_path(*_cluster(inventory, ids)),
    "nodes": lambda inventory, ids: history.nodes_path(*_cluster(inventory, ids)),
    "node": lambda inventory, ids: history.node_path(*_node(inventory, ids)),
    "flavors": lambda inventory, ids: history.flavors_path(_site(inventory, ids)),
    "flavor": lambda inventory, ids: history.flavor_path(*_flavor(inventory, ids)),
}
"""The path in the repository of each resource that has versions, by the name of its route; ids are checked."""


@documented(returns=AllVersionsBody, query=CollectionQuery, tag="versions")
async def list_all_versions(request: web.Request) -> web.Response:
    """Every commit of the repository, newest first."""
    query = query_as(CollectionQuery, request)
    bodies = await bodies_at(request, query)
    page = _page(request, query, bodies, "root", bodies.inventory.history.all())
    return answer(query, bodies, _ready(page | {"versions": page["items"]}))


@documented(returns=Page[VersionBody], query=CollectionQuery, tag="versions")
async def list_versions(request: web.Request) -> web.Response:
    """The commits that changed a resource, newest first; of a collection, site or cluster anything in it."""
    query = query_as(CollectionQuery, request)
    bodies = await bodies_at(request, query)
    name, ids = route_name(request).removesuffix(".versions"), ids_of(request)
    path = PATHS[name](bodies.inventory, ids)
    return answer(query, bodies, _ready(_page(request, query, bodies, name, _versions(bodies, path))))


@documented(returns=VersionBody, query=TravelQuery, tag="versions")
async def get_version(request: web.Request) -> web.Response:
    """The version of a resource that was in force at a commit: a full sha or at least 7 digits of one."""
    query = query_as(TravelQuery, request)
    bodies = await bodies_at(request, query)
    name, ids = route_name(request).removesuffix(".version"), ids_of(request)
    asked = ids.pop("version")
    path = PATHS[name](bodies.inventory, ids)
    found = bodies.inventory.history.in_force(path, asked)
    before = _before(_versions(bodies, path)).get(found.uid)
    more = {"body": found.body} if found.body else {}
    ready = _ready(_item(bodies, name, ids, found, before) | more)
    # What a commit saw is told by its sha alone, unless the links are to lead to another.
    return answer(query, bodies, ready) if query.given() else answer_at(bodies, ready, asked)


def _ready(value: object) -> Ready:
    return Ready(dumps(value), keep=Keep.WHILE_SERVED)


def _versions(bodies: Bodies, path: str | None) -> tuple[Version, ...]:
    return bodies.inventory.history.all() if path is None else bodies.inventory.history.versions(path)


def _before(versions: tuple[Version, ...]) -> Mapping[str, str]:
    """The version that each but the oldest follows in the list, by uid."""
    return {version.uid: older.uid for version, older in pairwise(versions)}


def _page(
    request: web.Request, query: CollectionQuery, bodies: Bodies, name: str, found: tuple[Version, ...]
) -> dict[str, object]:
    ids = ids_of(request)
    part, before = found[query.offset : query.offset + query.limit], _before(found)
    items = [dumps(_item(bodies, name, ids, version, before.get(version.uid))) for version in part]
    links = bodies.links.versions(name, **ids)
    return bodies.part(items, links, query, asked_of(request), total=len(found))


def _item(bodies: Bodies, name: str, ids: Ids, version: Version, before: str | None) -> dict[str, object]:
    return {
        "uid": version.uid,
        "message": version.subject,
        "date": format_datetime(version.committed_at, usegmt=True),
        "author": version.author,
        "type": "version",
        "links": bodies.links.version(name, version.uid, before, **ids),
    }
