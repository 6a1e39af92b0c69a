"""The commits that changed a resource."""

from collections.abc import Callable, Mapping
from email.utils import format_datetime
from itertools import pairwise
from typing import Final

from aiohttp import web

from api_service.domain import history
from api_service.domain.data_faults import why_unusable
from api_service.domain.history import History, Version, own_files
from api_service.domain.inventory import NotInInventoryError
from api_service.http.bodies import Bodies, dumps
from api_service.http.links import LinkList
from api_service.http.openapi import documented
from api_service.http.queries import CollectionQuery, TravelQuery
from api_service.http.ready import Keep, Ready
from api_service.http.requests import answer, asked_of, bodies_at, ids_of, query_as, route_name
from api_service.http.schemas import Page
from api_service.http.version_bodies import AllVersionsBody, VersionBody

type Ids = Mapping[str, str]

MAX_LISTED_MESSAGE: Final = 4096
"""Characters of a commit's message in a list."""


PATHS: Final[Mapping[str, Callable[..., str]]] = {
    "sites": history.sites_path,
    "site": history.site_path,
    "clusters": history.clusters_path,
    "cluster": history.cluster_path,
    "nodes": history.nodes_path,
    "node": history.node_path,
    "flavors": history.flavors_path,
    "flavor": history.flavor_path,
}
"""The path in the repository of each resource that has versions, by the name of its route; its ids are the arguments.

The root is not in it: its versions are those of the whole repository, also of commits that touch no data.
"""


@documented(returns=AllVersionsBody, query=CollectionQuery, tag="versions")
async def list_all_versions(request: web.Request) -> web.Response:
    """Every commit of the repository, newest first."""
    query = query_as(CollectionQuery, request)
    bodies = await bodies_at(request, query)
    page = _page(request, query, _Resource(bodies, "root", {}))
    return answer(query, bodies, _ready(page | {"versions": page["items"]}))


@documented(returns=Page[VersionBody], query=CollectionQuery, tag="versions")
async def list_versions(request: web.Request) -> web.Response:
    """The commits that changed a resource, newest first; of a collection, site or cluster anything in it.

    A resource that is not there any more has its versions all the same; `latest-version` leads to what it was last.
    """
    query = query_as(CollectionQuery, request)
    bodies = await bodies_at(request, query)
    resource = _Resource(bodies, route_name(request).removesuffix(".versions"), ids_of(request))
    return answer(query, bodies, _ready(_page(request, query, resource)))


@documented(returns=VersionBody, query=TravelQuery, tag="versions")
async def get_version(request: web.Request) -> web.Response:
    """The version of a resource that was in force at a commit: a full sha or at least 7 digits of one."""
    query = query_as(TravelQuery, request)
    bodies = await bodies_at(request, query)
    ids = ids_of(request)
    asked = ids.pop("version")
    resource = _Resource(bodies, route_name(request).removesuffix(".version"), ids)
    found = bodies.inventory.history.in_force(resource.path, asked)
    before = bodies.inventory.history.before(resource.path, found)
    more = {"message": found.message} | ({"body": found.body} if found.body else {})
    # Not for ever, whatever sha was asked for: `parent` is what there is now, or was last.
    return answer(query, bodies, _ready(resource.item(found, before.uid if before else None) | more))


class _Resource:
    """What has versions: a resource of the inventory, or one that its history had.

    Attributes:
        bodies: Of the inventory that its versions are counted from.
        path: In the repository; None for the whole of it.
        versions: The commits that changed it, newest first.
        last: The newest version that has it, if it is there no more; else None.

    Raises:
        NotInInventoryError: it never was there.
        HistoryUnreadableError: a part of its history cannot be read.
    """

    def __init__(self, bodies: Bodies, name: str, ids: Ids) -> None:
        inventory, past = bodies.inventory, bodies.inventory.history
        self.path = PATHS[name](**ids) if name in PATHS else None
        self.last: str | None = None
        try:
            inventory.require(ids)
        except NotInInventoryError:
            if not _was_there(past, ids):
                raise
            self.last = last.uid if (last := past.last_with(*own_files(ids))) else None
        self.versions = past.all() if self.path is None else past.versions(self.path)
        self.bodies, self._name, self._ids = bodies, name, ids

    @property
    def links(self) -> LinkList:
        """Those of its versions as a collection."""
        return self.bodies.links.versions(self._name, last=self.last, **self._ids)

    def item(self, version: Version, before: str | None) -> dict[str, object]:
        """One of its versions; `before` is the one that it follows."""
        return {
            "uid": version.uid,
            "message": _shortened(version.message),
            "subject": version.subject,
            "date": format_datetime(version.committed_at, usegmt=True),
            "author": version.author,
            "type": "version",
            "links": self.bodies.links.version(self._name, version.uid, before, last=self.last, **self._ids),
        }


def _shortened(message: str) -> str:
    """Of a list, which may have thousands of them; of one version it is whole."""
    return message if len(message) <= MAX_LISTED_MESSAGE else f"{message[: MAX_LISTED_MESSAGE - 1]}…"


def _was_there(past: History, ids: Ids) -> bool:
    """Whether the history has what `ids` name: the file of each of them, not just something at its path."""
    return all(why_unusable(uid) is None for uid in ids.values()) and all(map(past.versions, own_files(ids)))


def _ready(value: object) -> Ready:
    return Ready(dumps(value), keep=Keep.WHILE_SERVED)


def _before(versions: tuple[Version, ...]) -> Mapping[str, str]:
    """The version that each but the oldest follows in the list, by uid."""
    return {version.uid: older.uid for version, older in pairwise(versions)}


def _page(request: web.Request, query: CollectionQuery, resource: _Resource) -> dict[str, object]:
    found, before = resource.versions, _before(resource.versions)
    part = found[query.offset : query.offset + query.limit]
    items = [dumps(resource.item(version, before.get(version.uid))) for version in part]
    return resource.bodies.part(items, resource.links, query, asked_of(request), total=len(found))
